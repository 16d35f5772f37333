/** A variable of the environment: everything that anybody has to know of it, said once. */

/** What the reader of a variable learns besides its value. */
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
  /** Gives the value of a text that is not empty. Where it can't be used, it is reported, and any value will do. */
  parse(text: string, notes: Notes): T;
  /** Gives the text that `parse` reads; undefined where the variable is to be left out. */
  format(value: T): string | undefined;
}

/** The variables of one user, by the names that the code has for them. */
export type Table = Readonly<Record<string, Variable<unknown>>>;

/** What a user of a table is given. */
export type Values<V extends Table> = {
  readonly [K in keyof V]: V[K] extends Variable<infer T> ? T : never;
};

type Check = (text: string, notes: Notes) => void;

interface TextOptions<F extends string | null> {
  readonly meaning: string;
  readonly fallback?: F;
  readonly secret?: true;
  readonly checks?: readonly Check[];
}

/** Any text; null where it is not set and has no default. */
export function text<F extends string | null = null>(
  name: string,
  { meaning, fallback = null as F, secret, checks = [] }: TextOptions<F>,
): Variable<string | F> {
  return {
    name,
    meaning,
    ...(secret && { secret }),
    fallback,
    parse(value, notes) {
      for (const check of checks) check(value, notes);
      return value;
    },
    format: (value) => value ?? undefined,
  };
}

/** Checks that a header can carry the text after `Bearer`: the error of a header that can't be sent shows the header. */
export const headerToken: Check = (value, { problem }) => {
  if (!/^[\x21-\x7e]+$/.test(value))
    problem("has a character that no header can carry: give one of printable ASCII, without spaces");
};

/** Checks the text against a pattern. */
export const matching =
  (pattern: RegExp, problemOf: (value: string) => string): Check =>
  (value, { problem }) => {
    if (!pattern.test(value)) problem(problemOf(value));
  };

/** A bearer token. */
export const token = (name: string, meaning: string): Variable<string | null> =>
  text(name, { meaning, secret: true, checks: [headerToken] });

export interface WholeNumber extends Variable<number> {
  /** The least and the greatest value. */
  readonly range: readonly [number, number];
}

export function wholeNumber(
  name: string,
  { meaning, fallback, range }: Pick<WholeNumber, "meaning" | "fallback" | "range">,
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
export function oneOf<const T extends string>(
  name: string,
  { meaning, fallback, names }: { meaning: string; fallback: NoInfer<T>; names: readonly T[] },
): Choice<T> {
  const listed = names.join(names.length === 2 ? " or " : ", ");
  return {
    name,
    meaning,
    fallback,
    names,
    parse(value, { problem }) {
      const known = names.find((word) => word === value);
      if (known === undefined)
        problem(`is ${JSON.stringify(value)}: give ${listed}, or leave it out for ${fallback}`);
      return known ?? fallback;
    },
    format: (value) => value,
  };
}

/** `on` or `off`. */
export function onOff(
  name: string,
  { meaning, fallback }: { meaning: string; fallback: boolean },
): Variable<boolean> {
  const word = (value: boolean) => (value ? "on" : "off");
  const words = oneOf(name, { meaning, fallback: word(fallback), names: ["on", "off"] });
  return {
    name,
    meaning,
    fallback,
    parse: (value, notes) => words.parse(value, notes) === "on",
    format: word,
  };
}
