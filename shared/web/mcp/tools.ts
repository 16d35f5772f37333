/** The registry of the tools, in the order in which an agent sees them. */
import type { Tool } from "./tool.ts";
import { agent } from "./tools/agent.ts";
import { cycles } from "./tools/cycles.ts";
import { episodes } from "./tools/episodes.ts";
import { explain } from "./tools/explain.ts";
import { runCycle } from "./tools/run-cycle.ts";
import { silence } from "./tools/silence.ts";
import { status } from "./tools/status.ts";
import { violations } from "./tools/violations.ts";

export const TOOLS: readonly Tool[] = [
  status,
  explain,
  agent,
  episodes,
  violations,
  cycles,
  runCycle,
  silence,
];
