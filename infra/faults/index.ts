/** The registry of faults. An invariant without one is a type error. */
import { INVARIANT_IDS, type InvariantId } from "../../shared/invariants/index.ts";
import { wrongQueueCount } from "./b-01-wrong-queue-count.ts";
import { hangingSweep } from "./b-02-hanging-sweep.ts";
import { unclaimedQueue } from "./b-02-unclaimed-queue.ts";
import { workersMissing } from "./b-08-workers-missing.ts";
import { endlessRun } from "./e-01-endless-run.ts";
import { runComesBack } from "./e-02-run-comes-back.ts";
import { runWithoutAnEnd } from "./e-03-run-without-an-end.ts";
import { queuedWithoutTask } from "./e-04-queued-without-task.ts";
import { runWithoutSession } from "./e-05-run-without-session.ts";
import { overdueSchedule } from "./e-06-overdue-schedule.ts";
import type { Fault } from "./fault.ts";
import { endBeforeStart } from "./g-03-end-before-start.ts";
import { credentialInQueue } from "./g-04-credential-in-queue.ts";
import { emptyRoster } from "./h-01-empty-roster.ts";
import { leftBehindDatabase } from "./h-02-left-behind-database.ts";
import { otherRedis } from "./h-03-other-redis.ts";
import { halfDeletedAgent } from "./l-03-half-deleted-agent.ts";
import { zombie } from "./r-01-zombie.ts";
import { leakedSlot, lostSlot } from "./s-01-slot-and-row.ts";
import { overbooking } from "./s-02-overbooking.ts";
import { shortLivedSlot, slotForEver, slotWithoutHash } from "./s-03-slot-life.ts";

/** By invariant; a drill makes the first. */
const BY_INVARIANT: Readonly<Record<InvariantId, readonly [Fault, ...Fault[]]>> = {
  "H-01": [emptyRoster],
  "H-02": [leftBehindDatabase],
  "H-03": [otherRedis],
  "S-01": [leakedSlot, lostSlot],
  "S-02": [overbooking],
  "S-03": [shortLivedSlot, slotForEver, slotWithoutHash],
  "E-01": [endlessRun],
  "E-02": [runComesBack],
  "E-03": [runWithoutAnEnd],
  "E-04": [queuedWithoutTask],
  "E-05": [runWithoutSession],
  "E-06": [overdueSchedule],
  "L-03": [halfDeletedAgent],
  "B-01": [wrongQueueCount],
  "B-02": [hangingSweep, unclaimedQueue],
  "B-08": [workersMissing],
  "G-03": [endBeforeStart],
  "G-04": [credentialInQueue],
  "R-01": [zombie],
};
const IN_ORDER = INVARIANT_IDS.map((id) => BY_INVARIANT[id]);

/** Every fault, in the order of the invariants. */
export const FAULTS: readonly Fault[] = IN_ORDER.flat();

/** Faults that a drill makes beside the first of their invariant: it has another arm, which would stay unproven. */
const ALSO_DRILLED: ReadonlySet<Fault> = new Set([unclaimedQueue]);

/** The faults that a drill makes, at least one of each invariant, in the order of the invariants. */
export const DRILLED: readonly Fault[] = IN_ORDER.flatMap(([first, ...others]) => [
  first,
  ...others.filter((fault) => ALSO_DRILLED.has(fault)),
]);
