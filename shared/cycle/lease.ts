/** Taking the lease at the start of a cycle, and what may be done under it. */
import { randomUUID } from "node:crypto";
import type { Canary } from "../canary.ts";
import { withDeadline } from "../deadline.ts";
import type { Lease } from "../store/lease.ts";
import type { CycleSettings } from "./outcome.ts";
import { stateLine } from "./state-line.ts";
import { timed } from "./timed.ts";

/** Time for the writes at the end of a cycle, beyond its deadlines. */
const LEASE_MARGIN_MS = 30_000;

/** How long one cycle may hold the lease: three reads, the wait between them, and the writes. In ms. */
export const leaseMs = ({ sourceDeadlineMs, confirmAfterMs }: CycleSettings): number =>
  3 * sourceDeadlineMs + confirmAfterMs + LEASE_MARGIN_MS;

export type Taken =
  | { readonly kind: "held"; readonly lease: Lease }
  | { readonly kind: "busy"; readonly untilMs: number }
  /** The state can't be read. The lease may have been taken although its answer was lost: `giveBack` undoes that. */
  | { readonly kind: "unreadable"; readonly reason: string; giveBack(): Promise<void> };

/** Takes the lease. Throws nothing: a store that fails is an outcome. */
export async function takeLease(canary: Canary, nowMs: number): Promise<Taken> {
  const owner = randomUUID();
  const { store, settings } = canary;
  try {
    const taken = await timed(canary, "lease", () =>
      withDeadline(settings.sourceDeadlineMs, () => store.lease.acquire(owner, nowMs, leaseMs(settings))),
    );
    return "busyUntilMs" in taken
      ? { kind: "busy", untilMs: taken.busyUntilMs }
      : { kind: "held", lease: taken };
  } catch (error) {
    const reason = stateLine(canary, error);
    return { kind: "unreadable", reason, giveBack: () => releaseLease(canary, owner) };
  }
}

/** Gives the lease back without a commit. Where that fails the lease ends by itself. */
export async function releaseLease(
  { store, settings }: Canary,
  owner: string,
  deadlineMs = settings.sourceDeadlineMs,
): Promise<void> {
  await withDeadline(deadlineMs, () => store.lease.release(owner)).catch(() => {});
}

/** What is left of the lease, in ms. */
const leftMs = ({ now }: Canary, lease: Lease): number => Math.max(1, lease.untilMs - now());

/** Cuts the work at the end of the lease: what takes longer may not count any more. */
export const underLease = <T>(canary: Canary, lease: Lease, work: () => Promise<T>): Promise<T> =>
  withDeadline(leftMs(canary, lease), work);

/**
 * Cuts the work so early that enough of the lease is left for the commit.
 * @param mostMs cuts it earlier
 */
export const beforeCommit = <T>(
  canary: Canary,
  lease: Lease,
  work: (signal: AbortSignal) => Promise<T>,
  mostMs: number,
): Promise<T> => withDeadline(Math.min(mostMs, leftMs(canary, lease) / 2), work);
