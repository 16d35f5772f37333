/** A fleet's day for the pages: a history, then one state after another. */
import pMap from "p-map";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { violationId } from "../../shared/store/table.ts";
import type { CycleReport } from "../../shared/wire/schemas/cycles.ts";
import { container, live, MINUTE_MS, NO_DEADLINE, runningRow, type ScriptedCanary, slot } from "./cycle.ts";
import { containersOf, rosterOf, runningContainer, slotsOf, zombiesOf } from "./facts.ts";

const AGENTS = ["ruby", "nina-research", "ops-bot", "cornelius-m", "atlas", "quill"];
const BAR_MS = 5 * MINUTE_MS;

export type Story = ReturnType<typeof pageStory>;

/** A day of earlier cycles: S-01 was red for an hour of it, and nothing was read for a quarter of an hour. */
async function writeADay(canary: ScriptedCanary) {
  const cycles = Array.from({ length: 287 }, (_, i) => i + 1).filter((ago) => ago !== 200);
  const write = async (ago: number) => {
    const isLeaking = ago > 150 && ago < 163;
    const statusOf = (id: string) => {
      if (ago > 60 && ago < 64) return "unknown" as const;
      return id === "S-01" && isLeaking ? ("red" as const) : ("green" as const);
    };
    const time = new Date(canary.now() - ago * BAR_MS).toISOString();
    const summary = "2 slots without a running row across 1 agent: atlas";
    const first = violationId(time.slice(0, 10), 1_000 - ago);
    const cycle = {
      snapshot_time: time,
      trigger: "schedule",
      duration_ms: 600 + ((ago * 37) % 400),
      checks_run: INVARIANTS.map(({ id }) => id),
      checks_off: [],
      sources_unavailable: [],
      violation_count: isLeaking ? 1 : 0,
      ...(isLeaking && { found: { "S-01": { violations: 1, first_violation_id: first, summary } } }),
      verdicts: Object.fromEntries(
        INVARIANTS.map(({ id }) => [id, { status: statusOf(id), checked: 6, unseen: [], reason: null }]),
      ),
      transitions: [],
      spreads: [],
      recoveries: [],
      source_latency_ms: {
        sqlite: 40 + (ago % 17),
        redis: 90 + ((ago * 7) % 60),
        docker: 210 + ((ago * 13) % 90),
      },
      red_subjects: isLeaking ? 1 : 0,
    };
    await canary.store.evidence.write(
      { cycle, violations: [], fullCycleAtMs: null },
      canary.now(),
      NO_DEADLINE,
    );
  };
  await pMap(cycles, write, { concurrency: 4 });
}

export const pageStory = (canary: ScriptedCanary) => {
  const healthy = () =>
    canary.set({
      roster: rosterOf(
        Object.fromEntries(AGENTS.map((name) => [name, { executionTimeoutSeconds: 7 * 86_400 }])),
      ),
      slots: slotsOf({ atlas: [slot("exec-4711")] }),
      executions: live(runningRow("exec-4711", "atlas")),
      sessions: new Set(["exec-4711", "exec-9", "exec-10", "exec-11", "exec-12"]),
      containers: containersOf(AGENTS.map((agent) => runningContainer({ agent }))),
      zombies: zombiesOf(AGENTS.map((agent) => container(agent))),
    });
  return {
    async green() {
      await writeADay(canary);
      canary.deploy({ off: ["G-03"] });
      healthy();
      await canary.cycle();
    },
    async red(): Promise<CycleReport> {
      canary.set({
        slots: slotsOf({
          atlas: [slot("exec-4711")],
          "nina-research": [slot("exec-leak-1"), slot("exec-leak-2")],
          "ops-bot": [slot("exec-9"), slot("exec-10"), slot("exec-11"), slot("exec-12")],
        }),
        executions: live(
          runningRow("exec-4711", "atlas"),
          ...["exec-9", "exec-10", "exec-11", "exec-12"].map((id) => runningRow(id, "ops-bot")),
          runningRow("exec-77", "quill", { hasSession: false }),
        ),
        zombies: zombiesOf(AGENTS.map((agent) => container(agent, agent === "ruby" ? [4211, 4300] : []))),
      });
      await canary.cycle();
      canary.advance(7 * MINUTE_MS);
      return canary.cycle();
    },
    async silenced() {
      const untilMs = canary.now() + 120 * MINUTE_MS;
      const silence = { untilMs, createdAtMs: canary.now(), subject: null };
      const put = (id: string, invariantId: string, reason: string) =>
        canary.store.silences.put({ ...silence, id, invariantId, reason }, canary.now());
      await put("0000000a", "S-02", "ops-bot is being resized, see the ticket");
      await put("0000000b", "E-05", "quill restarts at noon");
    },
    async blind() {
      canary.unread("slots", "redis: ETIMEDOUT");
      canary.unread("executions", "sqlite: no such file: LIBSQL_URL");
      for (let i = 0; i < 3; i += 1) await canary.cycle();
    },
    async unknown() {
      healthy();
      await canary.cycle();
      canary.unread("zombies", "docker: ECONNREFUSED 10.0.0.7:2376: check DOCKER_HOST");
      await canary.cycle();
    },
    async withoutNina() {
      healthy();
      const others = AGENTS.filter((name) => name !== "nina-research");
      canary.set({
        roster: rosterOf(
          Object.fromEntries(others.map((name) => [name, { executionTimeoutSeconds: 7 * 86_400 }])),
        ),
        containers: containersOf(others.map((agent) => runningContainer({ agent }))),
        zombies: zombiesOf(others.map((agent) => container(agent))),
      });
      await canary.cycle();
    },
    stale: () => canary.advance(40 * MINUTE_MS),
  };
};
