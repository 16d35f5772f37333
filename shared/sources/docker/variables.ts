/** Where the Docker daemons are. */
import { NONE, pem } from "../../config/source-variables.ts";
import type { Variable } from "../../config/variable.ts";

function isTcpAddress(host: string): boolean {
  const [, port] = /^tcp:\/\/[^/\s@]+:(\d{1,5})\/?$/.exec(host) ?? [];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
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
    for (const host of named)
      if (!/^unix:\/\/\/\S+$/.test(host) && !isTcpAddress(host))
        problem(
          `has ${JSON.stringify(host.replace(/\/\/.*@/, "//…@"))}: give tcp://host:port (TLS) or unix:///path, separated by commas, or "${NONE}" to leave Docker out on purpose`,
        );
    return named;
  },
  format: (value) => (value === null || value === NONE ? (value ?? undefined) : value.join(",")),
};

export const DOCKER = {
  hosts,
  ca: pem(
    "DOCKER_TLS_CA",
    "the CA that the daemons' certificates are checked against: a PEM, or the path of a file. The system's CAs where it is not set",
  ),
  cert: pem("DOCKER_TLS_CERT", "the client certificate: a PEM, or the path of a file"),
  key: pem("DOCKER_TLS_KEY", "its key: a PEM, or the path of a file"),
};
