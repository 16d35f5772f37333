/** What the commands share: their context, and a request whose answer is printed. */
import type { Command } from "commander";
import type { z } from "zod";
import { plainJson } from "../text.ts";
import { type Api, call } from "./client.ts";

export const EXIT = { green: 0, red: 1, unknown: 2, usage: 254, crash: 255 } as const;

export interface CommandContext {
  /** Opens the API of the canary at CANARY_URL, or of one in this process. */
  readonly open: (needsState: boolean) => Promise<Api>;
  /** Sets the exit code. */
  readonly done: (code: number) => void;
  readonly print: (text: string) => void;
  /** Whether the output is a terminal with colours. */
  readonly colour: boolean;
}

/** Adds a group of commands. */
export type AddCommands = (canary: Command, context: CommandContext) => void;

/** Loads the schemas and the views of answers. Only an action calls this: the help must not wait for them. */
export const loadViews = async () => ({
  ...(await import("../wire/schemas.ts")),
  ...(await import("./lists.ts")),
  ...(await import("./cycle-table.ts")),
});

/** Opens the API, uses it, and closes it. */
export async function withApi<T>(
  { open }: CommandContext,
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
  readonly init?: RequestInit;
  readonly schema: z.ZodType<T>;
  /** Print the answer as JSON and nothing else. */
  readonly json?: boolean;
  readonly render: (answer: T) => string;
}

/** Sends a request and prints the answer. */
export const show = <T>(context: CommandContext, { path, init, schema, json, render }: Query<T>) =>
  withApi(context, async (api) => {
    const { answer } = await call(api, path, schema, init);
    context.print(json ? plainJson(answer) : render(answer));
    context.done(EXIT.green);
  });
