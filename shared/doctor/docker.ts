/** The Docker daemons: what each lets the canary do, its clock, and the containers against the roster. */
import { X509Certificate } from "node:crypto";
import http from "node:http";
import https from "node:https";
import type { Readings } from "../facts/facts.ts";
import type { DockerTls } from "../sources/docker/connect.ts";
import { listed, plural } from "../text.ts";
import { SECOND_MS } from "../time.ts";
import { compareClocks } from "./clocks.ts";
import { type Finding, note, ok, warning } from "./finding.ts";
import { endFinding } from "./rights.ts";

interface Answer {
  readonly status: number;
  /** The header `Date`, unix ms; NaN where there is none. */
  readonly dateMs: number;
}

/** Asks a daemon with GET, and leaves its answer unread. */
function get(host: string, path: string, tls: DockerTls, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const onAnswer = (response: http.IncomingMessage) => {
      resolve({ status: response.statusCode ?? 0, dateMs: Date.parse(response.headers.date ?? "") });
      response.destroy();
    };
    const options = { path, signal, agent: false } as const;
    const request = host.startsWith("unix://")
      ? http.get({ ...options, socketPath: host.slice("unix://".length) }, onAnswer)
      : https.get(
          { ...options, hostname: new URL(host).hostname, port: new URL(host).port, ...tls },
          onAnswer,
        );
    request.on("error", reject);
  });
}

const LIST = `/containers/json?limit=1&filters=${encodeURIComponent('{"label":["trinity.platform=agent"]}')}`;
/** What the canary never asks for. A proxy that lets only its requests through refuses them. */
const MORE = ["/info", "/images/json"];

/** Examines one daemon. @throws where it does not answer */
export async function examineDaemon(
  host: string,
  tls: DockerTls,
  now: () => number,
  signal: AbortSignal,
): Promise<Finding[]> {
  const fromMs = now();
  const { status, dateMs } = await get(host, LIST, tls, signal);
  const between = { fromMs, toMs: now() };
  const more = await Promise.all(MORE.map((path) => get(host, path, tls, signal)));
  const answered = MORE.filter((_, i) => more[i]!.status === 200);
  return [
    answered.length === 0
      ? ok(
          "rights",
          `only what the canary needs, as far as ${MORE.join(" and ")} tell (HTTP ${more[0]!.status})`,
        )
      : warning(
          "rights",
          `it answers ${answered.join(" and ")} too: no proxy stands in front of it, and who may connect is root on its host (docs/security.md)`,
        ),
    ...(status === 200 ? [] : [note("list", `HTTP ${status}`)]),
    Number.isNaN(dateMs)
      ? note("clock", "the daemon does not tell its time")
      : compareClocks(dateMs, between, SECOND_MS),
  ];
}

/** Says when the client certificate ends. */
export function certificateFindings({ cert }: DockerTls, nowMs: number): Finding[] {
  if (cert === undefined) return [];
  try {
    return [endFinding("the client certificate", Date.parse(new X509Certificate(cert).validTo), nowMs)];
  } catch {
    return [warning("expiry", "the client certificate can't be read")];
  }
}

const SHOWN = 5;

/** Compares the running containers with the roster. */
export function containerFindings({ containers, roster }: Readings): Finding[] {
  if (!containers?.read) return [];
  const { running, unseenContainers } = containers.value;
  const agents = new Set([...running, ...unseenContainers].map(({ agent }) => agent));
  if (!roster?.read)
    return [note("containers", `${plural(agents.size, "agent has", "agents have")} a running container`)];
  const own = [...roster.value.keys()].filter((agent) => agents.has(agent));
  const without = [...roster.value.keys()].filter((agent) => !agents.has(agent)).sort();
  const strangers = [...agents].filter((agent) => !roster.value.has(agent)).sort();
  return [
    ok(
      "containers",
      `${own.length} of ${plural(roster.value.size, "agent")} on the roster have a running container`,
    ),
    ...(without.length > 0 ? [note("containers", `none runs of ${listed(without, SHOWN)}`)] : []),
    ...(strangers.length > 0
      ? [
          note(
            "containers",
            `of no agent on the roster, and not judged: ${listed(strangers, SHOWN)} (another installation's, or left over)`,
          ),
        ]
      : []),
  ];
}
