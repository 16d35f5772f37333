/** Every fault, in the order of the invariants. A drill makes the first of each invariant. */
import { wrongQueueCount } from "./b-01-wrong-queue-count.ts";
import { hangingSweep } from "./b-02-hanging-sweep.ts";
import { endlessRun } from "./e-01-endless-run.ts";
import { runComesBack } from "./e-02-run-comes-back.ts";
import { runWithoutSession } from "./e-05-run-without-session.ts";
import type { Fault } from "./fault.ts";
import { halfDeletedAgent } from "./l-03-half-deleted-agent.ts";
import { zombie } from "./r-01-zombie.ts";
import { leakedSlot, lostSlot } from "./s-01-slot-and-row.ts";
import { overbooking } from "./s-02-overbooking.ts";
import { shortLivedSlot, slotForEver, slotWithoutHash } from "./s-03-slot-life.ts";

export const FAULTS: readonly Fault[] = [
  leakedSlot,
  lostSlot,
  overbooking,
  shortLivedSlot,
  slotForEver,
  slotWithoutHash,
  endlessRun,
  runComesBack,
  runWithoutSession,
  halfDeletedAgent,
  wrongQueueCount,
  hangingSweep,
  zombie,
];

/** The first fault of each invariant. */
export const DRILLED: readonly Fault[] = FAULTS.filter(
  ({ invariantId }, i) => FAULTS.findIndex((fault) => fault.invariantId === invariantId) === i,
);
