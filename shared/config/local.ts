/** The variables that `npm start` and a drill on this machine take from the shell. */
import { API } from "./api.ts";
import { type Environment, reader } from "./reader.ts";
import { text } from "./variable.ts";

export const LOCAL = {
  dockerHost: text("DOCKER_HOST", {
    meaning: "the Docker daemon on which each agent gets a container, as for the docker command line",
    fallback: "unix:///var/run/docker.sock",
  }),
  dockerCertPath: text("DOCKER_CERT_PATH", {
    meaning: "the folder of the certificates for a daemon on TCP, as for the docker command line",
  }),
};

export interface Local {
  readonly dockerHost: string;
  readonly dockerCertPath: string | undefined;
  /** A token to keep; undefined to make one up. */
  readonly adminToken: string | undefined;
  readonly publicBadge: boolean;
  /** The variables that are handed through to the canary. */
  readonly alerts: Readonly<Record<string, string>>;
}

/**
 * Gives what the embedded environment takes from the shell.
 * @param handedThrough names of the variables that the canary itself reads
 * @throws ConfigError where one of the others can't be used
 */
export function loadLocal(handedThrough: readonly string[], env: Environment = process.env): Local {
  const read = reader(env);
  const { dockerHost, dockerCertPath } = read.values(LOCAL);
  const { adminToken, publicBadge } = read.values({
    adminToken: API.adminToken,
    publicBadge: API.publicBadge,
  });
  read.end();
  return {
    dockerHost,
    dockerCertPath: dockerCertPath ?? undefined,
    adminToken: adminToken ?? undefined,
    publicBadge,
    alerts: Object.fromEntries(
      handedThrough.flatMap((name) => {
        const value = env[name];
        return value === undefined ? [] : [[name, value]];
      }),
    ),
  };
}
