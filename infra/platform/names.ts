/**
 * Tables, keys and settings of the watched platform, said once for everything in infra/. The canary (shared/) says them
 * for itself: a mistake in one of the two shows as a red.
 */

export const ROSTER = "agent_ownership";
export const EXECUTIONS = "schedule_executions";

/** The sorted set of an agent's slots: a member for each execution, its score the unix seconds of its acquisition. */
export const slotsKey = (agent: string): string => `agent:slots:${agent}`;
/** The hash of one slot. */
export const slotKey = (agent: string, executionId: string): string => `agent:slot:${agent}:${executionId}`;
/** Unix seconds of the end of the last good sweep. */
export const DRAIN_TICK_KEY = "canary:drain_tick_at";
/** The member that holds a slot while a drain claims a queued row. */
export const SENTINEL_PREFIX = "drain-";

/** How much longer than its timeout a slot lives. */
export const SLOT_TTL_BUFFER_SECONDS = 300;
export const DEFAULT_MAX_PARALLEL_TASKS = 3;
/** What a new roster row has. */
export const ROSTER_TIMEOUT_SECONDS = 3600;
/** What the capacity manager uses where the roster says nothing. */
export const FALLBACK_TIMEOUT_SECONDS = 900;

/** The container of an agent, and the label that all of them have. */
export const containerName = (agent: string): string => `agent-${agent}`;
export const AGENT_LABEL = { name: "trinity.platform", value: "agent" } as const;
