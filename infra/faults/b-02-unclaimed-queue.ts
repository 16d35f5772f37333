import { between, type Fault } from "./fault.ts";
import { present } from "./target.ts";

/** Longer than a worker may take to claim a row. */
const WAITED_SECONDS = 130;

/** Without a container, and where no Docker is read: nobody claims. */
export const unclaimedQueue: Fault = {
  invariantId: "B-02",
  name: "unclaimed queue",
  title: `a queued run of a pull agent that nobody has claimed for ${WAITED_SECONDS} seconds`,
  cured: "the row is failed, and the agent is no longer a pull agent",
  isPlatformWide: true,
  obstacle: ({ controls }) =>
    "absent" in controls ? `sweeps would drain the row: ${controls.absent}` : null,
  async provoke(agent) {
    await present(agent.target.controls).hangSweeps();
    await agent.setPoll(10);
    await agent.addRun(agent.id(1), { status: "queued", ageSeconds: WAITED_SECONDS, session: null });
  },
  async seen(agent) {
    const queued = (await agent.runs()).filter(({ status }) => status === "queued");
    return queued.length === 1 && (await agent.polls())
      ? `1 queued row of ${queued[0]!.ageSeconds} s, and a key of pull workers`
      : null;
  },
  expected: () => ({
    mode: "pull",
    queued_count: between(1, 1_000),
    oldest_queued_age_seconds: between(WAITED_SECONDS, WAITED_SECONDS + 600),
    claim_grace_seconds: 120,
  }),
  async cure(agent) {
    try {
      await agent.settle();
      await agent.setPoll(null);
    } finally {
      await present(agent.target.controls).resumeSweeps();
    }
  },
};
