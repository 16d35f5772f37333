import { containerName } from "../platform/names.ts";
import { between, type Fault } from "./fault.ts";
import { present } from "./target.ts";
import type { TestAgent } from "./test-agent.ts";

/** Longer than a worker may take to claim a row. */
const WAITED_SECONDS = 130;

const hasDocker = ({ target }: TestAgent): boolean => !("absent" in target.docker);

/** The variables of the container. Its pool has one worker more than the roster's cap, so that it is known which of the two was read. */
const environmentOf = ({ limits }: TestAgent) => ({
  TRINITY_PULL_MODE: "true",
  TRINITY_MAX_PARALLEL_TASKS: String(limits.maxParallelTasks + 1),
});

/** Says whether the container runs with these variables. */
async function runsAsPull(agent: TestAgent): Promise<boolean> {
  const { daemon } = present(agent.target.docker);
  const { State, Config } = await daemon.getContainer(containerName(agent.name)).inspect();
  const wanted = Object.entries(environmentOf(agent)).map(([name, value]) => `${name}=${value}`);
  return State.Running && wanted.every((line) => Config.Env.includes(line));
}

/** In the container, where there is a Docker daemon, nothing runs that claims. Without one, there are no workers at all. */
export const unclaimedQueue: Fault = {
  invariantId: "B-02",
  name: "unclaimed queue",
  title: `a queued run of a pull agent that no worker has claimed for ${WAITED_SECONDS} seconds`,
  cured: "the row is failed, and the agent is no longer a pull agent",
  isPlatformWide: true,
  obstacle: ({ controls }) =>
    "absent" in controls ? `sweeps would drain the row: ${controls.absent}` : null,
  async prepare(agent) {
    if (hasDocker(agent)) await agent.startContainer(environmentOf(agent));
  },
  async provoke(agent) {
    await present(agent.target.controls).hangSweeps();
    await agent.setPoll(10);
    await agent.addRun(agent.id(1), { status: "queued", ageSeconds: WAITED_SECONDS, session: null });
  },
  async seen(agent) {
    const queued = (await agent.runs()).filter(({ status }) => status === "queued");
    if (queued.length !== 1 || !(await agent.polls())) return null;
    const seen = `1 queued row of ${queued[0]!.ageSeconds} s, and a key of pull workers`;
    if (!hasDocker(agent)) return seen;
    return (await runsAsPull(agent)) ? `${seen}, and a container in pull mode` : null;
  },
  expected(agent) {
    const workers = agent.limits.maxParallelTasks + (hasDocker(agent) ? 1 : 0);
    return {
      mode: "pull",
      kind: "queued_not_claimed",
      queued_count: 1,
      oldest_queued_age_seconds: between(WAITED_SECONDS, WAITED_SECONDS + 600),
      claim_grace_seconds: 120,
      container_pull_mode: hasDocker(agent) ? true : null,
      pool_size: workers,
      busy_workers: 0,
      idle_workers: workers,
    };
  },
  severity: (agent) => (hasDocker(agent) ? "critical" : "major"),
  async cure(agent) {
    try {
      await agent.settle();
      await agent.setPoll(null);
    } finally {
      await present(agent.target.controls).resumeSweeps();
    }
  },
};
