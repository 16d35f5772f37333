/** H-02's memory: when the newest slot was acquired that any cycle has seen. Its run's row is in the platform's database. */
import { newestOfSlots, slotsOfThePlatform } from "../facts/trust.ts";
import { type Recollection, recollection } from "./recollection.ts";

interface Part {
  /** Unix ms; null where there was none. */
  readonly newestSlotMs: number | null;
}

const NONE: Part = { newestSlotMs: null };

export const newestSlotSeen: Recollection = recollection<"newestSlotSeen", Part>({
  gives: "newestSlotSeen",
  initial: NONE,
  isPart: ({ newestSlotMs }) => newestSlotMs === null || Number.isFinite(newestSlotMs),
  recall(part) {
    if (part === null) return null;
    return {
      fact: part.newestSlotMs,
      next({ readings: { slots } }) {
        if (!slots?.read) return { part, entries: [] };
        const newestMs = newestOfSlots(slotsOfThePlatform(slots.value, slots.time));
        const newestSlotMs = Math.max(newestMs, part.newestSlotMs ?? -Infinity);
        return { part: Number.isFinite(newestSlotMs) ? { newestSlotMs } : part, entries: [] };
      },
    };
  },
});
