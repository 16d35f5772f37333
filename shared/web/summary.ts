/** The current state of every invariant, for pages, badge and metrics. It is read in one request. */
import { describeBlindness } from "../alerts/blind.ts";
import { isInForce, isSilenced, type Silence } from "../alerts/silence.ts";
import type { RedSubject } from "../alerts/state.ts";
import type { InvariantStatus } from "../wire/schemas/status.ts";
import { describeStatus, isFresh } from "./describe-status.ts";
import type { CanaryView } from "./view.ts";

/** The states that an operator sees, the most urgent first. */
export const SHOWN_STATES = ["red", "unknown", "silenced", "green", "off"] as const;
export type ShownState = (typeof SHOWN_STATES)[number];

export interface InvariantSummary extends InvariantStatus {
  /** "silenced" means red or unknown, with every notification held back by silences. */
  readonly shown: ShownState;
  /** Why it is not run; null where it is, or where that is not known. */
  readonly offReason: string | null;
  readonly red: Readonly<Record<string, RedSubject>>;
  /** Includes subjects that the memory only counts. */
  readonly redCount: number;
  /** In force, for the invariant or one subject. */
  readonly silences: readonly Silence[];
}

export type Summary = Awaited<ReturnType<typeof readSummary>>;

function shownAs(
  { status, red_subjects }: InvariantStatus,
  redCount: number,
  silenced: (subject: string | null) => boolean,
): ShownState {
  if (status !== "red" && status !== "unknown") return status;
  const isAllSilenced =
    status === "red" && redCount === red_subjects.length && redCount > 0 && red_subjects.every(silenced);
  return silenced(null) || isAllSilenced ? "silenced" : status;
}

/** Reads the memory once and summarizes it. */
export async function readSummary({ store, checks, environment, now }: CanaryView) {
  const nowMs = now();
  const { memory, silences } = await store.lease.read();
  const status = describeStatus(checks, memory, silences, nowMs);
  return {
    environment,
    nowMs,
    memory,
    status,
    /** What can't be judged or read, and why; null where nothing is blind. */
    blind: describeBlindness(memory, {
      invariants: checks.all.flatMap(({ id }) => (checks.off.has(id) ? [] : [id])),
      nowMs,
    }),
    /** Null before the first full cycle. */
    checkedAtMs: memory.lastFullCycle?.atMs ?? null,
    isFresh: isFresh(memory.lastFullCycle?.atMs ?? null, nowMs),
    /** In the registry's order. */
    invariants: status.invariants.map((invariant): InvariantSummary => {
      const state = invariant.status === "off" ? undefined : memory.states[invariant.id];
      const redCount = invariant.red_subjects.length + (state?.redBesides ?? 0);
      const silenced = (subject: string | null) => isSilenced(silences, invariant.id, subject, nowMs);
      return {
        ...invariant,
        shown: shownAs(invariant, redCount, silenced),
        offReason: status.checks_off_reasons?.[invariant.id] ?? null,
        red: state?.red ?? {},
        redCount,
        silences: silences.filter((s) => s.invariantId === invariant.id && isInForce(s, nowMs)),
      };
    }),
    /** Undelivered alerts, oldest first. */
    pending: memory.outbox.map(({ alert, createdAtMs, channels }) => ({
      title: alert.invariantId === null ? alert.title : `${alert.invariantId} ${alert.title}: ${alert.kind}`,
      sinceMs: createdAtMs,
      channels: Object.keys(channels),
    })),
  };
}

export type HealthState = ShownState | "stale";

/** The canary's state in a few words, for headings, tabs and the badge. */
export interface SummaryHealth {
  readonly state: HealthState;
  /** `2 red, 1 unknown` */
  readonly text: string;
}

export function healthOf({ invariants, checkedAtMs, isFresh }: Summary): SummaryHealth {
  const count = (shown: ShownState) => invariants.filter((i) => i.shown === shown).length;
  if (checkedAtMs === null) return { state: "unknown", text: "never checked" };
  const urgent = (["red", "unknown", "silenced"] as const).filter((shown) => count(shown) > 0);
  const rest = count("green") > 0 ? "green" : "off";
  const counts = (states: readonly ShownState[]) =>
    states.map((shown) => `${count(shown)} ${shown}`).join(", ");
  const isMixed = rest === "green" && count("off") > 0;
  const named = urgent.length > 0 ? counts(urgent) : isMixed ? counts(["green", "off"]) : rest;
  return isFresh
    ? { state: urgent[0] ?? rest, text: named }
    : { state: urgent[0] === "red" ? "red" : "stale", text: `stale, ${named}` };
}
