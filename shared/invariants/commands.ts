/** Commands for an operator's shell, as data. `renderCommand` makes the line; a name of the platform stays one word of it. */
import { isShellWord, shellWord } from "../shell.ts";

/** The kinds of database that a platform can have. */
export type Backend = "sqlite" | "postgres";

/** A word of a command: a text, or a variable that the operator's shell knows. */
export type Word = string | { readonly variable: `TRINITY_${string}` };

/** A part of a statement: SQL, a value, or what a backend has words of its own for. */
export type SqlPart = { readonly text: string } | { readonly value: string | number } | typeof NOW;

/** The present time, as the platform writes it. */
export const NOW = { now: true } as const;

interface Noted {
  /** It fits only some of what was found, and an operator has to choose: its line is a comment until the mark is taken away. */
  readonly isChoice?: true;
  /** What to know before it is run, in a few plain words. Never a name of the platform: a shell may read it. */
  readonly note?: string;
}
export interface RedisCommand extends Noted {
  readonly on: "redis";
  readonly words: readonly string[];
}
export interface SqlCommand extends Noted {
  readonly on: "sql";
  readonly parts: readonly SqlPart[];
}
export interface DockerCommand extends Noted {
  readonly on: "docker";
  readonly words: readonly Word[];
}
/** A request to the platform's own API. */
export interface ApiCommand extends Noted {
  readonly on: "api";
  readonly method: "GET" | "POST" | "PUT";
  /** What stands after `/api/`, part by part. */
  readonly path: readonly string[];
  readonly body?: object;
}
export interface ShellCommand extends Noted {
  readonly on: "shell";
  readonly words: readonly Word[];
}
/** No command: something to decide, or to do elsewhere. */
export interface Remark {
  readonly on: "nothing";
  readonly note: string;
}

/** One command for an operator, as data. */
export type Command = RedisCommand | SqlCommand | DockerCommand | ApiCommand | ShellCommand | Remark;

/** A command of Redis: `redis("ZREM", key, id)`. */
export const redis = (...words: string[]): RedisCommand => ({ on: "redis", words });

/** A command of Docker: `docker("exec", container, "ps")`. */
export const docker = (...words: Word[]): DockerCommand => ({ on: "docker", words });

/** A command of the shell. */
export const shell = (...words: Word[]): ShellCommand => ({ on: "shell", words });

/** A request to the platform's API: `api("GET", ["agents", agent, "schedules"])`. */
export const api = (method: ApiCommand["method"], path: readonly string[], body?: object): ApiCommand => ({
  on: "api",
  method,
  path,
  ...(body && { body }),
});

/** Says that there is no command, and what to do instead. */
export const remark = (note: string): Remark => ({ on: "nothing", note });

/** The same command as a comment: an operator who has looked takes away the mark where it fits. */
export const choice = <C extends Command>(command: C): C => ({ ...command, isChoice: true });

/** The same command with a note. */
export const noted = <C extends Command>(note: string, command: C): C => ({ ...command, note });

const SQL_NAME = /^[a-z_]+$/;

/**
 * A table or column whose name is not known here.
 * @throws RangeError where it needs quotes: no table of the platform does
 */
export function sqlName(name: string): { readonly text: string } {
  if (!SQL_NAME.test(name)) throw new RangeError(`no name of the platform's database: ${name}`);
  return { text: name };
}

type SqlValue = string | number | typeof NOW | ReturnType<typeof sqlName> | readonly (string | number)[];

function partsOf(value: SqlValue): SqlPart[] {
  if (typeof value === "string" || typeof value === "number") return [{ value }];
  if (!Array.isArray(value)) return [value as SqlPart];
  // PostgreSQL takes no empty list. NULL is equal to nothing.
  if (value.length === 0) return [{ text: "NULL" }];
  return value.flatMap((one, i): SqlPart[] => [...(i > 0 ? [{ text: ", " }] : []), { value: one }]);
}

/** A statement: sql`SELECT … WHERE id = ${id}`. Values become SQL literals, a list of them stands between parentheses. */
export function sql(texts: TemplateStringsArray, ...values: SqlValue[]): SqlCommand {
  const parts = texts.flatMap((text, i): SqlPart[] => {
    const value = values[i];
    return [{ text }, ...(value === undefined ? [] : partsOf(value))];
  });
  return { on: "sql", parts };
}

/** What each backend has words of its own for. The rest of a statement runs on both. */
interface Dialect {
  /** The time now, as the platform writes it. No double quote is in it, so that a shell's line stays readable. */
  readonly now: string;
  literal(text: string): string;
}

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

