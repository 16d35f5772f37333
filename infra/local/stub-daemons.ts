/** Many Docker daemons in one process, over TLS with client certificates: their API as far as the canary uses it. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { type Certificates, makeCertificates } from "./dockerd.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const RUNTIME = new URL("../runtime.mjs", import.meta.url).href;
const SELF = fileURLToPath(import.meta.url);
const PROCESSES = "STAT PID COMMAND\nSs 1 sleep\nR 7 ps\n";
/** What `ps` prints in the first container of each daemon. */
const ZOMBIES = `${PROCESSES}Z 9 claude\n`;

interface Shape {
  readonly daemons: number;
  /** Of each daemon. */
  readonly containers: number;
}

export interface StubDaemons {
  readonly hosts: readonly string[];
  /** The variables of the client certificate. */
  readonly env: {
    readonly DOCKER_TLS_CA: string;
    readonly DOCKER_TLS_CERT: string;
    readonly DOCKER_TLS_KEY: string;
  };
  /** Lets that daemon take each request and answer none. Resolves once one has come. */
  hang(daemon: number): Promise<void>;
  /** CPU that the stubs have used, in ms. */
  cpuMs(): number;
  close(): Promise<void>;
}

/** CPU that a process has used, in ms. */
export function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  // In hundredths of a second, as everywhere on Linux.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Starts them in a process of their own, which may open as many files as the system lets it. */
export async function startStubDaemons(shape: Shape): Promise<StubDaemons> {
  const folder = await temporaryFolder();
  const { server, client } = await makeCertificates(folder.path);
  const script = 'ulimit -S -n "$(ulimit -H -n)"; exec "$0" "$@"';
  const args = ["--import", RUNTIME, SELF, JSON.stringify({ ...shape, ...server })];
  const child = spawn("sh", ["-c", script, process.execPath, ...args], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const exited = once(child, "exit");
  const failed = exited.then(() => Promise.reject(new Error("the stub daemons ended")));
  const [ports] = (await Promise.race([once(child, "message"), failed])) as [number[]];
  failed.catch(() => {});
  return {
    hosts: ports.map((port) => `tcp://127.0.0.1:${port}`),
    env: { DOCKER_TLS_CA: client.ca, DOCKER_TLS_CERT: client.cert, DOCKER_TLS_KEY: client.key },
    async hang(daemon) {
      child.send({ hang: daemon });
      await once(child, "message");
    },
    cpuMs: () => cpuMsOf(child.pid!),
    async close() {
      child.kill("SIGKILL");
      await exited;
      await folder.remove();
    },
  };
}

/** The ID of a container. */
const idOf = (daemon: number, container: number) =>
  createHash("sha256").update(`${daemon}/${container}`).digest("hex");

/** Frames the standard output of an exec as Docker does: the stream's number, three zeros, the length, the bytes. */
export function frame(text: string): Buffer {
  const head = Buffer.alloc(8);
  head[0] = 1;
  head.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

/** Makes what answers for one daemon. */
function daemonOf(daemon: number, containers: number) {
  const ids = Array.from({ length: containers }, (_, n) => idOf(daemon, n));
  const list = JSON.stringify(ids.map((Id, n) => ({ Id, Names: [`/agent-d${daemon}-c${n}`] })));
  const inspect = JSON.stringify({
    State: { Running: true, Status: "running", StartedAt: "2026-11-23T08:00:00Z" },
    ExecIDs: null,
    Config: { Env: ["TRINITY_PULL_MODE=true", "TRINITY_MAX_PARALLEL_TASKS=3"] },
  });
  const ended = JSON.stringify({
    Running: false,
    ExitCode: 0,
    ProcessConfig: { entrypoint: "ps", arguments: [] },
  });
  const json = (response: ServerResponse, status: number, body: string) =>
    response.writeHead(status, { "content-type": "application/json" }).end(body);

  return (request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    const [, kind, id, verb] = (request.url ?? "").split(/[/?]/);
    if (kind === "containers" && id === "json") return json(response, 200, list);
    if (kind === "containers" && verb === "json") return json(response, 200, inspect);
    if (kind === "containers") return json(response, 201, JSON.stringify({ Id: `of-${id}` }));
    if (verb === "start") return response.end(frame(id === `of-${ids[0]}` ? ZOMBIES : PROCESSES));
    return json(response, 200, ended);
  };
}

/** Serves them all, and gives the ports to the process that started this one. */
async function serveAll({ daemons, containers, ca, cert, key }: Shape & Certificates): Promise<void> {
  const tls = {
    ca: readFileSync(ca),
    cert: readFileSync(cert),
    key: readFileSync(key),
    requestCert: true,
    rejectUnauthorized: true,
  };
  const hung = new Set<number>();
  const ports: number[] = [];
  for (let n = 0; n < daemons; n += 1) {
    const answer = daemonOf(n, containers);
    const server = createServer(tls, (request, response) => {
      if (hung.has(n)) process.send?.("asked");
      else answer(request, response);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    ports.push((server.address() as AddressInfo).port);
  }
  process.on("message", ({ hang }: { hang: number }) => void hung.add(hang));
  process.on("disconnect", () => process.exit());
  process.send?.(ports);
}

if (process.argv[1] === SELF) await serveAll(JSON.parse(process.argv[2]!));
