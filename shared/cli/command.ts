/** What the commands share: their context, their options, and a request whose answer is printed. */
import { type Command, Option } from "commander";
import type { z } from "zod";
import type { Environment } from "../config/reader.ts";
import type { CallReader } from "../sources/docker/reader-call.ts";
import { plainJson } from "../text.ts";
import { type Api, call } from "./client.ts";
import type { Message } from "./http-request.ts";
import type { Remote } from "./remote.ts";
import type { Screen, ViewOptions } from "./screen.ts";

export const EXIT = { green: 0, red: 1, unknown: 2, usage: 254, crash: 255 } as const;

/** Makes what reads Docker daemons. @param env has the variables of the client certificate */
export type MakeReaders = (env: Environment) => Promise<CallReader>;

export interface CommandContext {
  /** Opens the API of the canary of --env or CANARY_URL, or of one in this process. */
  readonly open: (needsState: boolean) => Promise<Api>;
  readonly makeReaders: MakeReaders;
  /** Finds the running canary of --env or CANARY_URL; null where neither is given. @throws ConfigError */
  readonly remote: () => Remote | null;
  /** The name that --env gives. */
  readonly env: () => string | undefined;
  /** Sets the exit code. */
  readonly done: (code: number) => void;
  readonly print: (text: string) => void;
  /** Says on stderr where no agent has that name, and which may be meant. */
  readonly hint: (api: Api, agent: string) => Promise<void>;
  /** Describes the output. */
  readonly screen: (options?: ViewOptions) => Screen;
}

/** Adds a group of commands. */
export type AddCommands = (canary: Command, context: CommandContext) => void;

/** The options of a command that prints an answer as JSON. */
export interface JsonOption {
  readonly json?: boolean;
}

/** Adds the options of a view of times and details. */
export const withViewOptions = (command: Command, details: string): Command =>
  command.option("--utc", "instants instead of how long ago they were").option("-v, --verbose", details);

/** Adds the options that narrow a list to a time. @param what is in that time */
export const withTimeOptions = (command: Command, what: string): Command =>
  command
    .option("--since <time>", `${what} from this time on: 30m, 2h, 3d, or an instant (ISO 8601)`)
    .option("--until <time>", "up to this time");

/** What names an agent. The API calls it a subject: that of L-03 is no agent, but was one. */
export interface AgentOption {
  readonly agent?: string;
  readonly subject?: string;
}

/** Adds the option that names an agent, in both words. */
export const withAgent = (command: Command, what: string): Command =>
  command
    .option("--agent <name>", what)
    .addOption(new Option("--subject <name>", "the same").hideHelp().conflicts("agent"));

/** Loads the schemas of answers. Only an action calls this: the help must not wait for them. */
export async function loadSchemas() {
  const [agents, cycles, episodes, silences, status, violations] = await Promise.all([
    import("../wire/schemas/agents.ts"),
    import("../wire/schemas/cycles.ts"),
    import("../wire/schemas/episodes.ts"),
    import("../wire/schemas/silences.ts"),
    import("../wire/schemas/status.ts"),
    import("../wire/schemas/violations.ts"),
  ]);
  return { ...agents, ...cycles, ...episodes, ...silences, ...status, ...violations };
}

/** Opens the API, uses it, and closes it. */
export async function withApi<T>(
  { open }: Pick<CommandContext, "open">,
  use: (api: Api) => Promise<T>,
  { needsState = true } = {},
): Promise<T> {
  const api = await open(needsState);
  try {
    return await use(api);
  } finally {
    await api.close();
  }
}

interface Query<T> {
  readonly path: string;
  readonly init?: Message;
  readonly schema: z.ZodType<T>;
  /** Print the answer as JSON and nothing else. */
  readonly json?: boolean | undefined;
  readonly render: (answer: T) => string;
}

/** Sends a request and prints the answer. */
export const show = <T>(context: CommandContext, { path, init, schema, json, render }: Query<T>) =>
  withApi(context, async (api) => {
    const { answer } = await call(api, path, schema, init);
    context.print(json ? plainJson(answer) : render(answer));
    context.done(EXIT.green);
  });

/** Makes a path with those of the parameters that have a value. */
export function pathWith(path: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(parameters).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}
