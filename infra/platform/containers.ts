/** The containers of agents, on a real daemon. */
import { hostname } from "node:os";
import type Docker from "dockerode";
import { AGENT_LABEL, containerName } from "./names.ts";

export interface AgentContainers {
  /**
   * Makes and starts the agent's container, in place of one that a process left behind which died on this machine.
   * @throws where the daemon refuses, or somebody else's container has the name; nothing is left behind then
   */
  create(agent: string): Promise<void>;
  /** Removes it, running or not. That it is gone already is fine; one that this process did not make is left alone. */
  remove(agent: string): Promise<void>;
}

/** The label that says which process made a container: another's is left alone while that process lives. */
const MAKER = "trinity-canary.made-by";
const SELF = `${hostname()}/${process.pid}`;

function isAlive(maker: string): boolean {
  const [host, pid] = maker.split("/");
  // Of another machine's processes nothing is known here.
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

/**
 * @param docker the daemon
 * @param options the image, which has to be on the daemon (nothing is pulled), and what runs in it
 */
export function agentContainers(
  docker: Docker,
  { image, command }: { image: string; command: readonly string[] },
): AgentContainers {
  /** @returns false where the container of that name is of somebody that is not `mayGo`, and is left alone */
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
  const make = (agent: string) =>
    docker.createContainer({
      name: containerName(agent),
      Image: image,
      Entrypoint: [...command],
      Labels: { [AGENT_LABEL.name]: AGENT_LABEL.value, [MAKER]: SELF },
      HostConfig: { NetworkMode: "none" },
    });
  return {
    async create(agent) {
      const container = await make(agent).catch(async (error) => {
        if (isGone(error))
          throw new Error(`the daemon has no image ${image}: import it first`, { cause: error });
        if (statusOf(error) !== 409) throw error;
        if (await removeOf(agent, (maker) => !isAlive(maker))) return make(agent);
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
