/** The part of Trinity's HTTP API that the fleet uses, on the loopback. It answers as the platform does, well or badly. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { parse } from "yaml";

export const PLATFORM_TOKEN = "platform-admin-Secret0123";

export interface StubSchedule {
  readonly id: string;
  agent_name: string;
  name: string;
  cron_expression: string;
  message: string;
  enabled: boolean;
  model: string | null;
  timeout_seconds: number | null;
}

export interface StubAgent {
  readonly template: string;
  max_parallel_tasks: number;
  execution_timeout_seconds: number;
  schedules: StubSchedule[];
}

/** What is wrong with one call. */
export type Fault =
  | "http 500"
  | "http 401"
  /** Ends the connection before anything is done. */
  | "resets"
  /** Does the work, and ends the connection without an answer. */
  | "resets after"
  /** Never answers. */
  | "hangs"
  /** Does the work, and answers with half a body. */
  | "garbage";

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: Record<string, unknown>;
}

type Answer = readonly [status: number, body: unknown];

interface Manifest {
  name: string;
  agents: Record<string, { template: string; schedules?: { name: string; cron: string; message: string }[] }>;
}

const TEMPLATES = ["local:test-echo", "local:sleep-echo"];
const refuse = (status: number, detail: unknown): Answer => [status, { detail }];
const isWhole = (value: unknown, least: number, most: number): value is number =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;

export type TrinityStub = Awaited<ReturnType<typeof startTrinity>>;

