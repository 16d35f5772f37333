/** Daemons that answer without end, or something else than a daemon does: each costs a bounded memory, and is named. */
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { docker } from "../../../shared/sources/docker/docker.ts";
import { loadConfig } from "../../../shared/variables.ts";
import { containerId, type DockerApi, useDockerApis } from "../../support/docker-api.ts";

const start = useDockerApis();

/** Reads zombies and containers as a cycle does. */
async function read(...apis: DockerApi[]) {
  const hosts = apis.map(({ host }) => host);
  const values = { hosts, readersFrom: 10, readerDaemons: 5, ca: null, cert: null, key: null };
  const { cycle } = loadConfig({ SOURCE_DEADLINE_MS: "60000" });
  const reader = docker.configure(values, { cycle, database: null });
  if (typeof reader === "string") throw new Error(reader);
  const { readings, unavailable, unavailableByAgent } = await reader({
    signal: new AbortController().signal,
    now: Date.now,
    wanted: new Set(["zombies", "containers"]),
    since: { ended: null },
  });
  const lines = unavailableByAgent?.map(({ line }) => line) ?? [];
  const { zombies, containers } = readings;
  if (!zombies?.read || !containers?.read) throw new Error("not read");
  return {
    agents: zombies.value.containers.map(({ agent }) => agent),
    unseenDaemons: zombies.value.unseenDaemons,
    unlisted: zombies.value.unseenContainers.map(({ agent }) => agent),
    uninspected: containers.value.unseenContainers.map(({ agent }) => agent),
    unavailable: [...unavailable, ...lines],
  };
}

/** Answers such requests with a head, and then with bytes for as long as somebody takes them. */
function endless(api: DockerApi, request: RegExp, head = "HTTP/1.1 200 OK", piece = " ".repeat(65_536)) {
  const closed: Promise<number>[] = [];
  const go = (socket: Socket) => {
    while (!socket.destroyed && socket.write(`${piece.length.toString(16)}\r\n${piece}\r\n`));
  };
  api.before = (asked, socket) => {
    if (!request.test(asked)) return undefined;
    closed.push(new Promise((resolve) => socket.once("close", () => resolve(socket.bytesWritten))));
    socket.on("drain", () => go(socket)).on("error", () => {});
    socket.write(`${head}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`);
    go(socket);
    return new Promise<void>(() => {});
  };
  return {
    /** The bytes that the daemon could send on each connection, once they are closed. */
    sent: () => Promise.all(closed),
  };
}

test.for([
  ["its list", "HTTP/1.1 200 OK"],
  ["the reason of a refusal", "HTTP/1.1 500 Internal Server Error"],
])("a daemon that sends %s without end is unseen, and the others count", async ([, head]) => {
  const [flood, sound] = [await start("agent-ruby"), await start("agent-opal")];
  const { sent } = endless(flood, /^GET .containers.json$/, head);
  const { agents, unseenDaemons, unavailable } = await read(flood, sound);
  expect({ agents, unseenDaemons, unavailable }).toEqual({
    agents: ["opal"],
    unseenDaemons: [flood.host],
    unavailable: [`docker[${flood.host}]: the answer is larger than 8 MB`],
  });
  // What the kernel and the streams hold comes on top.
  for (const bytes of await sent()) expect(bytes).toBeLessThan(12_000_000);
});

test.for<[string, RegExp, string, number]>([
  ["an inspect", /^GET .containers.\w{64}.json$/, "the answer is larger than 1 MB", 1_000_000],
  ["the name of a command", /^POST .containers.\w{64}.exec$/, "the answer is larger than 1 MB", 1_000_000],
  ["the output of a command", /^POST .exec.\d+.start$/, "the output of ps does not end", 4_000_000],
  ["the end of a command", /^GET .exec.\d+.json$/, "the answer is larger than 1 MB", 1_000_000],
])("where it sends %s without end, its container is unseen", async ([what, request, why, most]) => {
  const [flood, sound] = [await start("agent-ruby"), await start("agent-opal")];
  const { sent } = endless(flood, request);
  const { agents, unlisted, uninspected, unavailable } = await read(flood, sound);
  expect({ agents, unlisted, unavailable }).toEqual({
    agents: ["opal"],
    unlisted: ["ruby"],
    unavailable: [`docker.exec[ruby]: ${why}`],
  });
  expect(uninspected).toEqual(what === "an inspect" ? ["ruby"] : []);
  for (const bytes of await sent()) expect(bytes).toBeLessThan(most + 4_000_000);
});

test.for([
  ["http://127.0.0.1:1/containers/json", "elsewhere"],
  ["ftp://127.0.0.1/", "by a protocol that nobody speaks"],
])("a redirect (to %s) is not followed: the daemon is unseen", async ([location]) => {
  const [moved, sound] = [await start("agent-ruby"), await start("agent-opal")];
  moved.before = (asked, socket) => {
    if (asked !== "GET /containers/json") return undefined;
    socket.end(`HTTP/1.1 302 Found\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`);
    return new Promise<void>(() => {});
  };
  expect(await read(moved, sound)).toMatchObject({
    agents: ["opal"],
    unseenDaemons: [moved.host],
    unavailable: [expect.stringMatching(/: the daemon answered HTTP 302 .*: DOCKER_HOSTS$/)],
  });
});

test("a daemon that lists more containers than any has is unseen, and none of them is looked at", async () => {
  const [liar, sound] = [await start("agent-ruby"), await start("agent-opal")];
  liar.containers = Array.from({ length: 10_001 }, (_, n) => ({ Id: String(n), Names: [] }));
  expect(await read(liar, sound)).toMatchObject({
    agents: ["opal"],
    unseenDaemons: [liar.host],
    unlisted: [],
    unavailable: [`docker[${liar.host}]: it lists 10001 containers, more than 10000`],
  });
});

test.for<[string, string]>([
  ["no JSON", "<html>"],
  ["no list", "{}"],
  ["a list of nothing", "[null]"],
  ["a list of paths", JSON.stringify([{ Id: "../../images", Names: ["/agent-ruby"] }])],
  ["a list of IDs without end", JSON.stringify([{ Id: "a".repeat(1_000), Names: ["/agent-ruby"] }])],
])("an answer that is %s is not that of a daemon", async ([, body]) => {
  const [odd, sound] = [await start("agent-ruby"), await start("agent-opal")];
  odd.before = (asked, socket) => {
    if (asked !== "GET /containers/json") return undefined;
    socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    return new Promise<void>(() => {});
  };
  expect((await read(odd, sound)).unavailable).toEqual([
    `docker[${odd.host}]: the answer is not that of a Docker daemon`,
  ]);
});

test.for<[string, object]>([
  ["no start", { State: { StartedAt: undefined } }],
  ["a start without end", { State: { StartedAt: "2026-11-23T08:00:00.".padEnd(1_000, "0") } }],
  ["a variable that is none", { Config: { Env: ["A=b", null] } }],
  ["one variable in place of a list", { Config: { Env: "TRINITY_PULL_MODE=true" } }],
  ["an exec that is none", { ExecIDs: [{}] }],
])("a container whose inspect has %s is unseen", async ([, inspect]) => {
  const api = await start("agent-ruby", "agent-opal");
  api.inspects.set(containerId(0), inspect);
  expect(await read(api)).toMatchObject({
    agents: ["opal"],
    uninspected: ["ruby"],
    unavailable: ["docker.exec[ruby]: the answer is not that of a Docker daemon"],
  });
});
