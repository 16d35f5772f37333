/** Which invariants there are, by what they read: tests name no list of ids. */
import { INVARIANT_IDS, INVARIANTS } from "../../shared/invariants/index.ts";
import { offWithOf } from "../../shared/invariants/invariant.ts";
import { SOURCES } from "../../shared/sources/index.ts";

type SourceName = (typeof SOURCES)[number]["name"];

/** The ids of the invariants that read a fact of this source, in their order. */
export function idsReading(source: SourceName): string[] {
  const gives: readonly string[] = SOURCES.find(({ name }) => name === source)!.gives;
  return INVARIANTS.filter(({ reads }) => reads.some((fact) => gives.includes(fact))).map(({ id }) => id);
}

/** The ids of the invariants that are not run where this source is left out, in their order. */
export function idsOffWithout(source: SourceName): string[] {
  const gives: readonly string[] = SOURCES.find(({ name }) => name === source)!.gives;
  return INVARIANTS.filter((invariant) => offWithOf(invariant).some((fact) => gives.includes(fact))).map(
    ({ id }) => id,
  );
}

/** The ids of the invariants that are run where this source is left out, in their order. */
export const idsRunWithout = (source: SourceName): string[] => {
  const off = idsOffWithout(source);
  return INVARIANT_IDS.filter((id) => !off.includes(id));
};

/** The ids of the invariants that read no fact of this source, in their order. */
export const idsNotReading = (source: SourceName): string[] => {
  const reading = idsReading(source);
  return INVARIANT_IDS.filter((id) => !reading.includes(id));
};
