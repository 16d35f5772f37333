/**
 * How one would write the check of slots against rows at first: read the running rows, then ask Redis for the slots of
 * one agent after the other, and compare. Here for comparison only.
 */
import { steadyNow } from "../platform/journal.ts";
import type { Found } from "./judge.ts";
import type { Stage } from "./stage.ts";
import type { Watcher } from "./watch.ts";

const GRACE_MS = 3_000;

export function plainLoop({ database, rest }: Stage): Watcher {
  async function slotsOf(agent: string): Promise<Map<string, number>> {
    const response = await fetch(rest.url, {
      method: "POST",
      headers: { authorization: `Bearer ${rest.token}` },
      body: JSON.stringify(["ZRANGE", `agent:slots:${agent}`, "0", "-1", "WITHSCORES"]),
    });
    const { result } = (await response.json()) as { result: string[] };
    return new Map(result.flatMap((id, i) => (i % 2 === 0 ? [[id, Number(result[i + 1]) * 1000]] : [])));
  }

  return async () => {
    const fromMs = steadyNow();
    const readAtMs = Date.now();
    const isOld = (atMs: number) => Math.abs(readAtMs - atMs) >= GRACE_MS;
    const agents = await database.read("SELECT agent_name FROM agent_ownership");
    const rows = await database.read(
      "SELECT id, agent_name, started_at FROM schedule_executions INDEXED BY idx_executions_status WHERE status = 'running'",
    );
    const found: Found[] = [];
    for (const { agent_name } of agents) {
      const running = new Map(
        rows
          .filter((row) => row.agent_name === agent_name)
          .map(({ id, started_at }) => [String(id), Date.parse(String(started_at))]),
      );
      const slots = await slotsOf(String(agent_name));
      const only = (side: string, mine: Map<string, number>, others: Map<string, number>) =>
        [...mine]
          .filter(([id, atMs]) => !others.has(id) && !id.startsWith("drain-") && isOld(atMs))
          .map(([id]) => `${side}:${id}`);
      const keys = [...only("redis", slots, running), ...only("sql", running, slots)];
      if (keys.length > 0) found.push({ invariant: "S-01", subject: String(agent_name), keys });
    }
    const status = found.length > 0 ? "red" : "green";
    return {
      first: [fromMs, steadyNow()],
      second: null,
      found,
      verdicts: { "S-01": { status, unseen: [], reason: null } },
    };
  };
}
