/** What is red, unknown and green, as the API tells it and the page shows it. */
import type { Senders } from "../alerts/channels/channels.ts";
import type { Silence } from "../alerts/silence.ts";
import type { InvariantState, Memory } from "../cycle/memory.ts";
import { INVARIANTS } from "../invariants/index.ts";
import type { Invariant } from "../invariants/invariant.ts";
import { formatInstant } from "../time.ts";
import type { StatusBody } from "../wire/schemas.ts";
import { toSilence } from "./silencing.ts";

/** Three scheduled cycles: one may be late, and one may fail. */
const FRESH_MS = 15 * 60_000;

/** @returns whether the last full cycle is young enough to be believed */
export const isFresh = (lastFullCycle: { readonly atMs: number } | null, nowMs: number): boolean =>
  lastFullCycle !== null && nowMs - lastFullCycle.atMs < FRESH_MS;

/** @returns the instant as the API writes it, null where there is none */
export const instantOrNull = (ms: number | null | undefined) => (ms == null ? null : formatInstant(ms));

function describeState(
  { id, title, tier, severity }: Invariant,
  state: InvariantState | undefined,
  off: boolean,
) {
  // What was red when the check was turned off is not red now: nobody looks.
  if (off)
    return {
      ...{ id, title, tier, severity, status: "off" as const, since: null },
      last_red_at: instantOrNull(state?.lastRedAtMs),
      ...{ red_subjects: [], blind_since: null, blind_reason: null },
    };
  // A red that can't be seen stays red; a green that can't be seen is not green.
  const seen = state?.status === "red" || state?.blindSinceMs == null ? state?.status : "unknown";
  return {
    id,
    title,
    tier,
    severity,
    status: seen ?? ("unknown" as const),
    since: instantOrNull(seen === "unknown" ? state?.blindSinceMs : state?.sinceMs),
    last_red_at: instantOrNull(state?.lastRedAtMs),
    red_subjects: Object.keys(state?.red ?? {}).sort(),
    blind_since: instantOrNull(state?.blindSinceMs),
    blind_reason: state?.blindReason ?? null,
  };
}

/**
 * @param silences those that ended among them
 * @returns the body of `/api/canary/status`
 */
export function describeStatus(
  { states, lastFullCycle, outbox }: Memory,
  silences: readonly Silence[],
  senders: Senders,
  nowMs: number,
): StatusBody {
  const channels = Object.keys(senders).sort();
  return {
    checked_at: instantOrNull(lastFullCycle?.atMs),
    cycle_duration_ms: lastFullCycle?.durationMs ?? null,
    sources_unavailable: [...(lastFullCycle?.sourcesUnavailable ?? [])],
    alerts: {
      status: channels.length === 0 ? "no channel" : outbox.length > 0 ? "pending" : "delivered",
      channels,
      pending: outbox.length,
    },
    silences: silences.filter((s) => s.untilMs > nowMs).map(toSilence),
    source_latency_ms: { ...lastFullCycle?.latencyMsBySource },
    invariants: INVARIANTS.map((i) =>
      describeState(i, states[i.id], lastFullCycle?.checksOff.includes(i.id) ?? false),
    ),
  };
}
