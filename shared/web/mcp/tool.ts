/** A tool of `/mcp`: what an agent may ask for, and what it gets. */
import type { z } from "@hono/zod-openapi";
import type { Links } from "../../alerts/links.ts";
import type { Caller } from "../callers.ts";

/** What a tool gets besides its input. */
export interface ToolContext {
  readonly environment: string;
  readonly links: Links;
  /** Unix ms. */
  readonly nowMs: number;
  /**
   * Calls the API as the caller, so that a tool knows and may no more than its route.
   * @param body sent as JSON with POST; left out: GET
   * @throws ToolError with the route's own words where it refuses
   */
  api<T>(path: string, body?: object): Promise<T>;
}

/** What the caller can mend. The message says how. */
export class ToolError extends Error {
  override readonly name = "ToolError";
  /** The status of the API's answer; null where it was not asked. */
  readonly status: number | null;
  constructor(message: string, status: number | null = null) {
    super(message);
    this.status = status;
  }
}

/** An answer, for people and for programs. */
export interface Answer<Data> {
  readonly lines: readonly string[];
  readonly data: Data;
}

interface ToolSpec<Input extends z.ZodObject, Output extends z.ZodObject> {
  readonly name: string;
  readonly title: string;
  /** What it does and when to use it, for the agent that chooses. */
  readonly description: string;
  /** Who may call it. A reader does not see an admin's tools. */
  readonly role: Caller["role"];
  readonly input: Input;
  readonly output: Output;
  run(input: z.output<Input>, context: ToolContext): Promise<Answer<z.output<Output>>>;
}

/** A tool as the server sees it: what it takes and gives is known to its own file only. */
export type Tool = ToolSpec<z.ZodObject, z.ZodObject>;

/** Declares a tool. */
export const tool = <Input extends z.ZodObject, Output extends z.ZodObject>(
  spec: ToolSpec<Input, Output>,
): Tool => spec as unknown as Tool;
