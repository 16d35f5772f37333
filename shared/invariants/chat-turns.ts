/**
 * Chat turns. Their slot is acquired under an id of its own, and the row comes later under another id: nothing links the two
 * but the agent and the time. Where no slot is free, a turn goes on without one.
 */
import { type Execution, isDrainSentinel, type Slot } from "../facts/facts.ts";
import { admittedAtMs, isChatTurn } from "../facts/runs.ts";

/** How long before and after its slot the row of a turn may be made. */
const BEFORE_MS = 2_000;
const AFTER_MS = 10_000;
/** So many turns of an agent are listed at once as going on without a slot (its list `agent:queue`). */
const MAX_WITHOUT_SLOT = 3;
/** Pairs that are compared for one agent. No platform has so many turns at once. */
const MAX_PAIRS = 1_000_000;

const order = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);

/**
 * Pairs the slots of an agent that have no row with its running rows that have no slot: the closest in time first, each once.
 * @returns the slots and the rows that are left, and how many pairs there are
 */
export function withoutChatTurns(
  slots: readonly Slot[],
  rows: readonly Execution[],
): { readonly slots: readonly Slot[]; readonly rows: readonly Execution[]; readonly paired: number } {
  const acquired = slots.filter(({ id }) => !isDrainSentinel(id));
  const turns = rows.flatMap((row) => {
    const madeAtMs = isChatTurn(row) ? admittedAtMs(row) : null;
    return madeAtMs === null ? [] : [{ row, madeAtMs }];
  });
  const most = Math.floor(MAX_PAIRS / Math.max(1, acquired.length));
  const candidates = turns.slice(0, most).flatMap(({ row, madeAtMs }) =>
    acquired.flatMap((slot) => {
      const laterMs = madeAtMs - slot.score * 1000;
      return laterMs >= -BEFORE_MS && laterMs <= AFTER_MS ? [{ row, slot, apartMs: Math.abs(laterMs) }] : [];
    }),
  );
  candidates.sort(
    (a, b) => a.apartMs - b.apartMs || order(a.row.id, b.row.id) || order(a.slot.id, b.slot.id),
  );
  const [takenSlots, takenRows] = [new Set<Slot>(), new Set<Execution>()];
  for (const { row, slot } of candidates) {
    if (takenRows.has(row) || takenSlots.has(slot)) continue;
    takenRows.add(row);
    takenSlots.add(slot);
  }
  return {
    slots: slots.filter((slot) => !takenSlots.has(slot)),
    rows: rows.filter((row) => !takenRows.has(row)),
    paired: takenRows.size,
  };
}

/**
 * Picks the chat turns that may go on without a slot. A turn that found all slots taken goes on to its end, also when slots
 * are free again: as many other runs were under way when it began. Where that is not known, all slots have to be taken now,
 * and the newest three may.
 * @param cap of the agent's slots; null where it is not known, and then any turn may
 * @param slotCount the slots that the agent holds now
 */
export function turnsWithoutSlot(
  rows: readonly Execution[],
  cap: number | null,
  slotCount: number,
): ReadonlySet<Execution> {
  const turns = rows.filter(isChatTurn);
  if (cap === null) return new Set(turns);
  const foundNone = turns.filter(({ runsAtStart }) => runsAtStart !== null && runsAtStart >= cap);
  const others = slotCount >= cap ? turns.filter((row) => !foundNone.includes(row)) : [];
  others.sort((a, b) => (admittedAtMs(b) ?? 0) - (admittedAtMs(a) ?? 0) || order(a.id, b.id));
  return new Set([...foundNone, ...others.slice(0, MAX_WITHOUT_SLOT)]);
}
