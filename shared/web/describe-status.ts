/** The state of every invariant, as the API and the pages show it. */
import { describeBlindness } from "../alerts/blind.ts";
import { isInForce, type Silence } from "../alerts/silence.ts";
import type { InvariantState } from "../alerts/state.ts";
import { backendOf, type Memory } from "../cycle/memory.ts";
import type { Checks } from "../invariants/checks.ts";
import { findInvariant } from "../invariants/index.ts";
import type { Invariant } from "../invariants/invariant.ts";
import { formatDuration, formatInstant, MINUTE_MS } from "../time.ts";
import type { SilenceBody } from "../wire/schemas/silences.ts";
import type { InvariantStatus, StatusBody } from "../wire/schemas/status.ts";

/** Three scheduled cycles: one may be late, and one may fail. */
const STALE_AFTER_MS = 15 * MINUTE_MS;

/** Clocks differ by a little. A cycle further in the future was made by one that is wrong, and proves nothing. */
const MOST_AHEAD_MS = MINUTE_MS;

/** Whether that instant is too far in the future to be one of a clock that is right. */
export const isAhead = (atMs: number, nowMs: number): boolean => atMs - nowMs >= MOST_AHEAD_MS;

/**
 * Whether the last full cycle is recent enough to rely on.
 * @param atMs when it began; null where there was none
 */
export const isFresh = (atMs: number | null, nowMs: number): boolean =>
  atMs !== null && nowMs - atMs < STALE_AFTER_MS && !isAhead(atMs, nowMs);

/**
 * Says how long ago that was; for a cycle of a clock that is ahead, in how long it will be.
 * @param atMs when the last full cycle began
 */
export const describeAge = (atMs: number, nowMs: number): string =>
  atMs > nowMs ? `${formatDuration(atMs - nowMs)} in the future` : `${formatDuration(nowMs - atMs)} ago`;

export const instantOrNull = (ms: number | null | undefined) => (ms == null ? null : formatInstant(ms));

/** Converts a silence to wire names. */
export const toSilence = (s: Silence): SilenceBody => ({
  id: s.id,
  invariant_id: s.invariantId,
  subject: s.subject,
  until: instantOrNull(s.untilMs),
  until_recovered: s.untilRecovered ?? false,
  reason: s.reason,
  by: s.by ?? "unknown",
  created_at: formatInstant(s.createdAtMs),
});

/** `12 checked`. Where nothing was looked at, whether there was nothing to look at, or it could not be seen. */
export function checkedWords(checked: number, status: string): string {
  if (checked > 0) return `${checked.toLocaleString("en")} checked`;
  return status === "green" ? "nothing to check" : "none checked";
}

/** The severity; where the environment gives another one than the invariant has, with that: `minor (critical by default)`. */
export function severityWords({ id, severity }: Pick<InvariantStatus, "id" | "severity">): string {
  const own = findInvariant(id)?.severity ?? severity;
  return own === severity ? severity : `${severity} (${own} by default)`;
}

function describeState(
  { id, title, tier, severity }: Invariant,
  remembered: InvariantState | undefined,
  isOff: boolean,
) {
  // A check that is off looks at nothing: its earlier red subjects are not shown.
  const state = isOff ? undefined : remembered;
  // A red that can't be checked stays red; a green that can't be checked is unknown.
  const status = state?.status !== "red" && state?.blindSinceMs != null ? "unknown" : state?.status;
  return {
    id,
    title,
    tier,
    severity,
    status: isOff ? ("off" as const) : (status ?? ("unknown" as const)),
    since: instantOrNull(status === "unknown" ? state?.blindSinceMs : state?.sinceMs),
    last_red_at: instantOrNull(remembered?.lastRedAtMs),
    red_subjects: Object.keys(state?.red ?? {}).sort(),
    blind_since: instantOrNull(state?.blindSinceMs),
    blind_reason: state?.blindReason ?? null,
    checked: state?.checked ?? null,
  };
}

/** The ids of the invariants that this environment runs. */
const runningIds = ({ all, off }: Checks): string[] => all.flatMap(({ id }) => (off.has(id) ? [] : [id]));

/**
 * Makes the body of `/api/canary/status`.
 * @param checks those of this environment: what it turns off is off at once, and not with the next cycle
 * @param silences may include ended ones
 */
export function describeStatus(
  checks: Checks,
  memory: Memory,
  silences: readonly Silence[],
  nowMs: number,
): StatusBody {
  const { states, lastFullCycle, outbox } = memory;
  const channels = lastFullCycle?.channels;
  const isOff = (id: string) => checks.off.has(id) || (lastFullCycle?.checksOff.includes(id) ?? false);
  return {
    checked_at: instantOrNull(lastFullCycle?.atMs),
    cycle_duration_ms: lastFullCycle?.durationMs ?? null,
    checks_off_reasons: { ...lastFullCycle?.checksOffReasons, ...Object.fromEntries(checks.off) },
    sources_unavailable: lastFullCycle?.sourcesUnavailable ?? [],
    blind: describeBlindness(memory, { invariants: runningIds(checks), nowMs })?.words ?? null,
    alerts: {
      status: channels?.length === 0 ? "no channel" : outbox.length > 0 ? "pending" : "delivered",
      channels: channels ?? [],
      pending: outbox.length,
    },
    silences: silences.filter((s) => isInForce(s, nowMs)).map(toSilence),
    database: backendOf(memory),
    source_latency_ms: { ...lastFullCycle?.latencyMsBySource },
    invariants: checks.all.map((i) => describeState(i, states[i.id], isOff(i.id))),
  };
}
