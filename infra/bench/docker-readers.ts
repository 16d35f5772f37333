/**
 * Measures how many Docker daemons are read: by one process in successive reads, and by readers side by side. The daemons are
 * stubs over TLS in a process of their own. `sh -c 'ulimit -S -n 1024; exec node --import ./infra/runtime.mjs
 * infra/bench/docker-readers.ts'` measures both with as many descriptors as a function has.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { UnfinishedDaemon } from "../../shared/facts/facts.ts";
import { docker } from "../../shared/sources/docker/docker.ts";
import type { CallReader } from "../../shared/sources/docker/reader-call.ts";
import { loadConfig } from "../../shared/variables.ts";
import { bundleFunction } from "../aws/bundle.ts";
import { readerProcesses } from "../local/reader-processes.ts";
import { cpuMsOf, type StubDaemons, startStubDaemons } from "../local/stub-daemons.ts";
import { temporaryFolder } from "../local/temporary-folder.ts";

export interface ReadMeasured {
  /** Containers whose processes were listed. */
  readonly seen: number;
  readonly ms: number;
  /** CPU of what read, in ms: one number for each process. */
  readonly cpuMs: readonly number[];
  readonly stubsCpuMs: number;
  /** Of the process that had the most, in MB. */
  readonly peakMb: number;
  /** Descriptors that one process had open at once, as far as was looked. */
  readonly mostDescriptors: number;
  readonly unavailable: readonly string[];
}

const LOOK_MS = 50;
const peakMbOf = (pid: number): number => {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1024;
};
const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

/** Reads the stubs once as a cycle does, and watches the processes that read. */
async function measureRead(
  stubs: StubDaemons,
  hosts: readonly string[],
  pids: () => readonly number[],
  more: {
    readonly env?: Record<string, string>;
    readonly callReader?: CallReader;
    readonly unfinished?: readonly UnfinishedDaemon[] | undefined;
  },
) {
  const { sources, cycle } = loadConfig({ ...stubs.env, DOCKER_HOSTS: hosts.join(","), ...more.env });
  const read = docker.configure(sources.docker, { cycle, database: null, callReader: more.callReader });
  if (typeof read === "string") throw new Error(read);
  const before = new Map(pids().map((pid) => [pid, cpuMsOf(pid)]));
  const stubsBefore = stubs.cpuMs();
  let mostDescriptors = 0;
  const looking = setInterval(() => {
    for (const pid of pids()) mostDescriptors = Math.max(mostDescriptors, descriptorsOf(pid));
  }, LOOK_MS);
  const from = performance.now();
  const { readings, unavailable } = await read({
    signal: AbortSignal.timeout(cycle.sourceDeadlineMs),
    now: Date.now,
    wanted: new Set(["zombies", "containers"]),
    since: { ended: null, unfinishedDaemons: more.unfinished },
  });
  const ms = performance.now() - from;
  clearInterval(looking);
  const zombies = readings.zombies?.read ? readings.zombies.value : null;
  const measured: ReadMeasured = {
    seen: zombies?.containers.length ?? 0,
    ms,
    cpuMs: pids().map((pid) => cpuMsOf(pid) - (before.get(pid) ?? 0)),
    stubsCpuMs: stubs.cpuMs() - stubsBefore,
    peakMb: Math.max(...pids().map(peakMbOf)),
    mostDescriptors,
    unavailable,
  };
  return { measured, ids: zombies?.containers.map(({ containerId }) => containerId) ?? [], zombies };
}

/** Reads daemons in this process, each read going on where the one before it stopped. */
export async function measureOneProcess({ daemons = 40, containers = 50, reads = 3 } = {}) {
  const stubs = await startStubDaemons({ daemons, containers });
  try {
    const all = new Set<string>();
    const measured: ReadMeasured[] = [];
    let unfinished: readonly UnfinishedDaemon[] | undefined;
    for (let n = 0; n < reads; n += 1) {
      const read = await measureRead(stubs, stubs.hosts, () => [process.pid], { unfinished });
      measured.push(read.measured);
      unfinished = read.zombies?.unfinished;
      for (const id of read.ids) all.add(id);
    }
    return { daemons, containers, seenInAll: all.size, reads: measured };
  } finally {
    await stubs.close();
  }
}

/**
 * Reads daemons by readers that are built as the function is, each with the memory of one: twice, from cold and warm
 * processes.
 * @param daemonsEach how many daemons a reader reads
 * @param atOnce how many daemons are read at once: functions have a machine each, and processes share this one
 */
export async function measureReaders({
  daemons = 100,
  containers = 50,
  daemonsEach = 5,
  memoryMb = 512,
  atOnce = 100,
} = {}) {
  const folder = await temporaryFolder();
  await bundleFunction("infra/local/reader-process.ts", folder.path);
  const stubs = await startStubDaemons({ daemons, containers });
  const readers = readerProcesses(stubs.env, {
    most: Math.ceil(daemons / daemonsEach),
    entry: join(folder.path, "index.mjs"),
    execArgv: [`--max-old-space-size=${Math.floor(memoryMb * 0.9)}`],
  });
  const pids = () => [...readers.processes].map(({ pid }) => pid!);
  const env = { DOCKER_READERS_FROM: "1", DOCKER_READER_DAEMONS: String(daemonsEach) };
  const readAll = async () => {
    const parts: ReadMeasured[] = [];
    for (let from = 0; from < daemons; from += atOnce) {
      const hosts = stubs.hosts.slice(from, from + atOnce);
      parts.push((await measureRead(stubs, hosts, pids, { env, callReader: readers })).measured);
    }
    return parts;
  };
  try {
    return { daemons, containers, daemonsEach, atOnce, cold: await readAll(), warm: await readAll() };
  } finally {
    await readers.close();
    await stubs.close();
    await folder.remove();
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
const lineOf = (parts: readonly ReadMeasured[]): string => {
  const cpu = parts.flatMap(({ cpuMs }) => cpuMs);
  const most = (pick: (part: ReadMeasured) => number) => Math.max(...parts.map(pick));
  return [
    `${sum(parts.map(({ seen }) => seen))} seen`,
    `slowest ${(most(({ ms }) => ms) / 1000).toFixed(1)} s`,
    `CPU ${(sum(cpu) / 1000).toFixed(1)} s (the most of a process ${(Math.max(...cpu) / 1000).toFixed(2)} s)`,
    `stubs ${(sum(parts.map(({ stubsCpuMs }) => stubsCpuMs)) / 1000).toFixed(1)} s`,
    `peak ${most(({ peakMb }) => peakMb).toFixed(0)} MB`,
    `${most(({ mostDescriptors }) => mostDescriptors)} descriptors`,
    ...new Set(parts.flatMap(({ unavailable }) => unavailable.slice(0, 3))),
  ].join(", ");
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const load = () => readFileSync("/proc/loadavg", "utf8").split(" ")[0];
  console.log(`load ${load()}`);
  const one = await measureOneProcess();
  for (const read of one.reads) console.log(`one process: ${lineOf([read])}`);
  console.log(
    `one process: ${one.seenInAll} of ${one.daemons * one.containers} in ${one.reads.length} reads`,
  );
  for (const atOnce of [100, 5]) {
    const { cold, warm } = await measureReaders({ atOnce });
    console.log(`readers, ${atOnce} daemons at once, cold: ${lineOf(cold)}`);
    console.log(`readers, ${atOnce} daemons at once, warm: ${lineOf(warm)}`);
  }
  console.log(`load ${load()}`);
}
