/** Every fault, in the order of the invariants. */

import { wrongQueueCount } from "./b-01-wrong-queue-count.ts";
import { hangingSweep } from "./b-02-hanging-sweep.ts";
import { endlessRun } from "./e-01-endless-run.ts";
import { runComesBack } from "./e-02-run-comes-back.ts";
import { runWithoutSession } from "./e-05-run-without-session.ts";
import type { Fault } from "./fault.ts";
import { halfDeletedAgent } from "./l-03-half-deleted-agent.ts";
import { zombie } from "./r-01-zombie.ts";
import { leakedSlot } from "./s-01-leaked-slot.ts";
import { overbooking } from "./s-02-overbooking.ts";
import { shortLivedSlot } from "./s-03-short-lived-slot.ts";

export const FAULTS: readonly Fault[] = [
  leakedSlot,
  overbooking,
  shortLivedSlot,
  endlessRun,
  runComesBack,
  runWithoutSession,
  halfDeletedAgent,
  wrongQueueCount,
  hangingSweep,
  zombie,
];
