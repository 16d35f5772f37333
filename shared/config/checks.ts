/** The variables that say which invariants run, and how severe they are. Every function that shows invariants reads them. */
import { type InvariantId, KNOWN_IDS, unknownIds } from "../invariants/index.ts";
import { SEVERITIES, type Severity } from "../invariants/invariant.ts";
import type { reader } from "./reader.ts";
import type { Notes, Variable } from "./variable.ts";

const EXAMPLE = "S-01=major,B-02=minor";

const partsOf = (text: string): string[] =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean);

function refuseUnknown(ids: readonly string[], { problem }: Notes): void {
  const unknown = unknownIds(ids);
  if (unknown.length > 0) problem(`names ${unknown.join(", ")}, which no invariant has: ${KNOWN_IDS}`);
}

/** Ids of invariants, separated by commas. */
export const ids = (name: string, meaning: string): Variable<readonly InvariantId[]> => ({
  name,
  meaning,
  fallback: [],
  parse(text, notes) {
    const named = [...new Set(partsOf(text))];
    refuseUnknown(named, notes);
    return named as InvariantId[];
  },
  format: (named) => named.join(",") || undefined,
});

type Severities = Readonly<Partial<Record<InvariantId, Severity>>>;

const isSeverity = (text: string): text is Severity => SEVERITIES.some((severity) => severity === text);

/** Invariants with a severity each: `S-01=major,B-02=minor`. */
const severities = (name: string, meaning: string): Variable<Severities> => ({
  name,
  meaning,
  fallback: {},
  parse(text, notes) {
    const read: Record<string, Severity> = {};
    for (const part of partsOf(text)) {
      const [id = "", severity, ...more] = part.split("=").map((word) => word.trim());
      if (severity === undefined || more.length > 0)
        notes.problem(`has ${JSON.stringify(part)}: give an id and a severity each, such as ${EXAMPLE}`);
      else if (!isSeverity(severity))
        notes.problem(
          `gives ${id} the severity ${JSON.stringify(severity)}: give one of ${SEVERITIES.join(", ")}`,
        );
      else if (Object.hasOwn(read, id)) notes.problem(`names ${id} twice: give it one severity`);
      else read[id] = severity;
    }
    refuseUnknown(Object.keys(read), notes);
    return read as Severities;
  },
  format: (named) =>
    Object.entries(named)
      .map((pair) => pair.join("="))
      .join(",") || undefined,
});

export const CHECKS = {
  off: ids(
    "CHECKS_OFF",
    "the invariants that are not run, by their ids, such as `R-01,B-01`. They are listed in `checks_off`, with the reason",
  ),
  on: ids("CHECKS_ON", "the invariants that are off by default and are to run"),
  severities: severities(
    "SEVERITIES",
    `the severities that replace those of the invariants, such as \`${EXAMPLE}\`: \`critical\`, \`major\` or \`minor\``,
  ),
};

/** Returns the ids that are to be off and on at once. */
export const offAndOn = <Id extends string>(settings: {
  readonly off: readonly Id[];
  readonly on: readonly Id[];
}): Id[] => settings.on.filter((id) => settings.off.includes(id));

/** Reads which invariants run, and how severe they are. What can't be used becomes a problem of the reader. */
export function readChecks(read: ReturnType<typeof reader>) {
  const settings = read.values(CHECKS);
  const both = offAndOn(settings);
  if (both.length > 0)
    read.problem(
      `${CHECKS.on.name} names ${both.join(", ")}, which ${CHECKS.off.name} names too: name each in one of the two`,
    );
  return settings;
}
