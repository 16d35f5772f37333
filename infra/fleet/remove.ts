/** Deletes the agents of the manifest, by their names, and no other. */
import type { Fleet } from "./fleet.ts";
import { type Trinity, TrinityError } from "./trinity-api.ts";

/** Removes the agents, and prints one line for each. Gives whether all of them are gone. */
export async function removeFleet(
  api: Trinity,
  fleet: Fleet,
  print: (line: string) => void,
): Promise<boolean> {
  const open = new Set(fleet.agents.map(({ name }) => name));
  try {
    for (const { name } of fleet.agents) {
      const wasThere = (await api.schedules(name)) !== null;
      if (wasThere) {
        await api.deleteAgent(name);
        if ((await api.schedules(name)) !== null)
          throw new TrinityError(
            `DELETE /api/agents/${name}: the platform took it, but the agent is still there: look at its log`,
          );
      }
      open.delete(name);
      print(`✓ agent ${name}: ${wasThere ? "deleted" : "not there"}`);
    }
    return true;
  } catch (error) {
    if (!(error instanceof TrinityError)) throw error;
    print(`✗ ${error.message}`);
    print(`  not removed, as far as is known: ${[...open].join(", ")}. Run the same command again`);
    return false;
  }
}