const DIALECTS: Readonly<Record<Backend, Dialect>> = {
  sqlite: { now: "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')", literal: quoted },
  postgres: {
    now: "replace(to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), ' ', 'T') || 'Z'",
    // Whether a backslash stands for itself between plain quotes is a setting of the server.
    literal: (text) => (text.includes("\\") ? `E${quoted(text.replaceAll("\\", "\\\\"))}` : quoted(text)),
  },
};

function statementOf(parts: readonly SqlPart[], { now, literal }: Dialect): string {
  const written = parts.map((part) => {
    if ("text" in part) return part.text.replaceAll(/\s*\n\s*/g, " ");
    if ("now" in part) return now;
    return typeof part.value === "number" ? String(part.value) : literal(part.value);
  });
  return written.join("");
}

/** A name that holds what no shell hands over is in none of the lines. */
const LEFT_OUT = "# left out: a name in this command can not be typed in a shell";

const DATABASE = { variable: "TRINITY_DATABASE" } as const;

function lineOf(command: string, words: readonly Word[]): string {
  if (!words.every((word) => typeof word !== "string" || isShellWord(word))) return LEFT_OUT;
  return [
    command,
    ...words.map((word) => (typeof word === "string" ? shellWord(word) : `"$${word.variable}"`)),
  ].join(" ");
}

const isReading = (statement: string): boolean => /^SELECT\b/.test(statement);

/** The lines of each backend's client. What only reads can't change a thing. */
const CLIENTS: Readonly<Record<Backend, (statement: string) => string>> = {
  // The platform holds its locks for moments: wait for one instead of failing.
  sqlite: (statement) =>
    lineOf("sqlite3", [
      "-cmd",
      ".timeout 5000",
      "-header",
      ...(isReading(statement) ? ["-readonly"] : []),
      DATABASE,
      statement,
    ]),
  // Without the operator's own settings (-X): with AUTOCOMMIT off nothing would be written. What only reads prints its rows and
  // no BEGIN (-q); what writes says how many rows it changed.
  postgres: (statement) =>
    lineOf("psql", [
      "-X",
      ...(isReading(statement) ? ["-q"] : []),
      "-P",
      "pager=off",
      "-v",
      "ON_ERROR_STOP=1",
      "-d",
      DATABASE,
      ...(isReading(statement) ? ["-c", "BEGIN READ ONLY"] : []),
      "-c",
      statement,
    ]),
};

/** Of an example: it is not a name, and is easier to read and to replace as it is. */
const PLACEHOLDER = /^<[a-z_ ]+>$/;
const encoded = (part: string) => (PLACEHOLDER.test(part) ? part : encodeURIComponent(part));

function apiLine({ method, path, body }: ApiCommand): string {
  // Of a path, curl and servers take these two for directories, however they are written.
  if (path.some((part) => part === "" || part === "." || part === ".." || !isShellWord(part)))
    return LEFT_OUT;
  return [
    "curl -fsS",
    ...(method === "GET" ? [] : [`-X ${method}`]),
    '-H "Authorization: Bearer $TRINITY_TOKEN"',
    ...(body ? ["-H 'Content-Type: application/json'", `-d ${shellWord(JSON.stringify(body))}`] : []),
    `"$TRINITY_URL"${shellWord(`/api/${path.map(encoded).join("/")}`)}`,
  ].join(" ");
}

/** How the lines of commands begin that `renderCommand` writes. */
const COMMAND = /^(?:redis-cli -u|sqlite3 -cmd|psql -X|docker [a-z]+|curl -fsS|npm run) /;

/** Says whether the line is a command whose mark an operator takes away, and not a note. */
export const isChoiceLine = (line: string): boolean => line.startsWith("# ") && COMMAND.test(line.slice(2));

/**
 * Writes the command as one line for a POSIX shell, every word quoted. Addresses and tokens stand in variables of the
 * operator's shell. Where a name can't be typed, the line is a comment that says so.
 * @param backend the database that a statement is for
 */
export function renderCommand(command: Command, backend: Backend): string {
  switch (command.on) {
    case "redis":
      return lineOf('redis-cli -u "$TRINITY_REDIS_URL"', command.words);
    case "sql":
      return CLIENTS[backend](statementOf(command.parts, DIALECTS[backend]));
    case "docker":
      return lineOf("docker", command.words);
    case "shell": {
      const [program, ...words] = command.words;
      return lineOf(String(program), words);
    }
    case "api":
      return apiLine(command);
    case "nothing":
      return `# ${command.note}`;
  }
}
