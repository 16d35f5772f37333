/** The containers of agents, on a real daemon. */
import type Docker from "dockerode";

export interface AgentContainers {
  /**
   * Makes and starts the agent's container, in place of one that was left behind by a process that died.
   * @throws where the daemon refuses, or somebody else's container has the name; nothing is left behind then
   */
  create(agent: string): Promise<void>;
  /** Removes it, running or not. That it is gone already is fine; one that was not made here is left alone. */
  remove(agent: string): Promise<void>;
}

/** What marks a container as made here: another of the same name is left alone. */
const OURS = "trinity-canary.made-here";

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
  const nameOf = (agent: string) => `agent-${agent}`;
  /** @returns false where the container of that name is somebody else's, which is left alone */
  async function removeOurs(agent: string): Promise<boolean> {
    const container = docker.getContainer(nameOf(agent));
    try {
      const { Config } = await container.inspect();
      if (Config.Labels?.[OURS] !== "yes") return false;
      await container.remove({ force: true });
    } catch (error) {
      if (!isGone(error)) throw error;
    }
    return true;
  }
  const make = (agent: string) =>
    docker.createContainer({
      name: nameOf(agent),
      Image: image,
      Entrypoint: [...command],
      Labels: { "trinity.platform": "agent", [OURS]: "yes" },
      HostConfig: { NetworkMode: "none" },
    });
  return {
    async create(agent) {
      const container = await make(agent).catch(async (error) => {
        if (isGone(error))
          throw new Error(`the daemon has no image ${image}: import it first`, { cause: error });
        if (statusOf(error) !== 409) throw error;
        if (await removeOurs(agent)) return make(agent);
        throw new Error(
          `the daemon has a container ${nameOf(agent)} that was not made here: rename it, or use another daemon`,
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
      await removeOurs(agent);
    },
  };
}
