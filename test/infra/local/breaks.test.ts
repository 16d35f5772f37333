/** `canary break` and `canary cure` on the environment of `npm start`: every fault that can be had without Docker. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Fault } from "../../../infra/faults/fault.ts";
import { FAULTS } from "../../../infra/faults/index.ts";
import type { Broken } from "../../../infra/local/breaks.ts";
import { forgiving } from "../../../infra/local/containers.ts";
import { type LocalEnvironment, startEnvironment } from "../../../infra/local/environment.ts";
import { serve } from "../../../infra/local/serve.ts";
import { openDatabaseFile } from "../../../infra/platform/file-client.ts";
import { widthOf } from "../../../shared/cli/layout.ts";
import { OFF_BY_DEFAULT } from "../../../shared/invariants/index.ts";
import { createApp } from "../../../shared/web/app.ts";
import type { CycleReport } from "../../../shared/wire/schemas/cycles.ts";
import { runHere } from "../../support/cli.ts";
import { temporaryFolder } from "../../support/live.ts";

const NO_DOCKER = "unix:///nowhere/docker.sock";
const NEEDS_CONTAINERS = ["no workers", "zombie"];
const HERE = FAULTS.filter(({ name }) => !NEEDS_CONTAINERS.includes(name));

let environment: LocalEnvironment;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const messages: string[] = [];
beforeAll(async () => {
  folder = await temporaryFolder();
  environment = await startEnvironment({
    port: 0,
    dataFolder: folder.path,
    dockerHost: NO_DOCKER,
    variables: { CHECKS_ON: OFF_BY_DEFAULT.join(",") },
    confirmAfterMs: 50,
    isLively: true,
    printMessage: (text) => messages.push(text),
  });
});
afterAll(async () => {
  await environment?.close();
  await folder?.remove();
});

/** Runs the command line on the canary of the environment, or on another one. */
const canary = (line: string, url = environment.url, more: Readonly<Record<string, string>> = {}) =>
  runHere({ CANARY_URL: url, CANARY_TOKEN: environment.token, ...more }, line.split(" "));

/** Lists the agents of faults that are on the roster, from the platform's own database. */
async function agentsOfFaults(): Promise<unknown[]> {
  const database = openDatabaseFile(`file:${join(folder.path, "trinity.db")}`);
  const { rows } = await database.execute(
    "SELECT agent_name FROM agent_ownership WHERE agent_name LIKE 'break-%'",
  );
  database.close();
  return rows.map((row) => row.agent_name);
}

async function cycle(): Promise<CycleReport> {
  const outcome = await environment.runCycle({ trigger: "http" });
  if (outcome.kind !== "done") throw new Error(`the cycle is ${outcome.kind}`);
  return outcome.report;
}
const redOf = ({ violations }: CycleReport) =>
  [...new Set(violations.map((v) => `${v.invariant_id} ${v.subject}`))].sort();
const itemOf = ({ fault, agent }: Broken) => `${fault.invariantId} ${fault.subject?.(agent) ?? agent.name}`;

test("the fleet is healthy, and green is never for want of something to look at", async () => {
  const { verdicts } = await cycle();
  const seen = Object.entries(verdicts).map(([id, { status, checked }]) => [id, status, checked > 0]);
  const isContainers = (id: unknown) => id === "R-01" || id === "B-08";
  expect(seen.filter(([id]) => !isContainers(id))).toEqual(
    seen.filter(([id]) => !isContainers(id)).map(([id]) => [id, "green", true]),
  );
});

/** The faults, in as few rounds as go together: one of each invariant, and alone what affects all agents. */
function rounds(): (readonly Fault[])[] {
  const together: Fault[][] = [];
  for (const fault of HERE.filter(({ isPlatformWide }) => !isPlatformWide)) {
    const free = together.find((round) => round.every((other) => other.invariantId !== fault.invariantId));
    if (free) free.push(fault);
    else together.push([fault]);
  }
  return [...together, ...HERE.filter(({ isPlatformWide }) => isPlatformWide).map((fault) => [fault])];
}

test("every fault that needs no container: broken, red for what was done and nothing else, cured, recovered", async () => {
  const { breaks } = environment;
  expect(breaks.list().flatMap(({ fault, obstacle }) => (obstacle === null ? [fault] : []))).toEqual(HERE);
  for (const round of rounds()) {
    const broken: Broken[] = [];
    for (const { invariantId, name } of round) broken.push(await breaks.break(invariantId, name));
    // What has to last is not red at once; the drill waits for it.
    const items = broken.filter(({ fault }) => !fault.holdSeconds).map(itemOf);
    expect(redOf(await cycle())).toEqual(items.sort());
    expect((await breaks.cureAll()).map(({ fault }) => fault)).toEqual(round);
    const after = await cycle();
    expect(redOf(after)).toEqual([]);
    expect(after.recoveries.map((r) => r.invariant_id)).toHaveLength(items.length);
    for (const { invariantId } of round) expect(after.verdicts[invariantId]!.status).toBe("green");
  }
});

