/** Docker: the running agent containers, and the zombie processes named claude in each, on one or more daemons. */

import { NONE, pem } from "../../config/source-variables.ts";
import type { Variable } from "../../config/variable.ts";
import { placeOf } from "../../errors.ts";
import type { Source, SourceSpec } from "../source.ts";
import { combined } from "./combined.ts";
import type { DockerTls } from "./connect.ts";
import { readDaemons } from "./read.ts";

function isAddress(host: string): boolean {
  const [, port] = /^tcp:\/\/[^/\s@]+:(\d{1,5})\/?$/.exec(host) ?? [];
  return /^unix:\/\/\/\S+$/.test(host) || (Number(port) >= 1 && Number(port) <= 65_535);
}

const hosts: Variable<readonly string[] | typeof NONE | null> = {
  name: "DOCKER_HOSTS",
  meaning: "one or more daemons, separated by commas: `tcp://host:port` (always TLS) or `unix:///path`",
  fallback: null,
  parse(text, { problem }) {
    if (text === NONE) return NONE;
    const named = text
      .split(",")
      .map((host) => host.trim())
      .filter(Boolean);
    if (named.length === 0) problem("names no daemon: give tcp://host:port or unix:///path");
    for (const host of named.filter((host) => !isAddress(host)))
      problem(
        `has ${JSON.stringify(host.replace(/\/\/.*@/, "//…@"))}: give tcp://host:port (TLS) or unix:///path, separated by commas, or "${NONE}" to leave Docker out on purpose`,
      );
    return named;
  },
  format: (value) => (typeof value === "string" ? value : value?.join(",")),
};

const DOCKER = {
  hosts,
  ca: pem(
    "DOCKER_TLS_CA",
    "the CA that the daemons' certificates are checked against: a PEM, or the path of a file. The system's CAs where it is not set",
  ),
  cert: pem("DOCKER_TLS_CERT", "the client certificate: a PEM, or the path of a file"),
  key: pem("DOCKER_TLS_KEY", "its key: a PEM, or the path of a file"),
};

/**
 * Makes the reader of the facts `containers` and `zombies`.
 * @param hosts `tcp://host:port` or `unix:///path`, one for each daemon
 * @param deadlineMs the whole source's deadline
 */
function dockerReader(hosts: readonly string[], tls: DockerTls, deadlineMs: number): Source["read"] {
  return async ({ signal, now, wanted, since }) => {
    const fromMs = now();
    const unfinished = since.unfinishedDaemons;
    const daemons = await readDaemons({ hosts, tls, wanted, unfinished, deadlineMs, signal });
    return combined(daemons, { wanted, unfinished, time: { fromMs, toMs: now() } });
  };
}

/** Leaves out the certificates that are not named. */
export const dockerTls = ({ ca, cert, key }: { [K in "ca" | "cert" | "key"]: string | null }): DockerTls => ({
  ...(ca && { ca }),
  ...(cert && { cert }),
  ...(key && { key }),
});

export const docker = {
  name: "docker",
  gives: ["zombies", "containers"],
  variables: DOCKER,
  place: ({ hosts }) =>
    Array.isArray(hosts) && hosts.length === 1 ? placeOf(hosts[0]!, DOCKER.hosts.name) : null,
  check({ hosts, cert, key }, problem) {
    if (hosts === null || hosts === NONE || (cert === null) === (key === null)) return;
    const missing = cert === null ? DOCKER.cert : DOCKER.key;
    problem(`${missing.name} is missing: a client certificate needs its key, and a key its certificate`);
  },
  configure({ hosts, ...certificates }, { cycle }) {
    if (hosts === null) return "not configured";
    if (hosts === NONE) return "off";
    return dockerReader(hosts, dockerTls(certificates), cycle.sourceDeadlineMs);
  },
} as const satisfies SourceSpec<typeof DOCKER>;
