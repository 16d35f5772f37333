/** What could be looked at: the one answer to "is it healthy or gone, or was it only not seen?". */

/** A part that could not be read: a whole subject, or with `key` one finding of it and those whose key begins with `key/`. */
export interface Unseen {
  readonly subject: string;
  readonly key?: string;
  /** The subject's name can't be read, and `subject` only stands for it: it may be any. */
  readonly ofAnySubject?: true;
}

/** What a check says of what it looked at. */
export interface CoverageParts {
  /** Every subject that was looked at, the broken ones among them. */
  readonly subjects: Iterable<string>;
  readonly unseen: readonly Unseen[];
  /** Why some of what could be red was not even listed. Without a finding the verdict is then unknown, not green. */
  readonly unlisted?: string;
  /** For a list with gaps: whether a finding with that key would have been listed all the same. Left out: none would. */
  readonly sawKey?: (key: string) => boolean;
}

export interface Coverage extends Required<Omit<CoverageParts, "subjects" | "unlisted" | "sawKey">> {
  readonly subjects: ReadonlySet<string>;
  readonly unlisted: string | null;
  /** Everything that could be red was looked at: what is not red is healthy or gone. */
  readonly isWhole: boolean;
  /**
   * Says whether that finding would have been seen, had it been there.
   * @param key of the finding; without one, whether any finding of the subject would have been
   */
  saw(subject: string, key?: string): boolean;
}

const isHidden = (unseen: readonly Unseen[], subject: string, key: string | undefined): boolean =>
  unseen.some(
    (part) =>
      (part.subject === subject || part.ofAnySubject) &&
      (part.key === undefined || key === undefined || key === part.key || key.startsWith(`${part.key}/`)),
  );

/**
 * Makes the coverage of a check.
 * @param hasHiddenSubjects a fact that the check read has entries without a readable name: a subject that is absent may
 *   be one of these
 */
export function coverageOf(
  { subjects, unseen, unlisted = undefined, sawKey = () => false }: CoverageParts,
  hasHiddenSubjects = false,
): Coverage {
  const listed = subjects instanceof Set ? (subjects as ReadonlySet<string>) : new Set(subjects);
  const isListed = (subject: string, key: string | undefined): boolean => {
    if (unlisted === undefined && !hasHiddenSubjects) return true;
    if (key === undefined) return false;
    return unlisted === undefined ? listed.has(subject) : sawKey(key);
  };
  return {
    subjects: listed,
    unseen,
    unlisted: unlisted ?? null,
    isWhole: unlisted === undefined && !hasHiddenSubjects && unseen.length === 0,
    saw: (subject, key) => isListed(subject, key) && !isHidden(unseen, subject, key),
  };
}

/** The coverage of a check that could not run. */
export const NOTHING_SEEN: Coverage = {
  subjects: new Set(),
  unseen: [],
  unlisted: null,
  isWhole: false,
  saw: () => false,
};

/** The coverage of a check that could not tell: it proves nothing healthy or gone. */
export const undecidedCoverage = (coverage: Coverage): Coverage => ({
  ...coverage,
  isWhole: false,
  saw: () => false,
});

/** The coverage of a check of too few facts. It proves nothing healthy or gone, but what it finds is found. */
export const insufficientCoverage = (coverage: Coverage, why: string): Coverage => ({
  ...undecidedCoverage(coverage),
  unlisted: why,
});

/** The same coverage with more parts that were not seen. */
export const withUnseen = (coverage: Coverage, more: readonly Unseen[]): Coverage => ({
  ...coverage,
  unseen: [...coverage.unseen, ...more],
  isWhole: coverage.isWhole && more.length === 0,
  saw: (subject, key) => coverage.saw(subject, key) && !isHidden(more, subject, key),
});

/** Counts the subjects that were seen whole. */
export function seenCount({ subjects, unseen }: Coverage): number {
  const hidden = new Set(unseen.map((part) => part.subject));
  let seen = subjects.size;
  for (const subject of hidden) if (subjects.has(subject)) seen -= 1;
  return seen;
}
