/**
 * What the status page costs where everything is red: `node --import ./infra/runtime.mjs infra/bench/page.ts`.
 * 1,000 red subjects, 90 days of cycles and counters; of the violations themselves those of the newest cycles, since older ones are not asked for.
 * DynamoDB is dynalite in this process: its time is in the numbers, the way to AWS is not.
 */

import { NEVER_JUDGED } from "../../shared/alerts/state.ts";
import { openCanary } from "../../shared/canary.ts";
import { EMPTY_MEMORY } from "../../shared/cycle/memory.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { dayOf, violationId } from "../../shared/store/table.ts";
import { createApp } from "../../shared/web/app.ts";
import type { CycleRecord, ViolationRecord } from "../../shared/wire/schemas.ts";
import { toViolation } from "../../shared/wire/serialize.ts";
import { startDynamo } from "../local/dynamodb.ts";

const SUBJECTS = 1_000;
const DAYS = 90;
const CYCLES_A_DAY = 288;
const CYCLES_WITH_VIOLATIONS = 12;
const ROUNDS = 30;
const TOKEN = "token";
const ORIGIN = "http://127.0.0.1";

const dynamo = await startDynamo();
const canary = openCanary({ CANARY_ENVIRONMENT: "prod" }, { state: dynamo });
const { store } = canary;
const nowMs = Date.now();
const red = INVARIANTS.find(({ id }) => id === "S-01")!;
const subjects = Array.from(
  { length: SUBJECTS },
  (_, i) => `agent-${String(i).padStart(4, "0")}-of-the-large-fleet`,
);

function violationsAt(snapshotTime: string, firstPlace: number): ViolationRecord[] {
  return subjects.map((subject, i) => {
    const finding = {
      subject,
      keys: [],
      observed: {
        agentName: subject,
        redisSlotCount: 3,
        sqlRunningCount: 1,
        inRedisOnly: ["5f0c6a0e-1f5e-4d5e-9a0d-4f6f2f4b8a11", "0d8b0f6a-93cd-4f0e-8a77-7c1b7f5b2c22"],
        inSqlOnly: [],
      },
      signalQuery: `set(ZRANGE agent:slots:${subject}) - drain sentinels vs set(SELECT id FROM schedule_executions WHERE agent_name = '${subject}' AND status = 'running')`,
    };
    const verdict = { invariant: red, status: "red" as const, findings: [finding] };
    return {
      id: violationId(snapshotTime.slice(0, 10), firstPlace + i),
      ...toViolation(verdict as never, finding, snapshotTime),
    };
  });
}

const places = new Map<string, number>();
for (let i = DAYS * CYCLES_A_DAY - 1; i >= 0; i -= 1) {
  const atMs = nowMs - i * 300_000;
  const snapshot_time = new Date(atMs).toISOString();
  const day = dayOf(atMs);
  const firstPlace = places.get(day) ?? 1;
  places.set(day, firstPlace + SUBJECTS);
  const cycle: CycleRecord = {
    snapshot_time,
    trigger: "schedule",
    duration_ms: 900,
    checks_run: INVARIANTS.map(({ id }) => id),
    checks_off: [],
    sources_unavailable: [],
    violation_count: SUBJECTS,
    found: {
      "S-01": {
        violations: SUBJECTS,
        first_violation_id: violationId(day, firstPlace),
        summary: `2000 slot(s) without a running row and 0 running row(s) without a slot across 1000 agent(s): ${subjects.slice(0, 5).join(", ")} and 995 more`,
      },
    },
    verdicts: Object.fromEntries(
      INVARIANTS.map(({ id }) => [
        id,
        { status: id === "S-01" ? "red" : "green", checked: SUBJECTS, unseen: [], reason: null },
      ]),
    ),
    transitions: [],
    spreads: [],
    recoveries: [],
  };
  const violations = i < CYCLES_WITH_VIOLATIONS ? violationsAt(snapshot_time, firstPlace) : [];
  await store.evidence.write({ cycle, violations, journals: [] }, nowMs);
}
for (const [day, next] of places)
  await store.evidence.reserveIds(
    day,
    Array.from({ length: next - 1 }, () => ({ invariant_id: "S-01", severity: "critical" as const })),
    nowMs,
  );
const lease = await store.lease.acquire("bench", nowMs, 60_000);
if ("busyUntilMs" in lease) throw new Error("the lease is taken");
const green = { ...NEVER_JUDGED, status: "green" as const, sinceMs: nowMs };
const stateOf = (id: string) =>
  id === "S-01"
    ? {
        ...green,
        status: "red" as const,
        lastRedAtMs: nowMs,
        red: Object.fromEntries(
          subjects.map((subject) => [subject, { sinceMs: nowMs, keys: [`${subject}/a`, `${subject}/b`] }]),
        ),
      }
    : green;
await store.lease.commit(
  lease,
  {
    ...EMPTY_MEMORY,
    states: Object.fromEntries(INVARIANTS.map(({ id }) => [id, stateOf(id)])),
    lastFullCycle: {
      atMs: nowMs,
      durationMs: 900,
      checksOff: [],
      sourcesUnavailable: [],
      latencyMsBySource: { sqlite: 300, redis: 200, docker: 400 },
    },
  },
  { release: true, nowMs },
);

const app = createApp({ canary, adminToken: TOKEN, logError: console.error });
const signedIn = await app.request(`${ORIGIN}/sign-in`, {
  method: "POST",
  body: new URLSearchParams({ token: TOKEN }),
  headers: { "sec-fetch-site": "same-origin" },
});
const cookie = signedIn.headers.get("set-cookie")!.split(";")[0]!;
const ask = async (path: string) => {
  const startedAt = performance.now();
  const response = await app.request(ORIGIN + path, {
    headers: { cookie, authorization: `Bearer ${TOKEN}` },
  });
  const body = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return { ms: performance.now() - startedAt, bytes: Buffer.byteLength(body) };
};
const newest = new Date(nowMs).toISOString();
console.log(`${SUBJECTS} red subjects, ${DAYS} days, ${DAYS * CYCLES_A_DAY} cycles; ${ROUNDS} times each\n`);
console.log("first ms  median ms  worst ms    bytes  page");
for (const path of [
  "/",
  "/invariants/S-01",
  "/invariants/S-02",
  `/cycles/${newest}`,
  "/metrics",
  "/badge.svg",
]) {
  const first = await ask(path);
  const rounds = [];
  for (let i = 0; i < ROUNDS; i += 1) rounds.push((await ask(path)).ms);
  rounds.sort((a, b) => a - b);
  const [median, worst] = [rounds[ROUNDS / 2]!, rounds.at(-1)!];
  const cells = [first.ms, median, worst].map((ms, i) => ms.toFixed(0).padStart([8, 9, 8][i]!));
  console.log(`${cells.join("  ")}  ${String(first.bytes).padStart(7)}  ${path}`);
}
await dynamo.close();
process.exit(0);
