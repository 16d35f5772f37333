/**
 * Stand-ins for many Docker daemons, over TLS with client certificates, in a process of their own: `stub-daemons.ts FOLDER FIRST
 * DAEMONS CONTAINERS`. A container answers an exec after as long as a real one takes. Each of its processes is healthy.
 */
import { hash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { json as jsonIn } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { containerName } from "../platform/names.ts";
import { agentName } from "./fleet.ts";

const EXEC_MS = 30;
const PROCESSES = "STAT PID COMMAND\nSs 1 sleep\n";

interface ExecState {
  readonly command: readonly string[];
  readonly user: string | undefined;
  exitCode: number | null;
}

/** A frame of the standard output, as Docker sends it. */
function frame(text: string): Buffer {
  const head = Buffer.alloc(8);
  head[0] = 1;
  head.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

const notThere = (response: ServerResponse) => answer(response, 404, { message: "no such thing" });
function answer(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

/** Answers what the canary asks a daemon. @param agents whose containers run on it */
function daemonOf(agents: readonly string[]) {
  const containers = agents.map((agent) => ({
    Id: hash("sha256", agent),
    Names: [`/${containerName(agent)}`],
  }));
  const execs = new Map<string, ExecState>();
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [, kind, id = "", verb] = (request.url ?? "").split("?")[0]!.split("/");
    if (kind === "containers" && id === "json") return answer(response, 200, containers);
    if (kind === "containers" && verb === "json") {
      const State = { Running: true, Status: "running", StartedAt: "2026-11-23T08:00:00Z" };
      return answer(response, 200, { State, ExecIDs: [], Config: {} });
    }
    if (kind === "containers") {
      const { Cmd, User } = (await jsonIn(request)) as { Cmd: string[]; User?: string };
      const exec = `${execs.size + 1}`;
      execs.set(exec, { command: Cmd, user: User, exitCode: null });
      return answer(response, 201, { Id: exec });
    }
    const exec = execs.get(id);
    if (exec === undefined) return notThere(response);
    if (verb === "start") {
      await setTimeout(EXEC_MS);
      exec.exitCode = 0;
      response.writeHead(200).end(frame(PROCESSES));
      return;
    }
    const [entrypoint, ...rest] = exec.command;
    const ProcessConfig = { entrypoint, arguments: rest, user: exec.user };
    answer(response, 200, { ID: id, Running: false, ExitCode: exec.exitCode, ProcessConfig });
  };
}

const [, , folder = "", ...numbers] = process.argv;
const [first = 0, daemons = 0, containers = 0] = numbers.map(Number);
const tls = {
  ca: readFileSync(`${folder}/ca.pem`),
  cert: readFileSync(`${folder}/server-cert.pem`),
  key: readFileSync(`${folder}/server-key.pem`),
  requestCert: true,
};
const hosts: string[] = [];
for (let daemon = first; daemon < first + daemons; daemon += 1) {
  const agents = Array.from({ length: Number(containers) }, (_, n) =>
    agentName(daemon * Number(containers) + n),
  );
  const handle = daemonOf(agents);
  const server = createServer(tls, (request, response) => void handle(request, response));
  // What the canary cuts off is no failure of a daemon.
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  hosts.push(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`);
}
process.on("disconnect", () => process.exit());
process.send?.({ hosts });
