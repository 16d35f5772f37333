/** Docker: the running agent containers, and the zombie processes named claude in each, on one or more daemons. */

import { NONE } from "../../config/source-variables.ts";
import { type Values, type Variable, wholeNumber } from "../../config/variable.ts";
import { placeOf } from "../../errors.ts";
import type { Source, SourceSpec } from "../source.ts";
import { CERTIFICATES, checkPair, dockerTls } from "./certificates.ts";
import { combined } from "./combined.ts";
import { type ReadOptions, readDaemons } from "./read.ts";
import type { CallReader } from "./reader-call.ts";

/** Says whether it is an address of a daemon. */
export function isAddress(host: string): boolean {
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
  readersFrom: wholeNumber(
    "DOCKER_READERS_FROM",
    "from how many daemons on readers read them side by side, each a few: functions of their own where the canary is deployed, processes on the command line",
    { fallback: 10, range: [1, 10_000] },
  ),
  readerDaemons: wholeNumber("DOCKER_READER_DAEMONS", "how many daemons one reader reads", {
    fallback: 5,
    range: [1, 100],
  }),
  ...CERTIFICATES,
};
type DockerValues = Values<typeof DOCKER>;

/** Says whether readers read the daemons. @param hosts those of the configuration */
export const areReadByReaders = ({
  hosts,
  readersFrom,
}: Pick<DockerValues, "hosts" | "readersFrom">): boolean =>
  Array.isArray(hosts) && hosts.length >= readersFrom;

/**
 * Makes the reader of the facts `containers` and `zombies`.
 * @param hosts `tcp://host:port` or `unix:///path`, one for each daemon
 * @param deadlineMs the whole source's deadline
 * @param callReader left out, this process reads all daemons
 */
function dockerReader(
  hosts: readonly string[],
  values: DockerValues,
  deadlineMs: number,
  callReader: CallReader | undefined,
): Source["read"] {
  const tls = dockerTls(values);
  const readThem = async (options: Omit<ReadOptions, "hosts" | "tls" | "deadlineMs">) => {
    const all = { ...options, hosts, deadlineMs };
    if (callReader === undefined || !areReadByReaders(values)) return readDaemons({ ...all, tls });
    // Only where there are many daemons: the schemas of answers are larger than all that reads Docker.
    const { readByReaders } = await import("./readers.ts");
    return readByReaders({ ...all, callReader, daemonsEach: values.readerDaemons });
  };
  return async ({ signal, now, wanted, since }) => {
    const fromMs = now();
    const unfinished = since.unfinishedDaemons;
    const daemons = await readThem({ wanted, unfinished, signal });
    return combined(daemons, { wanted, unfinished, time: { fromMs, toMs: now() } });
  };
}

export const docker = {
  name: "docker",
  gives: ["zombies", "containers"],
  variables: DOCKER,
  place: ({ hosts }) =>
    Array.isArray(hosts) && hosts.length === 1 ? placeOf(hosts[0]!, DOCKER.hosts.name) : null,
  check(values, problem) {
    if (values.hosts !== null && values.hosts !== NONE) checkPair(values, problem);
  },
  configure(values, { cycle, callReader }) {
    const { hosts } = values;
    if (hosts === null) return "not configured";
    if (hosts === NONE) return "off";
    return dockerReader(hosts, values, cycle.sourceDeadlineMs, callReader);
  },
} as const satisfies SourceSpec<typeof DOCKER>;
