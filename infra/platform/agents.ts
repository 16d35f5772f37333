/** Creates, changes and removes agents, with every row, slot and container that belongs to them. */
import type { Background } from "./background.ts";
import type { Capacity } from "./capacity.ts";
import type { AgentContainers } from "./containers.ts";
import { messageOf, type PlatformContext } from "./context.ts";
import type { Statement } from "./database.ts";
import { markDeleted, removeRows } from "./deletion.ts";
import { scheduleIdOf } from "./executor.ts";
import type { PullWorkers } from "./pull-workers.ts";
import type { Schedules } from "./schedules.ts";
import { hasTable } from "./schema.ts";
import type { Task } from "./task.ts";

export interface AgentSpec {
  readonly name: string;
  readonly maxParallelTasks: number;
  readonly executionTimeoutSeconds: number;
  /** Its schedule: a cron expression (UTC), the message, and the schedule's own timeout and model. */
  readonly schedule?: {
    readonly cron: string;
    readonly message?: string;
    readonly model?: string;
    readonly timeoutSeconds?: number;
  };
  /** The task of each run of its schedule. */
  readonly task?: Partial<Task>;
  /** Whether its runs are claimed by a pool of workers of its own, as many as its cap. */
  readonly isPull?: boolean;
}

export interface Agents {
  /**
   * @throws Error where an agent of that name exists, also as deleted, where the cron expression is wrong, or where the
   *   release has no pull agents
   */
  create(spec: AgentSpec): Promise<void>;
  /**
   * Cancels its live runs and removes its slots and its container. Newer releases mark it as deleted and keep its rows;
   * older ones remove them. Gives false where there is no such agent.
   */
  remove(name: string): Promise<boolean>;
  /** Removes a deleted agent from the roster, with all its rows but the executions. Gives false where there is none. */
  purge(name: string): Promise<boolean>;
  /**
   * Changes the settings that the HTTP API can change. A capacity below the number of live runs leaves them running.
   * @throws RangeError for values that the API refuses, Error where there is no such agent
   */
  resize(name: string, to: { maxParallelTasks?: number; executionTimeoutSeconds?: number }): Promise<void>;
}

/** The rows of a new agent in the tables of its belongings, other than its schedule. */
const belongings = (name: string, hasReports: boolean): Statement[] => [
  { sql: "INSERT INTO agent_sharing (agent_name, shared_with) VALUES (?, 'operator')", args: [name] },
  { sql: "INSERT INTO chat_sessions (id, agent_name) VALUES (?, ?)", args: [`${name}-chat`, name] },
  { sql: "INSERT INTO agent_skills (agent_name, skill) VALUES (?, 'echo')", args: [name] },
  { sql: "INSERT INTO agent_tags (agent_name, tag) VALUES (?, 'fleet'), (?, 'echo')", args: [name, name] },
  { sql: "INSERT INTO agent_shared_files (id, agent_name) VALUES (?, ?)", args: [`${name}-file`, name] },
  { sql: "INSERT INTO agent_public_links (id, agent_name) VALUES (?, ?)", args: [`${name}-link`, name] },
  ...(hasReports
    ? [{ sql: "INSERT INTO agent_reports (id, agent_name) VALUES (?, ?)", args: [`${name}-report`, name] }]
    : []),
  { sql: "INSERT INTO operator_queue (id, agent_name) VALUES (?, ?)", args: [`${name}-question`, name] },
  { sql: "INSERT INTO access_requests (id, agent_name) VALUES (?, ?)", args: [`${name}-request`, name] },
  {
    sql: "INSERT INTO mcp_api_keys (id, agent_name, scope) VALUES (?, ?, 'agent')",
    args: [`${name}-key`, name],
  },
];

/** The variables of a pull agent's container. */
const pullEnvironment = (workers: number) => ({
  TRINITY_PULL_MODE: "true",
  TRINITY_MAX_PARALLEL_TASKS: String(workers),
});

/** The limits of the HTTP API. */
const LIMITS = {
  maxParallelTasks: { column: "max_parallel_tasks", range: [1, 10] },
  executionTimeoutSeconds: { column: "execution_timeout_seconds", range: [60, 7200] },
} as const;

interface Parts {
  readonly capacity: Capacity;
  readonly background: Background;
  readonly schedules: Schedules;
  readonly pullWorkers: PullWorkers;
  /** null where agents have no containers. */
  readonly containers: AgentContainers | null;
}

