/** Reading containers against an API that is slow, late or odd on demand. test/live/docker.test.ts has a real daemon. */
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import type { FactName } from "../../../shared/facts/facts.ts";
import { docker } from "../../../shared/sources/docker/docker.ts";
import { loadConfig } from "../../../shared/variables.ts";
import { containerId, type DockerApi, useDockerApis } from "../../support/docker-api.ts";

const PS = ["ps", "-eo", "stat,pid,comm"];
const start = useDockerApis();

/** Reads them as a cycle does. */
async function readAll(apis: readonly DockerApi[], sourceDeadlineMs: number, wanted: FactName) {
  const values = {
    hosts: apis.map(({ host }) => host),
    readersFrom: 10,
    readerDaemons: 5,
    ca: null,
    cert: null,
    key: null,
  };
  const { cycle } = loadConfig({ SOURCE_DEADLINE_MS: String(sourceDeadlineMs) });
  const reader = docker.configure(values, { cycle, database: null });
  if (typeof reader === "string") throw new Error(reader);
  const { signal } = new AbortController();
  return reader({ signal, now: Date.now, wanted: new Set([wanted]), since: { ended: null } });
}

/** The zombies in them. */
async function read(apis: readonly DockerApi[], sourceDeadlineMs = 60_000) {
  const {
    readings: { zombies },
    unavailable,
    unavailableByAgent = [],
  } = await readAll(apis, sourceDeadlineMs, "zombies");
  const lines = unavailableByAgent.map(({ line }) => line);
  if (!zombies?.read) throw new Error(zombies?.reason);
  return { ...zombies.value, unlisted: zombies.unlisted, unavailable: [...unavailable, ...lines] };
}

/** Those that run, by an inspect each. */
async function runningIn(apis: readonly DockerApi[]) {
  const { containers } = (await readAll(apis, 60_000, "containers")).readings;
  if (!containers?.read) throw new Error(containers?.reason);
  return containers.value.running;
}

/** A promise that the test resolves. */
function gate() {
  let open = () => {};
  const opens = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opens };
}

test("a healthy container costs four requests, and its ps runs as nobody", async () => {
  const api = await start("agent-ruby");
  expect((await read([api])).containers).toMatchObject([
    { agent: "ruby", containerId: containerId(0), startedAt: "2026-11-23T08:00:00Z", zombiePids: [] },
  ]);
  expect(api.requests.slice(1)).toEqual([
    `GET /containers/${containerId(0)}/json`,
    `POST /containers/${containerId(0)}/exec`,
    "POST /exec/1/start",
    "GET /exec/1/json",
  ]);
  expect(api.execs).toMatchObject([{ args: PS, user: "65534:65534" }]);
});

test("a request that gets no answer ends with its container's deadline, and leaves no connection", async () => {
  const api = await start("agent-mute", "agent-ruby");
  api.before = (request) =>
    request === `POST /containers/${containerId(0)}/exec` ? new Promise<void>(() => {}) : undefined;
  const { containers, unavailable } = await read([api], 2_000);
  expect(containers.map(({ agent }) => agent)).toEqual(["ruby"]);
  expect(unavailable).toEqual(["docker.exec[mute]: no answer within 1000 ms"]);
  while (api.sockets.size > 0) await setImmediate();
});

test("the connections of containers that hang are closed before the next ones are opened", async () => {
  const api = await start(...Array.from({ length: 30 }, (_, n) => `agent-${n}`));
  let most = 0;
  api.before = (request) => {
    most = Math.max(most, api.sockets.size);
    return request.endsWith("/exec") ? new Promise<void>(() => {}) : undefined;
  };
  const { unseenContainers } = await read([api], 2_000);
  expect(unseenContainers).toHaveLength(30);
  // Sixteen, and some whose end has not arrived yet.
  expect(most).toBeLessThan(24);
});

test("an exec that was made too late to be started is started by the next read: it makes no second", async () => {
  const api = await start("agent-ruby");
  const late = gate();
  api.before = (request) => (request.endsWith("/exec") ? late.opens : undefined);
  // A loaded machine may take the whole deadline for the requests before it.
  while (!api.requests.some((request) => request.endsWith("/exec")))
    expect((await read([api], 400)).unavailable).toEqual(["docker.exec[ruby]: no answer within 200 ms"]);
  late.open();
  while (api.execs.length === 0) await setImmediate();
  expect((await read([api])).containers).toHaveLength(1);
  expect(api.execs).toHaveLength(1);
});

test("another reader's ps is waited for; one that stays is left alone, and nothing is started beside it", async () => {
  const api = await start("agent-ruby");
  const others = { id: "other", args: PS, user: "0:0", running: true, exitCode: null as number | null };
  api.execs.push(others);
  api.before = (request) => {
    if (request === "GET /exec/other/json" && api.requests.length > 3)
      Object.assign(others, { running: false, exitCode: 0 });
  };
  expect((await read([api])).containers).toHaveLength(1);

  Object.assign(others, { running: true, exitCode: null });
  api.before = () => {};
  const made = api.execs.length;
  const stuck = await read([api]);
  expect(stuck.unseenContainers).toEqual([{ agent: "ruby", containerId: containerId(0) }]);
  expect(stuck.unavailable).toEqual([
    "docker.exec[ruby]: an earlier ps still runs in the container, so no other is started",
  ]);
  expect(api.execs).toHaveLength(made);
});

test("what others run in a container is no obstacle, up to a hundred", async () => {
  const api = await start("agent-ruby");
  const shell = (n: number) => ({ id: `s${n}`, args: ["bash"], user: "", running: true, exitCode: null });
  api.execs.push(...Array.from({ length: 100 }, (_, n) => shell(n)));
  expect((await read([api])).containers).toHaveLength(1);
  api.execs.push(shell(100));
  expect((await read([api])).unavailable).toEqual([
    "docker.exec[ruby]: 101 commands run in the container, so no other is started",
  ]);
});

