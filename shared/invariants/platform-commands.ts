/** Commands that more than one invariant gives, with the platform's own tables and keys. */
import { api, type Command, docker, NOW, noted, redis, remark, shell, sql } from "./commands.ts";

/** So many ids get commands of their own: what is left is seen in the next cycle. */
const MAX_IDS = 10;

/** The first ids that commands are made for. An older version may have stored no list. */
export const firstIds = (ids: readonly string[] | undefined): readonly string[] =>
  (ids ?? []).slice(0, MAX_IDS);

/** The agent's container. */
export const containerOf = (agent: string): string => `agent-${agent}`;

/** Shows the slots that the agent holds, and when each was taken. */
export const showSlots = (agent: string): Command =>
  redis("ZRANGE", `agent:slots:${agent}`, "0", "-1", "WITHSCORES");

/** Shows these rows of an agent. */
export const showRows = (agent: string, ids: readonly string[]): Command =>
  sql`SELECT id, status, triggered_by, started_at, completed_at FROM schedule_executions
WHERE agent_name = ${agent} AND id IN (${ids})`;

/** Shows the rows of an agent that are live. */
export const showLiveRows = (agent: string): Command =>
  sql`SELECT id, status, triggered_by, started_at FROM schedule_executions
WHERE agent_name = ${agent} AND status IN ('queued', 'running') ORDER BY started_at`;

/** Asks the agent what it works on. */
export const askAgent = (agent: string): Command =>
  noted(
    "what the agent works on, an agent that can not be reached gives an empty list too",
    api("GET", ["agents", agent, "executions", "running"]),
  );

/** Shows the processes of the agent's container. */
export const showProcesses = (agent: string): Command => docker("top", containerOf(agent));

/** Gives the slot back, as the platform does: the member, then its hash. */
export const releaseSlot = (agent: string, id: string): readonly Command[] => [
  redis("ZREM", `agent:slots:${agent}`, id),
  redis("DEL", `agent:slot:${agent}:${id}`),
];

/** Gives back the slot of a row that the command before has changed. */
export const releaseSlotOfRow = (agent: string, id: string): readonly Command[] => {
  const [first, ...others] = releaseSlot(agent, id);
  return [noted("the next two lines only where a row was printed", first!), ...others];
};

/**
 * Fails a row, and prints it. Prints nothing where the row has moved on.
 * @param from the status that it has to have still
 */
export const failRow = (agent: string, id: string, from: "queued" | "running"): Command =>
  sql`UPDATE schedule_executions SET status = 'failed', completed_at = ${NOW}, error = 'failed by an operator'
WHERE id = ${id} AND agent_name = ${agent} AND status = ${from} RETURNING id, status`;

/** Fails a running row that has not been started again since. Prints it, or nothing where it has moved on. */
export const failRun = (agent: string, id: string, startedAt: string | null): Command =>
  startedAt === null
    ? failRow(agent, id, "running")
    : sql`UPDATE schedule_executions SET status = 'failed', completed_at = ${NOW}, error = 'failed by an operator'
WHERE id = ${id} AND agent_name = ${agent} AND status = 'running' AND started_at = ${startedAt} RETURNING id, status`;

/** Has the canary look at its own settings and sources. */
export const DOCTOR = ["npm", "run", "-s", "canary", "--", "doctor"] as const;

/** The containers of the platform itself: each installation names them. */
export const BACKEND = { variable: "TRINITY_BACKEND" } as const;
export const SCHEDULER = { variable: "TRINITY_SCHEDULER" } as const;

/** The daemon that Docker's command line asks by itself. */
export const LOCAL_DAEMON = "unix:///var/run/docker.sock";

/** The option for a daemon, where it is another. */
export const onDaemon = (host: string): readonly string[] => (host === LOCAL_DAEMON ? [] : ["-H", host]);

/** The executions of a sample: `agent/id` each. */
export const samplesOf = (sample: readonly string[]): readonly { agent: string; id: string }[] =>
  sample.slice(0, 3).map((name) => {
    const slash = name.indexOf("/");
    return { agent: name.slice(0, slash), id: name.slice(slash + 1) };
  });

/** Shows the newest rows of an execution's agent, and the execution's own. */
export const newestOfAgent = ({ agent, id }: { agent: string; id: string }): readonly Command[] => [
  sql`SELECT id, status, started_at FROM schedule_executions WHERE agent_name = ${agent} ORDER BY started_at DESC LIMIT 5`,
  showRows(agent, [id]),
];

/** Shows the queue of an agent and the sweeps that drain it. */
export const verifySweep = (agent: string): readonly Command[] => [
  noted("unix seconds of the last good sweep, and now", redis("GET", "canary:drain_tick_at")),
  shell("date", "+%s"),
  showSlots(agent),
  showLiveRows(agent),
  docker("logs", "--since", "30m", "--tail", "100", BACKEND),
];

/** Shows the queue of an agent and the workers that claim from it. */
export const verifyPool = (agent: string): readonly Command[] => [
  noted(
    "unix seconds of the last time a worker asked for work, and now",
    redis("GET", `agent:pull_poll:${agent}`),
  ),
  shell("date", "+%s"),
  showLiveRows(agent),
  docker("ps", "--all", "--filter", `name=${containerOf(agent)}`),
  docker("exec", containerOf(agent), "printenv", "TRINITY_PULL_MODE", "TRINITY_MAX_PARALLEL_TASKS"),
  docker("logs", "--since", "30m", "--tail", "100", containerOf(agent)),
];

/** What no command does: a container keeps the environment that it was made with. */
export const RECREATE = remark(
  "no command: recreate the container from the platform, a restart keeps it without TRINITY_PULL_MODE",
);
