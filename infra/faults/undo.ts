/** Undoing what a fault did: with retries, and without anything left. */
import { setTimeout as wait } from "node:timers/promises";
import { messageOf } from "../platform/context.ts";
import { EXECUTIONS, pullPollKey, ROSTER, slotKey, slotsKey } from "../platform/names.ts";
import { SCHEDULES } from "./schedules.ts";
import { present } from "./target.ts";
import type { TestAgent } from "./test-agent.ts";

const UNDO_TRIES = 3;
const UNDO_AGAIN_MS = 1_000;

/** Undoes something, with retries. Gives null, or the error of the last try in words. */
export async function undone(what: string, undo: () => Promise<void>): Promise<string | null> {
  for (let left = UNDO_TRIES - 1; ; left -= 1) {
    try {
      await undo();
      return null;
    } catch (error) {
      if (left === 0) return `${what}: ${messageOf(error)}`;
      await wait(UNDO_AGAIN_MS);
    }
  }
}

/** Removes the agent with its rows, slots and container. Can be repeated. */
export async function removeTestAgent(agent: TestAgent): Promise<void> {
  if (agent.hasTwin) await removeTestAgent(agent.twin);
  const { name, target, ids, hasContainer, hasSchedule } = agent;
  const hashes = [...ids].map((id) => slotKey(name, id));
  await present(target.redis).del(slotsKey(name), pullPollKey(name), ...hashes);
  // The roster last: an agent's rows without their row on the roster would be a ghost.
  const tables = [EXECUTIONS, ...(hasSchedule ? [SCHEDULES] : []), ROSTER];
  const statements = tables.map((table) => ({
    sql: `DELETE FROM ${table} WHERE agent_name = ?`,
    args: [name],
  }));
  await present(target.database).write(statements, () => []);
  if (hasContainer) await present(target.docker).containers.remove(name);
}