export async function startTrinity() {
  const agents = new Map<string, StubAgent>();
  const stub = {
    agents,
    /** Every call that arrived, whatever the answer was. */
    calls: [] as Call[],
    /** The n-th call from now (1 is the next) goes wrong in this way. */
    fault: null as { at: number; how: Fault } | null,
    /** Called with each call that hangs. */
    onHang() {},
    /** Fields whose PUT is answered with 200 and forgotten. */
    forgets: new Set<string>(),
    /** Whether capacity and timeout can be read. Where they can't, the answer to the PUT holds the stored value. */
    readsBack: true,
    /** Names that stay taken by deleted agents. */
    reserved: new Set<string>(),
    /** Agents (short names) that a deploy fails to make. */
    cantMake: new Set<string>(),
    /** Agents (short names) that a deploy makes without their schedule. */
    cantSchedule: new Set<string>(),
    templates: new Set(TEMPLATES),
    /** The calls that changed something: neither reads nor dry runs. */
    get writes(): Call[] {
      return stub.calls.filter(({ method, body }) => method !== "GET" && body.dry_run !== true);
    },
    reset() {
      agents.clear();
      Object.assign(stub, { calls: [], fault: null, readsBack: true, templates: new Set(TEMPLATES) });
      for (const set of [stub.forgets, stub.reserved, stub.cantMake, stub.cantSchedule]) set.clear();
    },
  };
  let lastId = 0;

  function freeName(name: string): string {
    const isTaken = (candidate: string) => agents.has(candidate) || stub.reserved.has(candidate);
    if (!isTaken(name)) return name;
    let n = 2;
    while (isTaken(`${name}_${n}`)) n += 1;
    return `${name}_${n}`;
  }

  function addSchedule(agent: string, given: Partial<StubSchedule>): StubSchedule {
    lastId += 1;
    const schedule: StubSchedule = {
      id: `sched/${lastId}`,
      agent_name: agent,
      name: "",
      cron_expression: "",
      message: "",
      enabled: true,
      model: null,
      timeout_seconds: null,
      ...given,
    };
    agents.get(agent)!.schedules.push(schedule);
    return schedule;
  }

  function deploy({ manifest, dry_run }: Record<string, unknown>): Answer {
    const { name: system, agents: wanted } = parse(String(manifest)) as Manifest;
    const resolved = Object.entries(wanted).map(
      ([shortName, agent]) => [shortName, freeName(`${system}-${shortName}`), agent] as const,
    );
    const failed = resolved
      .filter(([shortName, , { template }]) => !stub.templates.has(template) || stub.cantMake.has(shortName))
      .map(([short_name, name, { template }]) => ({
        name,
        short_name,
        reason: stub.templates.has(template) ? "no room" : `template ${template} not found`,
      }));
    const report = { system_name: system, schedules_created: 0, warnings: [] as string[] };
    if (dry_run === true) {
      const blocked = failed.filter(({ short_name }) => !stub.cantMake.has(short_name));
      const agents_to_create = resolved.map(([short_name, name, { template }]) => ({
        name,
        short_name,
        template,
      }));
      const status = blocked.length > 0 ? "invalid" : "valid";
      return [200, { ...report, status, agents_created: [], agents_to_create, failed: blocked }];
    }
    const made = resolved.filter(([, name]) => !failed.some((failure) => failure.name === name));
    for (const [shortName, name, { template, schedules = [] }] of made) {
      agents.set(name, {
        template,
        max_parallel_tasks: 3,
        execution_timeout_seconds: 3600,
        schedules: [],
      });
      if (stub.cantSchedule.has(shortName)) report.warnings.push(`schedules of ${name}: database is locked`);
      else
        for (const { cron, ...schedule } of schedules)
          addSchedule(name, { ...schedule, cron_expression: cron });
    }
    const status = failed.length === 0 ? "deployed" : made.length > 0 ? "partial" : "failed";
    const agents_created = made.map(([, name]) => name);
    return [status === "failed" ? 500 : 200, { ...report, status, agents_created, failed }];
  }

  function ofAgent(method: string, name: string, what: string, id: string, body: Call["body"]): Answer {
    const agent = agents.get(name);
    if (!agent) return refuse(404, "Agent not found");
    const keep = <T extends object>(target: T, fields: Partial<T>) => {
      for (const [field, value] of Object.entries(fields))
        if (!stub.forgets.has(field)) Object.assign(target, { [field]: value });
    };
    if (method === "DELETE" && what === "") {
      agents.delete(name);
      return [200, { message: `Agent ${name} deleted` }];
    }
    if (what === "schedules") {
      if (method === "GET") return [200, agent.schedules];
      if (method === "POST") return [201, addSchedule(name, body as Partial<StubSchedule>)];
      const schedule = agent.schedules.find((candidate) => candidate.id === id);
      if (!schedule) return refuse(404, "Schedule not found");
      keep(schedule, body as Partial<StubSchedule>);
      return [200, { ...schedule, ...body }];
    }
    if (method === "GET" && !stub.readsBack) return refuse(405, "Method Not Allowed");
    if (what === "capacity") {
      const { max_parallel_tasks } = body;
      if (method === "GET")
        return [200, { agent_name: name, max_parallel_tasks: agent.max_parallel_tasks, slots: [] }];
      if (!isWhole(max_parallel_tasks, 1, 10))
        return refuse(400, "max_parallel_tasks must be an integer between 1 and 10");
      keep(agent, { max_parallel_tasks });
      const stored = stub.readsBack ? {} : { max_parallel_tasks: agent.max_parallel_tasks };
      return [200, { message: "Capacity updated", agent_name: name, ...stored }];
    }
    if (what === "timeout") {
      const { execution_timeout_seconds } = body;
      if (method === "GET")
        return [200, { execution_timeout_seconds: agent.execution_timeout_seconds, agent_name: name }];
      if (execution_timeout_seconds === undefined)
        return refuse(400, "execution_timeout_seconds is required");
      if (!isWhole(execution_timeout_seconds, 60, 7200))
        return refuse(400, { error: "range", message: "execution_timeout_seconds must be from 60 to 7200" });
      keep(agent, { execution_timeout_seconds });
      const stored = stub.readsBack ? {} : { execution_timeout_seconds: agent.execution_timeout_seconds };
      return [200, { message: "Timeout updated", agent_name: name, ...stored }];
    }
    return refuse(404, "Not Found");
  }

  function answer({ method, path, body }: Call): Answer {
    if (method === "POST" && path === "/api/systems/deploy") return deploy(body);
    const [, name, what = "", id = ""] =
      /^\/api\/agents\/([^/]+)(?:\/([^/]+)(?:\/([^/]+))?)?$/.exec(path) ?? [];
    if (name === undefined) return refuse(404, "Not Found");
    return ofAgent(method, decodeURIComponent(name), what, decodeURIComponent(id), body);
  }

  const server = createServer(async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    let text = "";
    for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
    const call = {
      method: incoming.method!,
      path: incoming.url!,
      body: text === "" ? {} : (JSON.parse(text) as Call["body"]),
    };
    stub.calls.push(call);
    const fault = stub.fault && --stub.fault.at === 0 ? stub.fault.how : null;
    const say = ([status, body]: Answer) =>
      outgoing.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (fault === "hangs") return stub.onHang();
    if (fault === "resets") return incoming.socket.resetAndDestroy();
    if (fault === "http 500") return say(refuse(500, `boom\n at ${incoming.headers.authorization}`));
    if (fault === "http 401" || incoming.headers.authorization !== `Bearer ${PLATFORM_TOKEN}`)
      return say(refuse(401, "Could not validate credentials"));
    const said = answer(call);
    if (fault === "resets after") return incoming.socket.resetAndDestroy();
    if (fault === "garbage") return outgoing.writeHead(200).end('{"half": ');
    return say(said);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(stub, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
