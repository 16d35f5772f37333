/** Measures how many containers of many daemons are seen: by readers side by side, and by one process in successive cycles. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
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

async function startStubs(folder: string, daemons: number) {
  const child = fork(
    fileURLToPath(new URL("./stub-daemons.ts", import.meta.url)),
    [folder, String(daemons), String(CONTAINERS)],
    { execArgv: [] },
  );
  const [{ hosts }] = (await once(child, "message")) as [{ hosts: string[] }];
  return {
    hosts,
    async close() {
      child.disconnect();
      await once(child, "exit");
    },
  };
}

type Stubs = Awaited<ReturnType<typeof startStubs>>;

/** @param group as for the process */
async function measureOne(
  bundle: string,
  { hosts }: Stubs,
  tls: Certificates,
  group?: string,
): Promise<OneProcess> {
  const options = heapOptions(MEMORY_MB);
  const measured = startMeasuredProcess(bundle, { options, group, descriptors: DESCRIPTORS });
  try {
    const env = {
      LIBSQL_URL: "none",
      UPSTASH_REDIS_REST_URL: "none",
      DOCKER_HOSTS: hosts.join(),
      DOCKER_TLS_CA: tls.ca,
      DOCKER_TLS_CERT: tls.cert,
      DOCKER_TLS_KEY: tls.key,
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

/** Measures 40 daemons in one process: with all that this machine has, and with the part of a core that a function has. */
export async function measureDaemons(bundle: string): Promise<DaemonsReport> {
  const folder = await temporaryFolder();
  const { client } = await makeCertificates(folder.path);
  const stubs = await startStubs(folder.path, 40);
  const share = openShare(shareOf(MEMORY_MB));
  try {
    return {
      readers: null,
      oneProcess: await measureOne(bundle, stubs, client),
      inFunction: share && (await measureOne(bundle, stubs, client, share.group)),
    };
  } finally {
    await share?.close();
    await stubs.close();
    await folder.remove();
  }
}