test("the daemon closes the output before it notes the end: that is no failure", async () => {
  const api = await start("agent-ruby");
  let looks = 0;
  api.before = (request) => {
    if (request !== "GET /exec/1/json") return;
    looks += 1;
    Object.assign(
      api.execs[0]!,
      looks < 3 ? { running: true, exitCode: null } : { running: false, exitCode: 0 },
    );
  };
  expect((await read([api])).containers).toHaveLength(1);
  expect(api.execs).toHaveLength(1);
});

test("over twenty daemons 64 containers are looked at together and no more, and all are seen", async () => {
  const names = Array.from({ length: 10 }, (_, n) => `agent-${n}`);
  const apis = await Promise.all(Array.from({ length: 20 }, () => start(...names)));
  let [now, most] = [0, 0];
  const full = gate();
  for (const api of apis)
    api.before = async (request) => {
      if (!request.endsWith("/start")) return;
      now += 1;
      most = Math.max(most, now);
      if (now === 64) full.open();
      await full.opens;
      // Time for more to come, if more may come.
      for (let turn = 0; turn < 100; turn += 1) await setImmediate();
      now -= 1;
    };
  const { containers, unavailable } = await read(apis);
  expect(unavailable).toEqual([]);
  expect(containers).toHaveLength(200);
  expect(most).toBe(64);
});

/**
 * Lets one daemon after another give its list, and fill the connections that it may have. One inspect of each waits for the
 * end, so that none of them is closed.
 * @returns how many connections are open, after each daemon
 */
function openOneAfterAnother(apis: readonly DockerApi[], socketsOfEach: number, end: Promise<void>) {
  const lists = apis.map(() => gate());
  const counts: number[] = [];
  for (const [n, api] of apis.entries()) {
    const full = gate();
    let asked = 0;
    api.before = async (request) => {
      if (request === "GET /containers/json") return lists[n]!.opens;
      asked += 1;
      const isFirst = asked === 1;
      if (asked === socketsOfEach) full.open();
      await full.opens;
      if (!isFirst) return;
      // Time for more to come, if more may come.
      for (let turn = 0; turn < 30; turn += 1) await setImmediate();
      counts.push(apis.reduce((sum, { sockets }) => sum + sockets.size, 0));
      lists[n + 1]?.open();
      await end;
    };
  }
  lists[0]!.open();
  return counts;
}

test("40 daemons share 256 connections, also where each keeps all that it may have", async () => {
  const names = Array.from({ length: 12 }, (_, n) => `agent-${n}`);
  const apis = await Promise.all(Array.from({ length: 40 }, () => start(...names)));
  const end = gate();
  const counts = openOneAfterAnother(apis, 6, end.opens);
  const reading = runningIn(apis);
  while (counts.length < apis.length) await setImmediate();
  end.open();
  expect(await reading).toHaveLength(480);
  // Six of each.
  expect(Math.max(...counts)).toBe(240);
});

test("of 260 daemons 256 are asked at once, and the others after them", async () => {
  const apis = await Promise.all(Array.from({ length: 260 }, (_, n) => start(`agent-${n}`)));
  const [full, counted] = [gate(), gate()];
  let asked = 0;
  for (const api of apis)
    api.before = async (request) => {
      if (request !== "GET /containers/json") return;
      asked += 1;
      if (asked === 256) full.open();
      await counted.opens;
    };
  const reading = runningIn(apis);
  await full.opens;
  for (let turn = 0; turn < 50; turn += 1) await setImmediate();
  expect(asked).toBe(256);
  expect(apis.reduce((sum, { sockets }) => sum + sockets.size, 0)).toBe(256);
  counted.open();
  expect(await reading).toHaveLength(260);
});

test("what does not get its turn in time is unseen, and is not begun", async () => {
  const names = Array.from({ length: 40 }, (_, n) => `agent-${n}`);
  const api = await start(...names);
  api.before = (request) => (request.endsWith("/start") ? new Promise<void>(() => {}) : undefined);
  const { containers, unseenContainers, unavailable } = await read([api], 400);
  expect(containers).toEqual([]);
  expect(unseenContainers).toHaveLength(40);
  expect(api.execs.length).toBeLessThanOrEqual(32);
  expect(unavailable[0]).toMatch(
    /^docker\.exec: \d+ containers not looked at in time: the next cycle begins with them$/,
  );
});

test("a name of more than a thousand characters can't be read, and a line says so", async () => {
  const api = await start(`agent-${"x".repeat(994)}`, `agent-${"y".repeat(995)}`);
  const { containers, unlisted, unavailable } = await read([api]);
  expect(containers.map(({ agent }) => agent)).toEqual(["x".repeat(994)]);
  expect(unlisted).toBe("docker.names: 1 running container without a readable name");
  expect(unavailable).toEqual([unlisted]);
});

test("what a ps makes up comes in as pids that a kernel has, each once, a thousand at most", async () => {
  const api = await start("agent-liar");
  const list = (...pids: (number | string)[]) =>
    ["STAT PID COMMAND", "Ss 1 sleep", ...pids.map((pid) => `Z ${pid} claude`)].join("\n");
  api.processes = list(7, 7, "1".repeat(400), "-3", "0x9", 9);
  expect((await read([api])).containers).toMatchObject([{ zombiePids: [7, 9] }]);
  api.processes = list(...Array.from({ length: 20_000 }, (_, n) => n + 2));
  const many = await read([api]);
  expect(many.containers[0]?.zombiePids).toHaveLength(1_000);
  expect(many.unavailable).toEqual(["docker.exec[liar]: 20000 zombies: the first 1000 are looked at"]);
});
