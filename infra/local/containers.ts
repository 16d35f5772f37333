/** Containers of agents on the daemon of this machine. */
import { type AgentContainers, agentContainers } from "../platform/containers.ts";
import { IDLE, importAgentImage } from "./agent-image.ts";
import type { LocalDocker } from "./docker.ts";

/**
 * Puts the agents' image on the daemon.
 * @param onClose gets the function that removes the image
 * @returns what makes containers of it, or why there can be none
 */
export async function findContainers(
  found: LocalDocker,
  onClose: (end: () => Promise<void>) => void,
): Promise<AgentContainers | { readonly absent: string }> {
  if (!("docker" in found)) return found;
  try {
    const { image, remove } = await importAgentImage(found.docker);
    onClose(remove);
    return agentContainers(found.docker, { image, command: IDLE });
  } catch (error) {
    return { absent: (error as Error).message };
  }
}