test("several at once: each is red on an agent of its own; what is broken is said again, and nothing is broken twice", async () => {
  expect((await canary("break s-02")).out).toContain("S-02 is broken: three runs with slots");
  expect((await canary("break S-01")).code).toBe(0);
  const again = await canary("break S-02");
  expect(again.code).toBe(0);
  expect(again.out).toMatch(
    /^S-02 is broken already, since 20.*\n.*break-s-02\n.*3 slots.*\ncure it with `bin\/canary cure S-02`\n$/,
  );
  const other = await canary("break L-03 --cycle");
  expect(other.code).toBe(1);
  expect(other.out).toContain("✗ L-03  red");
  expect(redOf(await cycle())).toEqual(["L-03 break-l-03", "S-01 break-s-01", "S-02 break-s-02"]);

  const { out } = await canary("break");
  expect(
    out
      .split("\n")
      .slice(0, 3)
      .map((line) => line.slice(0, 6)),
  ).toEqual(["✗ S-01", "✗ S-02", "✗ L-03"]);
  expect(out).toMatch(
    /– R-01 {2}zombie +can't be had: .*docker.sock does not answer \(ENOENT\): start a daemon/,
  );

  const all = await canary("cure --all --cycle");
  expect(all.out).toMatch(/S-02 is cured: .*\n.*S-01 is cured|S-01 is cured: .*/);
  expect(all.out).toMatch(/recovered {2}S-01.*\nrecovered {2}S-02.*\nrecovered {2}L-03/);
  expect(redOf(await cycle())).toEqual([]);
  expect(await canary("cure S-02")).toMatchObject({ code: 0, out: "S-02 is not broken\n" });
  expect(await canary("cure --all")).toMatchObject({ code: 0, out: "nothing is broken\n" });
});

test("what is cured has no agent left, be it one or all", async () => {
  await canary("break S-02");
  await canary("break E-06");
  expect(await agentsOfFaults()).toEqual(expect.arrayContaining(["break-s-02", "break-e-06"]));
  await canary("cure S-02");
  expect(await agentsOfFaults()).not.toContain("break-s-02");
  await canary("cure --all");
  expect(await agentsOfFaults()).toEqual([]);
  expect(redOf(await cycle())).toEqual([]);
});

test("what no cycle found red is cured, and nothing is said to recover", async () => {
  await canary("break S-02");
  await canary("break B-02 --cycle");
  await canary("break L-03");
  const { out } = await canary("cure --all");
  expect(out).toContain("the next cycle sees S-02, B-02 recover: run `bin/canary cycle`\n");
  expect(out).toContain("no cycle found L-03 red meanwhile: there is nothing to recover\n");
  await canary("break H-01");
  expect((await canary("cure H-01")).out).toMatch(/^H-01 is cured: .*\nno cycle found H-01 red.*\n$/);
  await cycle();
});

test("at 80 columns every line of an answer and of an error fits", async () => {
  const narrow = (line: string) => canary(line, environment.url, { COLUMNS: "80" });
  for (const line of [
    "break",
    "break S-02",
    "break S-02",
    "break H-03",
    "break R-01",
    "break",
    "cure --all",
  ]) {
    const { out, err } = await narrow(line);
    for (const text of (out + err).split("\n")) expect(widthOf(text), text).toBeLessThanOrEqual(80);
  }
});

test("-v is passed on to the cycle that follows", async () => {
  expect((await canary("break S-02 --cycle")).out).not.toContain("ZCARD");
  await canary("cure S-02 --cycle");
  expect((await canary("break S-02 --cycle -v")).out).toContain("ZCARD");
  await canary("cure S-02 --cycle --verbose");
});

test("a query parameter is refused, as on the other routes", async () => {
  const headers = { authorization: `Bearer ${environment.token}` };
  const response = await fetch(`${environment.url}/api/local/faults?invariant=S-02`, { headers });
  expect(response.status).toBe(422);
  expect(((await response.json()) as { detail: string }).detail).toBe(
    "unknown query parameter: invariant; this route takes none",
  );
});

test("the message of what broke is printed, with a link to the page of this canary", async () => {
  messages.length = 0;
  await canary("break S-02 --cycle");
  expect(messages.join("\n")).toContain("🚨 S-02 Slot overbooking — critical");
  expect(messages.join("\n")).toContain("break-s-02");
  expect(messages.join("\n")).toContain(`${environment.url}/`);
  messages.length = 0;
  await canary("cure S-02 --cycle");
  expect(messages.join("\n")).toContain("✅ S-02 Slot overbooking — recovered");
});

