/**
 * Tables, keys and settings of the watched platform, for everything in infra/. The canary (shared/) has its own copy: a
 * mistake in one of the two shows as a red.
 */

export const ROSTER = "agent_ownership";
export const EXECUTIONS = "schedule_executions";
export const SETTINGS = "system_settings";
/** The setting that holds the ceiling of the fleet. */
export const CEILING_SETTING = "max_parallel_tasks_ceiling";
/** The ceiling of the fleet where that setting is missing. */
export const DEFAULT_CEILING = 10;

/** The sorted set of an agent's slots: a member for each execution, its score the unix seconds of its acquisition. */
export const slotsKey = (agent: string): string => `agent:slots:${agent}`;
/** The hash of one slot. */
export const slotKey = (agent: string, executionId: string): string => `agent:slot:${agent}:${executionId}`;
/** Unix seconds of the end of the last good sweep. */
export const DRAIN_TICK_KEY = "canary:drain_tick_at";
/** The list of an agent's chat turns that go on without a slot. */
export const chatQueueKey = (agent: string): string => `agent:queue:${agent}`;
/** Unix seconds of the last time at which a pull worker of the agent asked for work. */
export const pullPollKey = (agent: string): string => `agent:pull_poll:${agent}`;
export const PULL_POLL_TTL_SECONDS = 86_400;
/** The member that holds a slot while a drain claims a queued row. */
export const SENTINEL_PREFIX = "drain-";

/** How much longer than its timeout a slot lives. */
export const SLOT_TTL_BUFFER_SECONDS = 300;
export const DEFAULT_MAX_PARALLEL_TASKS = 3;
/** The timeout of a new roster row. */
export const ROSTER_TIMEOUT_SECONDS = 3600;
/** The capacity manager's timeout where the roster has none. */
export const FALLBACK_TIMEOUT_SECONDS = 3600;

/** The name of an agent's container, and the label of all of them. */
export const containerName = (agent: string): string => `agent-${agent}`;
export const AGENT_LABEL = { name: "trinity.platform", value: "agent" } as const;
