/** Containers of agents on the daemon of this machine. */
import { type AgentContainers, agentContainers } from "../platform/containers.ts";
import { IDLE, importAgentImage } from "./agent-image.ts";
import type { LocalDocker } from "./docker.ts";
import type { OnClose } from "./on-close.ts";

/** The codes of a daemon that can't be reached any more. One that answers has a status instead. */
const GONE: ReadonlySet<unknown> = new Set(["ECONNREFUSED", "ECONNRESET", "ENOENT", "EPIPE", "ETIMEDOUT"]);

/** Takes a daemon that can't be reached any more for one without containers, where one is to be removed. */
export const forgiving = (containers: AgentContainers, onGone: (code: string) => void): AgentContainers => ({
  ...containers,
  remove: (agent) =>
    containers.remove(agent).catch((error) => {
      if (!GONE.has(error.code)) throw error;
      onGone(error.code);
    }),
});

/**
 * Puts the agents' image on the daemon.
 * @param onClose gets the function that removes the image
 * @param onGone called with the error's code where a container is to be removed, and the daemon can't be reached any more
 * @returns what makes containers of it, or why there can be none
 */
export async function findContainers(
  found: LocalDocker,
  onClose: OnClose,
  onGone: (code: string) => void,
): Promise<AgentContainers | { readonly absent: string }> {
  if (!("docker" in found)) return found;
  try {
    const { image, remove } = await importAgentImage(found.docker);
    onClose(remove);
    return forgiving(agentContainers(found.docker, { image, command: IDLE }), onGone);
  } catch (error) {
    return { absent: (error as Error).message };
  }
}
