/** Whether what was read is the platform's at all. Pure. */
import { plural } from "../text.ts";
import { DAY_MS, HOUR_MS } from "../time.ts";
import { type FactName, isDrainSentinel, type Readings, type ReadingTime, type Slots } from "./facts.ts";

/** What is read from the platform's database. */
export const DATABASE_FACTS = [
  "roster",
  "executions",
  "sessions",
  "newestStart",
  "pendingRetries",
  "platformSettings",
  "ended",
  "endedWithoutTime",
  "endedBeforeStart",
  "backlogDefects",
  "credentialsInQueue",
  "schedules",
  "orphans",
  "queueCounts",
] as const satisfies readonly FactName[];

/** What is read from its Redis. */
export const REDIS_FACTS = [
  "slots",
  "drainTick",
  "pullPolls",
  "platformKeys",
] as const satisfies readonly FactName[];

const isInstant = (ms: number, latestMs: number): boolean => ms >= 0 && ms <= latestMs;

/** Whether the platform may have dated a slot with that instant (unix ms): no clock of it is further ahead. */
const isSlotsInstant = (ms: number, { toMs }: ReadingTime): boolean => isInstant(ms, toMs + HOUR_MS);

/** Whether the platform may have dated a row with that instant (unix ms). A writer may take its local time for UTC. */
export const isRowsInstant = (ms: number, { toMs }: ReadingTime): boolean => isInstant(ms, toMs + DAY_MS);

export interface HeldSlot {
  readonly agent: string;
  readonly id: string;
  /** When it was acquired, unix ms. */
  readonly atMs: number;
}

/** The slots that executions were given, each with when. */
export function slotsOfThePlatform({ byAgent }: Slots, time: ReadingTime): HeldSlot[] {
  const held: HeldSlot[] = [];
  for (const [agent, members] of byAgent)
    for (const { id, score } of members) {
      const atMs = score * 1000;
      if (!isDrainSentinel(id) && isSlotsInstant(atMs, time)) held.push({ agent, id, atMs });
    }
  return held;
}

/** When the newest of them was acquired, -Infinity where there is none. */
export const newestOfSlots = (slots: readonly HeldSlot[]): number =>
  slots.reduce((newest, { atMs }) => Math.max(newest, atMs), -Infinity);

/** A roster without agents, and what other sources say of that. */
export interface RosterDoubt {
  readonly reason: "roster_read_failed" | "roster_empty_contradicted" | "roster_empty_unverifiable";
  /** Docker lists containers of agents. */
  readonly isContradictedByDocker: boolean;
  /** The agents that Docker and Redis name, sorted. */
  readonly agents: readonly string[];
}

const agentsOfDocker = ({ containers }: Readings): readonly string[] | null =>
  containers?.read
    ? [...containers.value.running, ...containers.value.unseenContainers].map(({ agent }) => agent)
    : null;

/** A Redis without any key of the platform says nothing. */
const agentsOfRedis = ({ slots }: Readings): readonly string[] | null =>
  slots?.read && slots.insufficient === undefined
    ? [...slots.value.byAgent.keys(), ...slots.value.unread.keys(), ...slots.value.unseenAgents]
    : null;

/** Whether the roster is empty and only Redis could contradict it. Redis names no agent while no run is under way. */
export const isRosterUnproven = ({ roster, containers }: Readings): boolean =>
  roster?.read === true && roster.value.size === 0 && containers?.read !== true;

/**
 * Doubts a roster that has no agent, or can't be read.
 * @returns null where there is no reason to, or a text that says why that can't be told
 */
export function rosterDoubt(readings: Readings): RosterDoubt | string | null {
  const { roster } = readings;
  if (!roster) return "roster: not read";
  if (!roster.read && (roster.off || roster.notConfigured)) return roster.reason;
  if (roster.read && roster.value.size > 0) return roster.insufficient ?? null;
  // It has rows, whose names can't be read.
  if (roster.read && roster.unlisted !== undefined) return roster.unlisted;
  const [docker, redis] = [agentsOfDocker(readings), agentsOfRedis(readings)];
  const agents = [...new Set([...(docker ?? []), ...(redis ?? [])])].sort();
  const isContradictedByDocker = (docker?.length ?? 0) > 0;
  if (agents.length > 0)
    return {
      reason: roster.read ? "roster_empty_contradicted" : "roster_read_failed",
      isContradictedByDocker,
      agents,
    };
  if (docker === null && redis === null)
    return {
      reason: roster.read ? "roster_empty_unverifiable" : "roster_read_failed",
      isContradictedByDocker,
      agents,
    };
  return roster.read ? whyNotSure(readings) : roster.reason;
}

/** Says why agents may live although no source names one; null where that is sure, or a source is left out. */
function whyNotSure({ containers, slots }: Readings): string | null {
  for (const reading of [containers, slots])
    if (reading?.read === false && !reading.off) return reading.reason;
  if (!containers?.read) return null;
  const { unseenDaemons } = containers.value;
  if (unseenDaemons.length > 0)
    return `the containers of ${plural(unseenDaemons.length, "daemon")} were not listed`;
  return containers.unlisted ?? null;
}
