/** Measures how many containers of many daemons are seen: by readers side by side, and by one process in successive cycles. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleFunction } from "../aws/bundle.ts";
import { type Certificates, makeCertificates } from "../local/dockerd.ts";
import { temporaryFolder } from "../local/temporary-folder.ts";
import { heapOptions, openShare, shareOf } from "./cpu-share.ts";
import { startMeasuredProcess } from "./measured-process.ts";

/** What one process sees in successive cycles. */
export interface OneProcess {
  /** The containers seen up to each cycle. */
  readonly seen: readonly number[];
  readonly outOfDescriptors: number;
}

export interface DaemonsReport {
  /** 100 daemons with 50 containers each, by readers. */
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
const READERS = { daemons: 100, most: 20, processes: 2, reads: 2 } as const;
const ONE_PROCESS = { daemons: 40, processes: 1 } as const;

/** @param processes that share the daemons: one has but one core */
async function startStubs(folder: string, { daemons, processes }: { daemons: number; processes: number }) {
  const each = daemons / processes;
  const children = Array.from({ length: processes }, (_, n) =>
    fork(
      fileURLToPath(new URL("./stub-daemons.ts", import.meta.url)),
      [folder, n * each, each, CONTAINERS].map(String),
      { execArgv: [] },
    ),
  );
  const started = (await Promise.all(children.map((child) => once(child, "message")))) as [
    { hosts: string[] },
  ][];
  return {
    hosts: started.flatMap(([{ hosts }]) => hosts),
    async close() {
      await Promise.all(
        children.map((child) => {
          child.disconnect();
          return once(child, "exit");
        }),
      );
    },
  };
}

type Stubs = Awaited<ReturnType<typeof startStubs>>;

const envOf = ({ hosts }: Stubs, tls: Certificates) => ({
  LIBSQL_URL: "none",
  UPSTASH_REDIS_REST_URL: "none",
  DOCKER_HOSTS: hosts.join(),
  DOCKER_TLS_CA: tls.ca,
  DOCKER_TLS_CERT: tls.cert,
  DOCKER_TLS_KEY: tls.key,
});

/** @param group as for the process */
async function measureOne(
  bundle: string,
  stubs: Stubs,
  tls: Certificates,
  group?: string,
): Promise<OneProcess> {
  const options = heapOptions(MEMORY_MB);
  const measured = startMeasuredProcess(bundle, { options, group, descriptors: DESCRIPTORS });
  try {
    // This process reads all of them itself.
    const env = { ...envOf(stubs, tls), DOCKER_READERS_FROM: "10000" };
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

/** Measures a read by warm readers, which are as many as functions would be, on this machine's cores. */
async function measureReaders(bundle: string, entry: string, stubs: Stubs, tls: Certificates) {
  const measured = startMeasuredProcess(bundle, { descriptors: DESCRIPTORS });
  try {
    const readers = { entry, most: READERS.most, memoryMb: MEMORY_MB };
    const reads = await measured.ask("docker", { env: envOf(stubs, tls), reads: READERS.reads, readers });
    const { seen, ms } = reads.at(-1)!;
    return { seen: new Set(seen).size, ms };
  } finally {
    await measured.close();
  }
}

/** Makes stand-ins for the daemons, and ends them after the work. */
async function withStubs<T>(
  folder: string,
  fleet: Parameters<typeof startStubs>[1],
  work: (stubs: Stubs) => Promise<T>,
): Promise<T> {
  const stubs = await startStubs(folder, fleet);
  try {
    return await work(stubs);
  } finally {
    await stubs.close();
  }
}

/**
 * Measures 100 daemons by readers; and 40 in one process, with all that this machine has, and with the part of a core that a
 * function has.
 */
export async function measureDaemons(bundle: string): Promise<DaemonsReport> {
  const folder = await temporaryFolder();
  const share = openShare(shareOf(MEMORY_MB));
  try {
    await bundleFunction("infra/local/reader-process.ts", join(folder.path, "reader"));
    const { client } = await makeCertificates(folder.path);
    const entry = join(folder.path, "reader", "index.mjs");
    const readers = await withStubs(folder.path, READERS, (stubs) =>
      measureReaders(bundle, entry, stubs, client),
    );
    return await withStubs(folder.path, ONE_PROCESS, async (stubs) => ({
      readers,
      oneProcess: await measureOne(bundle, stubs, client),
      inFunction: share && (await measureOne(bundle, stubs, client, share.group)),
    }));
  } finally {
    await share?.close();
    await folder.remove();
  }
}
