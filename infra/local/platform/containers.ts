/** The containers of agents, on a real daemon. */
import type Docker from "dockerode";

export interface AgentContainers {
  /** Makes and starts the agent's container. @throws where the daemon refuses; nothing is left behind then */
  create(agent: string): Promise<void>;
  /** Removes it, running or not. That it is gone already is fine. */
  remove(agent: string): Promise<void>;
}

const isGone = (error: unknown) => (error as { statusCode?: number }).statusCode === 404;

/**
 * @param docker the daemon
 * @param options the image, which has to be on the daemon (nothing is pulled), and what runs in it
 */
export function agentContainers(
  docker: Docker,
  { image, command }: { image: string; command: readonly string[] },
): AgentContainers {
  const nameOf = (agent: string) => `agent-${agent}`;
  const remove = async (agent: string) => {
    await docker
      .getContainer(nameOf(agent))
      .remove({ force: true })
      .catch((error) => {
        if (!isGone(error)) throw error;
      });
  };
  return {
    async create(agent) {
      const container = await docker
        .createContainer({
          name: nameOf(agent),
          Image: image,
          Cmd: [...command],
          Labels: { "trinity.platform": "agent" },
          HostConfig: { NetworkMode: "none" },
        })
        .catch((error) => {
          if (!isGone(error)) throw error;
          throw new Error(`the daemon has no image ${image}: import it first`, { cause: error });
        });
      try {
        await container.start();
      } catch (error) {
        await container.remove({ force: true });
        throw error;
      }
    },
    remove,
  };
}
