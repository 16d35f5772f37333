/** A stand-in for Docker's API on a unix socket, for what a real daemon does too rarely or not on demand. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { join } from "node:path";
import { afterEach } from "vitest";
import { frame } from "../../infra/local/stub-daemons.ts";
import { temporaryFolder } from "./live.ts";

export interface ExecState {
  readonly id: string;
  /** The ID of its container. Left out: one that others made. */
  readonly container?: string;
  readonly args: readonly string[];
  readonly user: string;
  running: boolean;
  exitCode: number | null;
}

export interface DockerApi {
  /** For DOCKER_HOSTS. */
  readonly host: string;
  /** The entries of the list. */
  containers: { Id: string; Names: string[] }[];
  /** What the inspect of a container says beside its defaults, by its ID; null: there is no such container any more. */
  readonly inspects: Map<string, { State?: object; Config?: object; ExecIDs?: readonly unknown[] } | null>;
  /** The execs of all containers, in the order in which they were made. */
  readonly execs: ExecState[];
  /** Each request, like `POST /exec/1/start`. */
  readonly requests: string[];
  /** What `ps` prints. */
  processes: string;
  /** What it prints in a container, by its ID. */
  readonly processesIn: Map<string, string>;
  /** Called before a request is answered: where it gives a promise, the answer waits for it. */
  before: (request: string, socket: Socket) => Promise<void> | undefined;
  /** Connections that are open. */
  readonly sockets: ReadonlySet<Socket>;
  close(): Promise<void>;
}

/** The ID of the nth container. */
export const containerId = (n: number): string => n.toString(16).padStart(64, "0");

/** Starts it with these containers, which have no zombies. */
export async function startDockerApi(names: readonly string[]): Promise<DockerApi> {
  const folder = await temporaryFolder();
  const path = join(folder.path, "docker.sock");
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => void answer(request, response));
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(path);
  await once(server, "listening");
  const api: DockerApi = {
    host: `unix://${path}`,
    containers: names.map((name, n) => ({ Id: containerId(n), Names: [`/${name}`] })),
    inspects: new Map(),
    execs: [],
    requests: [],
    processes: "STAT PID COMMAND\nSs 1 sleep\n",
    processesIn: new Map(),
    before: () => undefined,
    sockets,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await folder.remove();
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [pathname = ""] = (request.url ?? "").split("?");
    const line = `${request.method} ${pathname}`;
    api.requests.push(line);
    let body = "";
    for await (const chunk of request) body += chunk;
    await api.before(line, request.socket);
    const json = (status: number, value: unknown) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(value));
    };
    const [, kind, id, verb] = pathname.split("/");
    if (kind === "containers" && id === "json") return json(200, api.containers);
    if (kind === "containers" && verb === "json") {
      const ExecIDs = api.execs.filter(({ exitCode }) => exitCode === null).map((exec) => exec.id);
      const State = { Running: true, Status: "running", StartedAt: "2026-11-23T08:00:00Z" };
      const differs = api.inspects.get(id!);
      if (differs === null) return json(404, { message: "no such container" });
      return json(200, { ExecIDs, ...differs, State: { ...State, ...differs?.State } });
    }
    if (kind === "containers") {
      if (api.inspects.get(id!) === null) return json(404, { message: "no such container" });
      const { Cmd, User } = JSON.parse(body);
      const exec = {
        id: String(api.execs.length + 1),
        container: id!,
        args: Cmd,
        user: User,
        running: false,
        exitCode: null,
      };
      api.execs.push(exec);
      return json(201, { Id: exec.id });
    }
    const exec = api.execs.find((one) => one.id === id);
    if (!exec) return json(404, { message: "no such exec" });
    if (verb === "start") {
      exec.exitCode = 0;
      response.writeHead(200);
      response.end(frame(api.processesIn.get(exec.container ?? "") ?? api.processes));
      return;
    }
    const [entrypoint, ...rest] = exec.args;
    const ProcessConfig = { entrypoint, arguments: rest, user: exec.user };
    json(200, { ID: exec.id, Running: exec.running, ExitCode: exec.exitCode, ProcessConfig });
  }
  return api;
}

/** Starts stubs of Docker's API for the tests of a file: each ends with its test. */
export function useDockerApis(): (...names: string[]) => Promise<DockerApi> {
  const opened: DockerApi[] = [];
  afterEach(async () => {
    for (const api of opened.splice(0)) await api.close();
  });
  return async (...names) => {
    const api = await startDockerApi(names);
    opened.push(api);
    return api;
  };
}
