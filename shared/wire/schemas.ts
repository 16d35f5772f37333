/**
 * The schemas of everything that is stored as evidence or served over HTTP, in wire names (snake_case), and their types.
 * The schema of a request is in its route's file (shared/web/api).
 */
export * from "./schemas/agents.ts";
export * from "./schemas/cycles.ts";
export * from "./schemas/episodes.ts";
export * from "./schemas/silences.ts";
export * from "./schemas/status.ts";
export * from "./schemas/violations.ts";