/** Writes all rows of a new agent. @throws Error where an agent of that name exists */
async function insertAgent({ database, traits }: PlatformContext, spec: AgentSpec): Promise<void> {
  const { name, maxParallelTasks, executionTimeoutSeconds, schedule } = spec;
  const isTaken =
    (await database.read("SELECT 1 FROM agent_ownership WHERE agent_name = ?", [name])).length > 0;
  if (isTaken) throw new Error(`there is an agent ${name} already: remove it, or choose another name`);
  await database.write(
    [
      {
        sql: "INSERT INTO agent_ownership (agent_name, max_parallel_tasks, execution_timeout_seconds) VALUES (?, ?, ?)",
        args: [name, maxParallelTasks, executionTimeoutSeconds],
      },
      {
        sql: `INSERT INTO agent_schedules (id, agent_name, name, cron_expression, message, enabled, model, timeout_seconds)
              VALUES (?, ?, 'default', ?, ?, ?, ?, ?)`,
        args: [
          scheduleIdOf(name),
          name,
          schedule?.cron ?? null,
          schedule?.message ?? "echo",
          schedule ? 1 : 0,
          schedule?.model ?? null,
          schedule?.timeoutSeconds ?? null,
        ],
      },
      ...belongings(name, hasTable(traits.release, "agent_reports")),
    ],
    () => [{ what: "agent", agent: name, maxParallelTasks, executionTimeoutSeconds }],
  );
}

/** Changes an agent's row on the roster. @throws as `resize` does */
async function updateAgent(
  { database }: PlatformContext,
  name: string,
  to: Parameters<Agents["resize"]>[1],
): Promise<void> {
  const wishes = Object.entries(LIMITS).flatMap(([key, { column, range }]) => {
    const value = to[key as keyof typeof LIMITS];
    return value === undefined ? [] : [{ column, value, range }];
  });
  for (const { column, value, range } of wishes)
    if (!Number.isInteger(value) || value < range[0] || value > range[1])
      throw new RangeError(`${column} is ${value}: give a whole number from ${range[0]} to ${range[1]}`);
  if (wishes.length === 0) return;
  const [answer] = await database.write(
    [
      {
        sql: `UPDATE agent_ownership SET ${wishes.map(({ column }) => `${column} = ?`).join(", ")} WHERE agent_name = ?
              RETURNING max_parallel_tasks, execution_timeout_seconds`,
        args: [...wishes.map(({ value }) => value), name],
      },
    ],
    ([own]) =>
      own!.rows.map((row) => ({
        what: "agent",
        agent: name,
        maxParallelTasks: Number(row.max_parallel_tasks),
        executionTimeoutSeconds: Number(row.execution_timeout_seconds),
      })),
  );
  if (answer!.rows.length === 0) throw new Error(`there is no agent ${name}: see the roster for the names`);
}

export function createAgents(
  context: PlatformContext,
  { capacity, background, schedules, pullWorkers, containers }: Parts,
): Agents {
  const { traits, database } = context;

  /** Ends what runs of the agent, with the rows of `end`. */
  async function remove(name: string, end: typeof removeRows): Promise<boolean> {
    schedules.stop(name);
    pullWorkers.stop(name);
    const { cancelled, wasThere } = await end(context, name);
    background.interrupt(cancelled);
    await capacity.removeSlots(name);
    await containers?.remove(name);
    return wasThere;
  }
  return {
    async create(spec) {
      const { name, maxParallelTasks, schedule, task = {}, isPull = false } = spec;
      const cron = schedule && schedules.parse(schedule.cron);
      if (isPull && !traits.hasPullAgents)
        throw new Error(`the release ${traits.release} has no pull agents: use the release today`);
      await insertAgent(context, spec);
      try {
        await containers?.create(name, isPull ? pullEnvironment(maxParallelTasks) : {});
      } catch (error) {
        // Nothing is to be left of it, not even as deleted.
        await remove(name, removeRows).catch((failure) =>
          context.log(`agent ${name}: ${messageOf(failure)}`),
        );
        throw error;
      }
      if (isPull) pullWorkers.start(name, maxParallelTasks);
      if (cron) schedules.start(name, cron, task);
    },
    remove: (name) => remove(name, traits.deletesSoftly ? markDeleted : removeRows),
    async purge(name) {
      if (!traits.deletesSoftly) return false;
      const deleted = await database.read(
        "SELECT 1 FROM agent_ownership WHERE agent_name = ? AND deleted_at IS NOT NULL",
        [name],
      );
      return deleted.length > 0 && (await removeRows(context, name)).wasThere;
    },
    resize: (name, to) => updateAgent(context, name, to),
  };
}
