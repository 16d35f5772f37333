/** Measures how many containers of many daemons are seen: by readers side by side, and by one process in successive cycles. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { makeCertificates } from "../local/dockerd.ts";
import { temporaryFolder } from "../local/temporary-folder.ts";
import { heapOptions, openShare, shareOf } from "./cpu-share.ts";
import { startMeasuredProcess } from "./measured-process.ts";

export interface DaemonsReport {
  /** 100 daemons with 50 containers each, by readers. */
  readonly readers: { readonly seen: number; readonly ms: number } | null;
  /** 40 daemons with 50 containers each, in one process: the containers seen up to each of three cycles. */
  readonly oneProcess: { readonly seen: readonly number[]; readonly outOfDescriptors: number } | null;
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

/** In one process, with the part of a core that a function of that memory has, where this machine can give it. */
export async function measureDaemons(bundle: string): Promise<DaemonsReport> {
  const folder = await temporaryFolder();
  const { client } = await makeCertificates(folder.path);
  const stubs = await startStubs(folder.path, 40);
  const share = openShare(shareOf(MEMORY_MB));
  const measured = startMeasuredProcess(bundle, {
    options: heapOptions(MEMORY_MB),
    group: share?.group,
    descriptors: DESCRIPTORS,
  });
  try {
    const env = {
      LIBSQL_URL: "none",
      UPSTASH_REDIS_REST_URL: "none",
      DOCKER_HOSTS: stubs.hosts.join(),
      DOCKER_TLS_CA: client.ca,
      DOCKER_TLS_CERT: client.cert,
      DOCKER_TLS_KEY: client.key,
      DOCKER_READERS_FROM: "10000",
    };
    const reads = await measured.ask("docker", { env, reads: CYCLES });
    const seen = new Set<string>();
    return {
      readers: null,
      oneProcess: {
        seen: reads.map((read) => {
          for (const id of read.seen) seen.add(id);
          return seen.size;
        }),
        outOfDescriptors: reads.reduce((sum, read) => sum + read.outOfDescriptors, 0),
      },
    };
  } finally {
    await measured.close();
    await share?.close();
    await stubs.close();
    await folder.remove();
  }
}
