/** The containers of agents, on a real daemon. */
import { hostname } from "node:os";
import type Docker from "dockerode";
import { AGENT_LABEL, containerName } from "./names.ts";

export interface AgentContainers {
  /**
   * Makes and starts the agent's container, with these variables in its environment. It replaces a container whose maker was a process of this machine and is dead.
   * @throws Error where the daemon refuses, or another's container has the name; nothing is left behind then
   */
  create(agent: string, environment?: Readonly<Record<string, string>>): Promise<void>;
  /** Removes it, running or not. Does nothing where it is gone already, or where this process did not make it. */
  remove(agent: string): Promise<void>;
}

/** The label that names the process that made a container. While that process lives, no other removes the container. */
const MAKER = "trinity-canary.made-by";
const SELF = `${hostname()}/${process.pid}`;

function isAlive(maker: string): boolean {
  const [host, pid] = maker.split("/");
  // Whether a process of another machine lives can't be known here.
  if (host !== hostname()) return true;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

const statusOf = (error: unknown) => (error as { statusCode?: number }).statusCode;
const isGone = (error: unknown) => statusOf(error) === 404;

/** @param options the image, which must be on the daemon (nothing is pulled), and the command that runs in it */
export function agentContainers(
  docker: Docker,
  { image, command }: { image: string; command: readonly string[] },
): AgentContainers {
  /** Removes the agent's container where `mayGo` allows it for its maker. Gives false where it stays. */
  async function removeOf(agent: string, mayGo: (maker: string) => boolean): Promise<boolean> {
    const container = docker.getContainer(containerName(agent));
    try {
      const { Config } = await container.inspect();
      const maker = Config.Labels?.[MAKER];
      if (maker === undefined || !mayGo(maker)) return false;
      await container.remove({ force: true });
    } catch (error) {
      if (!isGone(error)) throw error;
    }
    return true;
  }
  const make = (agent: string, environment: Readonly<Record<string, string>>) =>
    docker.createContainer({
      name: containerName(agent),
      Image: image,
      Entrypoint: [...command],
      Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
      Labels: { [AGENT_LABEL.name]: AGENT_LABEL.value, [MAKER]: SELF },
      HostConfig: { NetworkMode: "none" },
    });
  return {
    async create(agent, environment = {}) {
      const container = await make(agent, environment).catch(async (error) => {
        if (isGone(error))
          throw new Error(`the daemon has no image ${image}: import it first`, { cause: error });
        if (statusOf(error) !== 409) throw error;
        if (await removeOf(agent, (maker) => !isAlive(maker))) return make(agent, environment);
        throw new Error(
          `the daemon has a container ${containerName(agent)} that is not this process's: end what made it, rename it, or use another daemon`,
        );
      });
      try {
        await container.start();
      } catch (error) {
        await container.remove({ force: true });
        throw error;
      }
    },
    async remove(agent) {
      await removeOf(agent, (maker) => maker === SELF);
    },
  };
}
