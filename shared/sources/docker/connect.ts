/** A connection to one Docker daemon. */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { inspect } from "node:util";
import Docker from "dockerode";

/** Client certificates for daemons on TCP, in PEM. */
export type DockerTls = { readonly [K in "ca" | "cert" | "key"]?: string };

/** docker-modem takes an agent, which its types leave out. */
type ModemOptions = Docker.DockerOptions & { agent: HttpAgent | HttpsAgent };

/**
 * Gives the agent a short form for `inspect`. docker-modem inspects its options with every request, without a depth limit,
 * and so walks through every socket of the agent: with 50 containers that costs seconds.
 */
const opaque = <T extends object>(agent: T): T => Object.assign(agent, { [inspect.custom]: () => "Agent" });

/**
 * Connects to one daemon.
 * @param maxSockets how many connections there are at once; they are kept until `close`
 */
export function connect(host: string, tls: DockerTls, maxSockets: number): { docker: Docker; close(): void } {
  const kept = { keepAlive: true, maxSockets, maxFreeSockets: maxSockets };
  if (host.startsWith("unix://")) {
    const agent = opaque(new HttpAgent(kept));
    const options: ModemOptions = { socketPath: host.slice("unix://".length), agent };
    return { docker: new Docker(options), close: () => agent.destroy() };
  }
  const { hostname, port } = new URL(host);
  const agent = opaque(new HttpsAgent({ ...kept, ...tls }));
  const options: ModemOptions = { protocol: "https", host: hostname, port, agent };
  return { docker: new Docker(options), close: () => agent.destroy() };
}
