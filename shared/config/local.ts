/** The variables that `npm start` and a drill on this machine take from the shell. */
import { API } from "./api.ts";
import { type Environment, reader } from "./reader.ts";
import { text } from "./variable.ts";

export const LOCAL = {
  dockerHost: text(
    "DOCKER_HOST",
    "the Docker daemon on which each agent gets a container, as for the docker command line",
    { fallback: "unix:///var/run/docker.sock" },
  ),
  dockerCertPath: text(
    "DOCKER_CERT_PATH",
    "the folder of the certificates for a daemon on TCP, as for the docker command line",
  ),
};

/**
 * Reads what the embedded environment takes from the shell.
 * @param handedThrough names of the variables that the canary itself reads
 * @throws ConfigError where one of the others can't be used
 */
export function loadLocal(handedThrough: readonly string[], env: Environment = process.env) {
  const read = reader(env);
  const { adminToken, readTokens, publicBadge } = API;
  const tables = { ...LOCAL, adminToken, readTokens, publicBadge };
  const { dockerCertPath, adminToken: token, ...rest } = read.values(tables);
  read.end();
  return {
    ...rest,
    dockerCertPath: dockerCertPath ?? undefined,
    adminToken: token ?? undefined,
    variables: Object.fromEntries(
      Object.entries(env).filter(
        (entry): entry is [string, string] => handedThrough.includes(entry[0]) && entry[1] !== undefined,
      ),
    ),
  };
}
