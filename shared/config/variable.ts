/** A variable of the environment: its name, its meaning, its default, and how it is read and written. */

/** What `parse` reports in addition to the value. */
export interface Notes {
  /** Reports what is wrong with the value, and how to fix it; the reader puts the variable's name before it. */
  problem(what: string): void;
  /** Marks a text that must not be printed. */
  secret(value: string): void;
}

export interface Variable<T> {
  readonly name: string;
  /** One line of Markdown for docs/configuration.md. */
  readonly meaning: string;
  /** A deployed canary takes it from its secret, and it is never printed. */
  readonly secret?: true;
  /** Its value where it is not set. */
  readonly fallback: T;
  /** Parses a text that is not empty. Reports a problem where the text can't be used; what it returns is then ignored. */
  parse(text: string, notes: Notes): T;
  /** Writes the text that `parse` reads; undefined where the variable is to be left out. */
  format(value: T): string | undefined;
}

/** Variables by the names that the code has for them. */
export type VariableTable = Readonly<Record<string, Variable<unknown>>>;

/** The values of a table's variables. */
export type Values<V extends VariableTable> = {
  readonly [K in keyof V]: V[K] extends Variable<infer T> ? T : never;
};

type Check = (text: string, notes: Notes) => void;

/** Any text; null where it is not set and has no default. */
export const text = <F extends string | null = null>(
  name: string,
  meaning: string,
  options: { readonly fallback?: F; readonly secret?: true; readonly checks?: readonly Check[] } = {},
): Variable<string | F> => ({
  name,
  meaning,
  ...(options.secret && { secret: true }),
  fallback: options.fallback ?? (null as F),
  parse(value, notes) {
    for (const check of options.checks ?? []) check(value, notes);
    return value;
  },
  format: (value) => value ?? undefined,
});

/** Checks the text against a pattern. */
export const matching =
  (pattern: RegExp, problem: string): Check =>
  (value, notes) => {
    if (!pattern.test(value)) notes.problem(problem);
  };

/**
 * Checks that the text is an address on the web that can be asked: `https://host:99999/` and `https://<your-host>/` are none.
 * @param fix what to give
 * @param pattern what else it has to be
 */
export const webAddress =
  (fix: string, pattern = /^https?:\/\/[^\s/]\S*$/): Check =>
  (value, notes) => {
    if (!pattern.test(value) || !URL.canParse(value)) notes.problem(`is not an address: ${fix}`);
  };

/** Checks that a header can carry the text after `Bearer`: the error of a header that can't be sent shows the header. */
export const headerToken = matching(
  /^[\x21-\x7e]+$/,
  "has a character that no header can carry: give one of printable ASCII, without spaces",
);

/** A bearer token. */
export const token = (name: string, meaning: string): Variable<string | null> =>
  text(name, meaning, { secret: true, checks: [headerToken] });

export interface WholeNumber extends Variable<number> {
  /** The least and the greatest value. */
  readonly range: readonly [number, number];
}

export function wholeNumber(
  name: string,
  meaning: string,
  { fallback, range }: Pick<WholeNumber, "fallback" | "range">,
): WholeNumber {
  const [least, most] = range;
  return {
    name,
    meaning,
    fallback,
    range,
    parse(value, { problem }) {
      const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
      if (number >= least && number <= most) return number;
      problem(
        `is ${JSON.stringify(value)}: give a whole number from ${least} to ${most}, or leave it out for ${fallback}`,
      );
      return fallback;
    },
    format: String,
  };
}

export interface Choice<T extends string> extends Variable<T> {
  readonly names: readonly T[];
}

/** One of a few words. */
export const oneOf = <const T extends string>(
  name: string,
  meaning: string,
  { fallback, names }: { readonly fallback: NoInfer<T>; readonly names: readonly T[] },
): Choice<T> => ({
  name,
  meaning,
  fallback,
  names,
  parse(value, { problem }) {
    const known = names.find((word) => word === value);
    const listed = names.join(names.length === 2 ? " or " : ", ");
    if (known === undefined)
      problem(`is ${JSON.stringify(value)}: give ${listed}, or leave it out for ${fallback}`);
    return known ?? fallback;
  },
  format: (value) => value,
});

/** One of a few words, or null where it is not set. */
export const maybeOneOf = <const T extends string>(
  name: string,
  meaning: string,
  names: readonly T[],
): Variable<T | null> => ({
  name,
  meaning,
  fallback: null,
  parse(value, { problem }) {
    const known = names.find((word) => word === value);
    if (known === undefined)
      problem(`is ${JSON.stringify(value)}: give ${names.join(", ")}, or leave it out`);
    return known ?? null;
  },
  format: (value) => value ?? undefined,
});

/** `on` or `off`. */
export function onOff(name: string, meaning: string, { fallback }: { fallback: boolean }): Variable<boolean> {
  const format = (value: boolean) => (value ? "on" : "off");
  const words = oneOf(name, meaning, { fallback: format(fallback), names: ["on", "off"] });
  return { name, meaning, fallback, parse: (value, notes) => words.parse(value, notes) === "on", format };
}
