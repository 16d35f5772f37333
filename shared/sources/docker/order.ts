/** The order in which the containers of a daemon are looked at: a ring, on which a read begins where the last one stopped. */
import { hash } from "node:crypto";
import type { UnfinishedDaemon } from "../../facts/facts.ts";

const DIGITS = 8;
const PLACES = 16 ** DIGITS;

/** A container's place on the ring. It does not depend on the containers beside it. */
export const placeOnRing = (containerId: string): number =>
  Number.parseInt(hash("sha256", containerId).slice(0, DIGITS), 16);

/** Any place on the ring, for a daemon of which nothing is remembered. */
export const anyPlace = (): number => Math.floor(Math.random() * PLACES);

/** A daemon's name in the memory, which is short. */
export const daemonKey = (host: string): string => hash("sha256", host).slice(0, 12);

/** Sorts by place, from this one on and around the ring. */
export function aroundRing<T>(items: readonly T[], idOf: (item: T) => string, from: number): T[] {
  const placed = items.map((item) => ({
    item,
    id: idOf(item),
    after: (placeOnRing(idOf(item)) - from + PLACES) % PLACES,
  }));
  placed.sort((a, b) => a.after - b.after || (a.id < b.id ? -1 : 1));
  return placed.map(({ item }) => item);
}

/**
 * Says where the next read goes on.
 * @param ordered the items in the order in which they were taken
 * @param left those of them that were not looked at in time
 * @returns the place of the first of these, and how many were looked at; null where all were
 */
export function whereToGoOn<T>(ordered: readonly T[], left: ReadonlySet<T>, idOf: (item: T) => string) {
  const first = ordered.find((item) => left.has(item));
  return first === undefined ? null : { from: placeOnRing(idOf(first)), looked: ordered.length - left.size };
}

/** The daemons that the last read left unfinished, in the order in which they are taken now. */
export function planOf(unfinished: readonly UnfinishedDaemon[] = []) {
  const places = new Map(unfinished.map(({ daemon, from }, rank) => [daemon, { from, rank }]));
  return (host: string): { readonly from: number; readonly rank: number } =>
    places.get(daemonKey(host)) ?? { from: anyPlace(), rank: places.size };
}
