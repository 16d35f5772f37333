/** Measures how many containers of many daemons are seen: by readers, and by one process in successive cycles. */
import { type StubDaemons, startStubDaemons } from "../local/stub-daemons.ts";
import { heapOptions, openShare, shareOf } from "./cpu-share.ts";
import { measureReaders } from "./docker-readers.ts";
import { startMeasuredProcess } from "./measured-process.ts";

/** What one process sees in successive cycles. */
export interface OneProcess {
  /** The containers seen up to each cycle. */
  readonly seen: readonly number[];
  readonly outOfDescriptors: number;
}

export interface DaemonsReport {
  /** 100 daemons with 50 containers each, by readers: what all of them see, and how long the slowest takes. */
  readonly readers: { readonly seen: number; readonly ms: number } | null;
  /** 40 daemons with 50 containers each. */
  readonly oneProcess: OneProcess | null;
  /** The same with the part of a core that a function of that memory has; null where this machine can't give it. */
  readonly inFunction: OneProcess | null;
}

const CONTAINERS = 50;
const DESCRIPTORS = 1_024;
const MEMORY_MB = 512;
const CYCLES = 3;
const DAEMONS_OF_READER = 5;

/** @param group as for the process */
async function measureOne(bundle: string, stubs: StubDaemons, group?: string): Promise<OneProcess> {
  const options = heapOptions(MEMORY_MB);
  const measured = startMeasuredProcess(bundle, { options, group, descriptors: DESCRIPTORS });
  try {
    const env = {
      ...stubs.env,
      LIBSQL_URL: "none",
      UPSTASH_REDIS_REST_URL: "none",
      DOCKER_HOSTS: stubs.hosts.join(),
      // This process reads all of them itself.
      DOCKER_READERS_FROM: "10000",
    };
    const reads = await measured.ask("docker", { env, reads: CYCLES });
    const seen = new Set<string>();
    return {
      seen: reads.map((read) => {
        for (const id of read.seen) seen.add(id);
        return seen.size;
      }),
      outOfDescriptors: reads.reduce((sum, read) => sum + read.outOfDescriptors, 0),
    };
  } finally {
    await measured.close();
  }
}

/** Measures warm readers one after the other: each is a function on a machine of its own. */
async function readersOf(daemons: number) {
  const { warm } = await measureReaders({
    daemons,
    containers: CONTAINERS,
    daemonsEach: DAEMONS_OF_READER,
    memoryMb: MEMORY_MB,
    atOnce: DAEMONS_OF_READER,
  });
  return {
    seen: warm.reduce((sum, { seen }) => sum + seen, 0),
    ms: Math.max(...warm.map(({ ms }) => ms)),
  };
}

/**
 * Measures 100 daemons by readers; and 40 in one process, with all that this machine has, and with the part of a core that a
 * function has.
 */
export async function measureDaemons(bundle: string): Promise<DaemonsReport> {
  const readers = await readersOf(100);
  const stubs = await startStubDaemons({ daemons: 40, containers: CONTAINERS });
  const share = openShare(shareOf(MEMORY_MB));
  try {
    return {
      readers,
      oneProcess: await measureOne(bundle, stubs),
      inFunction: share && (await measureOne(bundle, stubs, share.group)),
    };
  } finally {
    await share?.close();
    await stubs.close();
  }
}
