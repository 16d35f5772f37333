/** Many daemons, stubs over TLS, read by processes: what comes of it is what one process reads, and what fails is unseen. */
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ReaderProcesses, readerProcesses } from "../../infra/local/reader-processes.ts";
import { type StubDaemons, startStubDaemons } from "../../infra/local/stub-daemons.ts";
import { docker } from "../../shared/sources/docker/docker.ts";
import type { CallReader } from "../../shared/sources/docker/reader-call.ts";
import type { SourceResult } from "../../shared/sources/source.ts";
import { loadConfig } from "../../shared/variables.ts";
import { temporaryFolder } from "../support/live.ts";

describe("eight daemons with three containers each, read by two processes", () => {
  let stubs: StubDaemons;
  let readers: ReaderProcesses;
  beforeAll(async () => {
    stubs = await startStubDaemons({ daemons: 8, containers: 3 });
    readers = readerProcesses(stubs.env, { most: 10 });
  }, 60_000);
  afterAll(async () => {
    await readers?.close();
    await stubs?.close();
  });

  /** Reads them as a cycle does. */
  function read(hosts = stubs.hosts, callReader?: CallReader): Promise<SourceResult> {
    const { sources, cycle } = loadConfig({
      ...stubs.env,
      DOCKER_HOSTS: hosts.join(","),
      DOCKER_READERS_FROM: "8",
      DOCKER_READER_DAEMONS: "4",
      SOURCE_DEADLINE_MS: "60000",
    });
    const source = docker.configure(sources.docker, { cycle, database: null, callReader });
    if (typeof source === "string") throw new Error(source);
    const { signal } = new AbortController();
    return source({
      signal,
      now: () => 7,
      wanted: new Set(["zombies", "containers"]),
      since: { ended: null },
    });
  }
  /** What was read, in one order. */
  function plain({ readings: { zombies, containers }, unavailable }: SourceResult) {
    if (!zombies?.read || !containers?.read) throw new Error("not read");
    const byId = (a: { containerId: string }, b: { containerId: string }) =>
      a.containerId < b.containerId ? -1 : 1;
    return {
      zombies: { ...zombies.value, containers: [...zombies.value.containers].sort(byId) },
      containers: { ...containers.value, running: [...containers.value.running].sort(byId) },
      unavailable,
    };
  }

  test("below the number from which on readers read, none is started", async () => {
    expect(plain(await read(stubs.hosts.slice(0, 7), readers)).containers.running).toHaveLength(21);
    expect(readers.processes.size).toBe(0);
  });

  test("they read what one process reads, and the next read uses the same processes", async () => {
    const own = plain(await read());
    expect(own.containers.running).toHaveLength(24);
    expect(own.zombies.containers.filter(({ zombiePids }) => zombiePids.length > 0)).toHaveLength(8);
    expect(plain(await read(stubs.hosts, readers))).toEqual(own);
    const pids = [...readers.processes].map(({ pid }) => pid);
    expect(pids).toHaveLength(2);
    expect(plain(await read(stubs.hosts, readers))).toEqual(own);
    expect([...readers.processes].map(({ pid }) => pid)).toEqual(pids);
  });

  test("a daemon that is dead is unseen alone, and its reader says why", async () => {
    const others = stubs.hosts.slice(1);
    const dead = "tcp://127.0.0.1:1";
    const { zombies, containers, unavailable } = plain(await read([dead, ...others], readers));
    expect(unavailable).toEqual([`docker[${dead}]: ECONNREFUSED 127.0.0.1:1: DOCKER_HOSTS`]);
    for (const fact of [zombies, containers]) expect(fact.unseenDaemons).toEqual([dead]);
    expect(containers.running).toHaveLength(21);
  });

  test("a reader that is killed in the middle is so many unseen daemons, and what others read counts", async () => {
    // Started in the order of the groups: the first one gets the daemon that hangs.
    const fresh = readerProcesses(stubs.env, { most: 10 });
    const asked = stubs.hang(0);
    const reading = read(stubs.hosts, fresh);
    await asked;
    const [first, second] = [...fresh.processes];
    first!.kill("SIGKILL");
    const { zombies, containers, unavailable } = plain(await reading);
    const lost = stubs.hosts.filter((_, n) => n % 2 === 0);
    expect(unavailable).toEqual(lost.map((host) => `docker[${host}]: its reader: it ended with SIGKILL`));
    for (const fact of [zombies, containers]) expect(fact.unseenDaemons).toEqual(lost);
    expect(containers.running).toHaveLength(12);
    expect([...fresh.processes]).toEqual([second]);
    await fresh.close();
  });
});

test("a process that never answers is ended with the call, and no call after it gets its answer", async () => {
  const folder = await temporaryFolder();
  const entry = join(folder.path, "hangs.mjs");
  await writeFile(entry, "process.on('message', () => process.connected || process.exit());");
  const readers = readerProcesses({}, { entry, execArgv: [] });
  const end = new AbortController();
  const late = new Error("no answer within 9700 ms");
  const call = readers.call(
    { read_docker: { hosts: ["tcp://a:1"], wanted: [], unfinished: [], answer_by: 0 } },
    end.signal,
  );
  const [child] = readers.processes;
  const exited = once(child!, "exit");
  end.abort(late);
  await expect(call).rejects.toBe(late);
  await exited;
  expect(readers.processes.size).toBe(0);
  await folder.remove();
});
