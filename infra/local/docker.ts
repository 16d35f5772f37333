/** Finds the Docker daemon of this machine, if one answers. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import Docker from "dockerode";

/** The daemon with the canary's variables for it, or why there is none. */
export type LocalDocker =
  | { readonly docker: Docker; readonly env: Record<string, string> }
  | { readonly absent: string };

const PROBE_MS = 2_000;

/**
 * Connects to the daemon, and asks it once whether it answers.
 * @param host the usual DOCKER_HOST: `unix:///path` or `tcp://host:port` (TLS, certificates in `certPath`)
 * @param certPath the usual DOCKER_CERT_PATH, a folder with ca.pem, cert.pem and key.pem
 */
export async function findDocker(host: string, certPath: string | undefined): Promise<LocalDocker> {
  const isTcp = /^tcp:\/\/[^/\s@]+:\d+\/?$/.test(host);
  if (!isTcp && !host.startsWith("unix:///"))
    return { absent: `DOCKER_HOST ${host} is neither unix:///path nor tcp://host:port` };
  let tls: ReturnType<typeof readTls> = {};
  try {
    if (isTcp && certPath) tls = readTls(certPath);
  } catch (error) {
    return { absent: `DOCKER_CERT_PATH ${certPath} has no ca.pem, cert.pem and key.pem (${codeOf(error)})` };
  }
  const { hostname, port } = isTcp ? new URL(host) : { hostname: "", port: "" };
  const connect = (options: { timeout?: number }) =>
    isTcp
      ? new Docker({ protocol: "https", host: hostname, port, ...tls, ...options })
      : new Docker({ socketPath: host.slice("unix://".length), ...options });
  try {
    await connect({ timeout: PROBE_MS }).ping();
  } catch (error) {
    return {
      absent: `${host} does not answer (${codeOf(error)}): start a daemon, or name one in DOCKER_HOST`,
    };
  }
  const env = {
    DOCKER_HOSTS: host,
    DOCKER_TLS_CA: tls.ca,
    DOCKER_TLS_CERT: tls.cert,
    DOCKER_TLS_KEY: tls.key,
  };
  const isSet = (entry: [string, string | undefined]): entry is [string, string] => entry[1] !== undefined;
  return { docker: connect({}), env: Object.fromEntries(Object.entries(env).filter(isSet)) };
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? (error as Error).message;

function readTls(folder: string): { ca?: string; cert?: string; key?: string } {
  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  return { ca: read("ca.pem"), cert: read("cert.pem"), key: read("key.pem") };
}
