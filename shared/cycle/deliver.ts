/** Delivering the outbox at the end of a cycle, within the time that is left. */
import { deliver } from "../alerts/outbox.ts";
import type { Canary } from "../canary.ts";
import type { Lease } from "../store/lease.ts";
import { releaseLease, underLease } from "./lease.ts";
import { memorySizes } from "./memory.ts";
import type { AlertsOutcome, CycleRequest } from "./outcome.ts";
import { stateLine } from "./state-line.ts";

const DELIVERY_MS = 12_000;
/** What delivery leaves of the caller's time, for the last write and the answer. */
export const LAST_WRITE_MS = 2_000;

/**
 * Sends what waits, then marks what was taken and gives the lease back. Where the marking fails, what was taken is sent
 * again by the next cycle, under the same key: an alert is delivered at least once.
 */
export async function deliverOutbox(
  canary: Canary,
  lease: Lease,
  request: CycleRequest,
): Promise<AlertsOutcome> {
  const { store, now, alerts, redact, recollections } = canary;
  const timeLeftMs = Math.min(DELIVERY_MS, (request.timeLeftMs?.() ?? Infinity) - LAST_WRITE_MS);
  const { outbox, delivered, dropped, failures } = await deliver(
    lease.memory.outbox,
    alerts.senders,
    now,
    Math.min(now() + timeLeftMs, lease.untilMs - LAST_WRITE_MS),
  );
  const memory = { ...lease.memory, outbox };
  const last = { release: true, nowMs: now() };
  const markingError = await underLease(canary, lease, () =>
    store.lease.commit(lease, memorySizes(memory, recollections), last),
  ).then(
    () => null,
    async (error) => {
      await releaseLease(canary, lease.owner, LAST_WRITE_MS);
      return stateLine(canary, error, "delivered alerts could not be marked: ");
    },
  );
  return {
    delivered,
    pending: markingError === null ? outbox.length : lease.memory.outbox.length,
    failures: [...failures, ...(markingError === null ? [] : [markingError])].map(redact),
    // What could not be marked is given up by the next cycle, and counted then.
    dropped: (markingError === null ? dropped : []).map(({ alert, channel }) => ({
      key: alert.key,
      channel,
    })),
  };
}