test("a fault that points the canary elsewhere goes with no other, and says so", async () => {
  await canary("break S-02");
  const refused = await canary("break H-03");
  expect(refused).toMatchObject({ code: 254, out: "" });
  expect(refused.err).toContain("where it would not see S-02 (cure first: bin/canary cure --all)");
  await canary("cure S-02");
  const lasting = await canary("break H-01");
  expect(lasting.out).toContain(
    "H-01 will be red with a cycle 60 s after the next one, since it has to last",
  );
  expect((await canary("break S-02")).err).toContain("H-01 is broken: the canary reads another place");
  await canary("cure H-01");
});

test.for([
  ["break X-99", "there is no invariant X-99; there are H-01"],
  [
    "break R-01",
    "unix:///nowhere/docker.sock does not answer (ENOENT): start a daemon, or name one in DOCKER_HOST",
  ],
  [
    "break S-03 --fault nothing",
    'S-03 has no fault "nothing": give one of "short-lived slot", "slot that never',
  ],
  ["cure", "name one invariant, or give --all: bin/canary cure S-02"],
  ["cure S-02 --all", "name one invariant, or give --all: bin/canary cure S-02"],
  ["break s-2", "there is no invariant s-2: did you mean S-02?"],
  ["cure s2", "there is no invariant s2: did you mean S-02?"],
  ["cure X-99", "there is no invariant X-99; there are H-01"],
  ["break --cycle", "name the invariant: canary break S-02"],
] as const)("canary %s: one clear line", async ([line, message]) => {
  const { code, out, err } = await canary(line);
  expect([code, out]).toEqual([254, ""]);
  expect(err).toContain(message);
  expect(err.trim().split("\n")).toHaveLength(1);
});

test("a deployed canary has no such routes: the command says what can be broken this way", async () => {
  const { canary: own, token } = environment;
  const app = createApp({ canary: own, runCycle: environment.runCycle, adminToken: token, logError() {} });
  const deployed = await serve(app, 0);
  try {
    const headers = { authorization: `Bearer ${token}` };
    for (const path of ["break", "cure"])
      expect((await fetch(`${deployed.url}/api/local/${path}`, { method: "POST", headers })).status).toBe(
        404,
      );
    expect((await fetch(`${deployed.url}/api/local/faults`, { headers })).status).toBe(404);
    for (const line of ["break S-02", "cure S-02", "break"]) {
      const { code, err } = await canary(line, deployed.url);
      expect([code, err]).toEqual([
        254,
        expect.stringContaining("only what `npm start` runs can be broken this way"),
      ]);
    }
  } finally {
    await deployed.close();
  }
  const without = await runHere({}, ["break", "S-02"]);
  expect(without.err).toContain("CANARY_URL is missing: paste the export line that `npm start` prints");
});

test("without the token, and with a body that is none, nothing is broken", async () => {
  const url = `${environment.url}/api/local/break`;
  const headers = { authorization: `Bearer ${environment.token}` };
  expect((await fetch(url, { method: "POST", body: '{"invariant_id":"S-02"}' })).status).toBe(401);
  for (const body of ["", "[]", '{"id":"S-02"}']) {
    const response = await fetch(url, { method: "POST", body, headers });
    expect(response.status).toBe(422);
    expect(((await response.json()) as { detail: string }).detail).toContain('send {"invariant_id": "S-02"}');
  }
  expect(environment.breaks.list().filter(({ on }) => on !== null)).toEqual([]);
});

test("the end cures what is broken and removes its agents; then nothing can be broken", async () => {
  for (const id of ["S-02", "E-06", "B-02"]) await environment.breaks.break(id);
  await environment.close();
  await expect(environment.breaks.break("S-01")).rejects.toThrow("npm start is ending");
  const database = openDatabaseFile(`file:${join(folder.path, "trinity.db")}`);
  for (const table of ["agent_ownership", "schedule_executions", "agent_schedules"]) {
    const { rows } = await database.execute(`SELECT * FROM ${table} WHERE agent_name LIKE 'break-%'`);
    expect([table, rows]).toEqual([table, []]);
  }
  database.close();
});

test("a Docker daemon that went away has no containers to remove: that is said, and no error", async () => {
  const said: string[] = [];
  const failing = (code: string) => ({
    create: async () => {},
    remove: async () => Promise.reject(Object.assign(new Error(`connect ${code}`), { code })),
  });
  await forgiving(failing("ENOENT"), (code) => said.push(code)).remove("ruby");
  await forgiving(failing("ECONNREFUSED"), (code) => said.push(code)).remove("ruby");
  expect(said).toEqual(["ENOENT", "ECONNREFUSED"]);
  await expect(forgiving(failing("EACCES"), () => {}).remove("ruby")).rejects.toThrow("EACCES");
});
