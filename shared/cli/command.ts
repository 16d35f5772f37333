/** What every command gets, and how it ends. */
import type { Command } from "commander";
import type { z } from "zod";
import { type Api, call } from "./client.ts";

export const EXIT = { green: 0, red: 1, unknown: 2, usage: 254, crash: 255 } as const;

export interface CommandContext {
  /** Opens the API of the canary at CANARY_URL, or of one in this process. */
  readonly open: (options: { readonly needsState: boolean }) => Promise<Api>;
  /** Gets the exit code. */
  readonly done: (code: number) => void;
  readonly print: (text: string) => void;
  /** Whether the terminal has colours. */
  readonly colour: boolean;
}

/** Adds a group of commands. What only their actions need is imported there: the help has to be there at once. */
export type AddCommands = (canary: Command, context: CommandContext) => void;

/** Opens the API for as long as it is used. */
export async function withApi<T>(
  { open }: CommandContext,
  options: { readonly needsState: boolean },
  use: (api: Api) => Promise<T>,
): Promise<T> {
  const api = await open(options);
  try {
    return await use(api);
  } finally {
    await api.close();
  }
}

/** One request whose answer is printed. */
export interface Shown<T> {
  readonly path: string;
  readonly init?: RequestInit;
  readonly schema: z.ZodType<T>;
  /** Print the answer itself, and nothing else. */
  readonly json?: boolean;
  readonly render: (answer: T) => string;
}

/** Sends a request and prints the answer. */
export const show = <T>(
  context: CommandContext,
  { path, init, schema, json, render }: Shown<T>,
): Promise<void> =>
  withApi(context, { needsState: true }, async (api) => {
    const { answer } = await call(api, path, schema, init);
    context.print(json ? JSON.stringify(answer, null, 2) : render(answer));
    context.done(EXIT.green);
  });
