/** One agent that a fault works on. All writes of faults go through it. */
import { type NewRun, rosterOf, runsOf, type SeenRun } from "./rows.ts";
import { schedulesOf } from "./schedules.ts";
import { type NewSlot, signalsOf, slotsOf } from "./slots.ts";
import { type Limits, present, type Target } from "./target.ts";

export interface TestAgent {
  readonly name: string;
  readonly target: Target;
  readonly limits: Limits;
  /** The life of a slot with the agent's own timeout. */
  readonly slotLifeSeconds: number;
  /** The executions that the fault has made. */
  readonly ids: ReadonlySet<string>;
  readonly hasContainer: boolean;
  /** A second agent, for a fault that needs two. It is made when it is first asked for. */
  readonly twin: TestAgent;
  readonly hasTwin: boolean;
  /** Whether the fault has made a schedule of the agent. */
  readonly hasSchedule: boolean;
  /** The id of the fault's nth run. */
  id(n: number): string;
  /** Writes a row: a running one with a session, ten seconds old, by default. */
  addRun(id: string, run?: NewRun): Promise<void>;
  /** Turns a row into a running one that has just started. */
  restartRun(id: string): Promise<void>;
  /** Writes for every run of the fault that has ended that it ended now. */
  correctEnds(): Promise<void>;
  /** Counts the queued runs of the fault whose backlog_metadata holds that. */
  backlogs(holds: "nothing" | "a credential"): Promise<number>;
  /** Gives the agent an enabled schedule, due so many seconds ago. */
  addSchedule(id: string, overdueSeconds: number): Promise<void>;
  /** Reads how many seconds ago each schedule of the fault was due. */
  overdueSeconds(): Promise<number[]>;
  /** Deletes the schedules of the fault. Can be repeated. */
  removeSchedules(): Promise<void>;
  /** Gives a run its slot in the platform's way, acquired ten seconds ago by default. */
  addSlot(id: string, slot?: NewSlot): Promise<void>;
  /** Reads which of the fault's executions hold a slot of the agent, sorted. */
  slots(): Promise<string[]>;
  /** Reads the TTL of a slot's hash in Redis' terms: -1 never expires, -2 no hash. */
  slotTtlSeconds(id: string): Promise<number>;
  /** Reads the rows that the fault made. */
  runs(): Promise<SeenRun[]>;
  /** Makes the queue accessor give that count for the agent; null: the true one again. */
  setCachedCount(count: number | null): Promise<void>;
  setDrainTick(ageSeconds: number): Promise<void>;
  drainTickAgeSeconds(): Promise<number>;
  /** Writes when a pull worker of the agent last asked for work; null: none ever did. */
  setPoll(ageSeconds: number | null): Promise<void>;
  polls(): Promise<boolean>;
  /** Starts a container of the agent, with these variables in its environment. */
  startContainer(environment?: Readonly<Record<string, string>>): Promise<void>;
  isListed(): Promise<boolean>;
  /** Puts the agent on the roster, with its limits. */
  enlist(): Promise<void>;
  /** Takes an agent off the roster that has nothing but ended runs. */
  unlist(): Promise<void>;
  /** Deletes the agent's row on the roster and nothing else. */
  delist(): Promise<void>;
  /** Ends every run that the fault made and gives its slots back. Can be repeated. */
  settle(): Promise<void>;
}

/**
 * Works on one agent of the target, which need not be there yet.
 * @param runPrefix the prefix of the ids of the fault's runs; no other run of the agent may have it
 */
export function testAgent(
  target: Target,
  { name, limits, runPrefix }: { readonly name: string; readonly limits: Limits; readonly runPrefix: string },
): TestAgent {
  const ids = new Set<string>();
  let hasContainer = false;
  let twin: TestAgent | null = null;
  const { endRuns, ...runs } = runsOf(target, name, ids);
  const { scheduleIds, ...schedules } = schedulesOf(target, name);
  const { giveBackSlots, ...slots } = slotsOf(target, name, limits, ids);
  return {
    name,
    target,
    limits,
    ids,
    ...rosterOf(target, name, limits),
    ...runs,
    ...schedules,
    ...slots,
    ...signalsOf(target, name),
    get hasContainer() {
      return hasContainer;
    },
    get twin() {
      twin ??= testAgent(target, { name: `${name}-twin`, limits, runPrefix: `${runPrefix}twin-` });
      return twin;
    },
    get hasTwin() {
      return twin !== null;
    },
    get hasSchedule() {
      return scheduleIds.size > 0;
    },
    id: (n) => `${runPrefix}${n}`,
    async startContainer(environment) {
      hasContainer = true;
      await present(target.docker).containers.create(name, environment);
    },
    // Rows before slots, as the platform does: otherwise a drain could put a queued row into a slot that is free now.
    async settle() {
      await endRuns();
      await giveBackSlots();
    },
  };
}
