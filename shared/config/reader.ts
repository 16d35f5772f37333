/** Reads tables of variables from the environment, and reports all that can't be used at once. */
import type { Values, Variable, VariableTable } from "./variable.ts";

/** One or more variables that can't be used. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Merges other variables into those of this process. */
export const environmentWith = (more: Environment = {}, env: Environment = process.env): Environment => ({
  ...env,
  ...more,
});

/** A source or a channel, with its variables. */
export interface Part<V extends VariableTable = VariableTable> {
  readonly name: string;
  readonly variables: V;
  /** Reports what is wrong with values that are each fine, but not together. */
  check?(values: Values<V>, problem: (line: string) => void): void;
}
/** The values of each part's variables, by the part's name. */
export type ValuesOf<P extends Pick<Part, "name" | "variables">> = {
  readonly [One in P as One["name"]]: Values<One["variables"]>;
};

/** Collects the values of tables, and with them problems and secrets. */
export function reader(env: Environment) {
  const problems: string[] = [];
  const secrets: string[] = [];
  const problem = (line: string) => void problems.push(line);

  function read({ name, fallback, secret, parse }: Variable<unknown>): unknown {
    // An empty variable is an unset one: `Number("")` is 0, and an empty secret equals an empty header.
    const text = env[name]?.trim();
    if (!text) return fallback;
    const value = parse(text, {
      problem: (what) => problem(`${name} ${what}`),
      secret: (part) => void secrets.push(part),
    });
    if (secret && typeof value === "string") secrets.push(value);
    return value;
  }
  const values = <V extends VariableTable>(table: V): Values<V> =>
    Object.fromEntries(Object.entries(table).map(([key, variable]) => [key, read(variable)])) as Values<V>;

  return {
    values,
    valuesOf<P extends Part>(parts: readonly P[]) {
      const entries = parts.map((part) => {
        const own = values(part.variables);
        part.check?.(own, problem);
        return [part.name, own];
      });
      return Object.fromEntries(entries) as ValuesOf<P>;
    },
    problem,
    /** Every secret in the values so far: it must not be printed. */
    secrets: secrets as readonly string[],
    /** @throws ConfigError where there was a problem */
    end() {
      if (problems.length > 0) throw new ConfigError(problems);
    },
  };
}
