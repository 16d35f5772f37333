/** kill -9, again and again, at random points within a cycle. Each time a new process takes over. */
import type { CanaryProcess, Way } from "./canary-process.ts";
import { begin, type Course, countedCycle, finish, hasRoom, passLease } from "./course.ts";
import type { Stage } from "./stage.ts";

/** Where in a cycle a kill lands. */
type Blow =
  /** At a part of the time that a cycle takes. */
  | { readonly at: "time"; readonly part: number }
  /** At a request of the cycle, to the table or to the webhook. */
  | { readonly at: "request"; readonly place: number; readonly side: "arrives" | "carried out" };

const drawBlow = ({ random }: Stage): Blow =>
  random.percent(50)
    ? { at: "time", part: random.fraction() }
    : { at: "request", place: random.whole(0, 7), side: random.one(["arrives", "carried out"] as const) };

/** Whole cycles that a process runs before it is killed. */
const WHOLE_CYCLES = [0, 0, 0, 1, 1, 2] as const;
const CHANGE_EVERY_MS = [200, 1_200] as const;

/** How long cycles took lately. The first one of a process compiles and connects, and takes longer. */
function stopwatch() {
  const lately = { first: [] as number[], later: [] as number[] };
  return {
    took(which: keyof typeof lately, ms: number) {
      lately[which].push(ms);
      if (lately[which].length > 21) lately[which].shift();
    },
    typical(which: keyof typeof lately) {
      const sorted = [...lately[which]].sort((a, b) => a - b);
      return sorted[Math.floor(sorted.length / 2)] ?? 100;
    },
  };
}

/** Arms the way so that the process is killed at a request. */
function armRequest({ webhook }: Stage, way: Way, blow: Extract<Blow, { at: "request" }>, kill: () => void) {
  let [place, isDead] = [0, false];
  const strike = () => {
    isDead = true;
    kill();
  };
  way.keeper.isStruck = (side) => {
    if (!isDead && side === blow.side && place++ >= blow.place) strike();
    return isDead;
  };
  webhook.onPost = () => {
    if (!isDead && place++ >= blow.place) strike();
  };
  return () => {
    way.keeper.isStruck = () => false;
    webhook.onPost = () => {};
  };
}

/** Runs one process until it is killed. Returns whether that was within a cycle. */
async function live(
  course: Course,
  way: Way,
  canary: CanaryProcess,
  watch: ReturnType<typeof stopwatch>,
): Promise<boolean> {
  const { stage, counts } = course;
  let which: "first" | "later" = "first";
  const cycle = async (onStart?: () => void) => {
    passLease(stage, canary);
    const from = performance.now();
    const { outcome } = await countedCycle(course, canary, onStart);
    if (outcome === "done") watch.took(which, performance.now() - from);
    which = "later";
    return outcome;
  };
  for (let n = stage.random.one(WHOLE_CYCLES); n > 0; n -= 1) await cycle();
  const blow = drawBlow(stage);
  counts.kills += 1;
  if (blow.at === "time") {
    let timer: NodeJS.Timeout | undefined;
    const outcome = await cycle(() => {
      timer = setTimeout(canary.kill, blow.part * watch.typical(which));
    });
    clearTimeout(timer);
    return outcome === "killed";
  }
  const disarm = armRequest(stage, way, blow, canary.kill);
  try {
    // A cycle may have fewer requests than that: then it is one of the next.
    while ((await cycle()) !== "killed");
    return true;
  } finally {
    disarm();
  }
}

/** @returns what did not hold at the end */
export async function runKills(course: Course, kills: number): Promise<string[]> {
  const { stage, counts, signal } = course;
  const way = await stage.way("canary");
  const first = stage.start(way);
  await begin(course, first);
  await first.close();
  const over = new AbortController();
  const changing = stage.platform
    .change(CHANGE_EVERY_MS, AbortSignal.any([over.signal, signal]), () => hasRoom(stage))
    .catch((error) => {
      over.abort(error);
      throw error;
    });
  // It is awaited below.
  changing.catch(() => {});
  const watch = stopwatch();
  try {
    while (counts.kills < kills) {
      over.signal.throwIfAborted();
      const canary = stage.start(way);
      if (await live(course, way, canary, watch)) counts.within += 1;
      await canary.close();
      await stage.table.look();
      course.progress(() => `${counts.kills} of ${kills} kills, ${counts.within} within a cycle`);
    }
  } finally {
    over.abort();
    await changing;
  }
  return finish(course, stage.start(way));
}
