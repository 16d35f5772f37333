/** What the fleet should be: the manifest, and what a manifest can't express. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseDocument } from "yaml";
import { z } from "zod";

export const MANIFEST_PATH = fileURLToPath(new URL("canary-fleet.yaml", import.meta.url));

/** The fleet's own file can't be used; the text says where. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
}

/** What is set by a call of its own, because Trinity's manifest has no place for it. */
interface Settings {
  readonly model: string;
  readonly maxParallelTasks?: number;
  readonly executionTimeoutSeconds?: number;
}

/** The cheapest model does: the load is what counts, not the answer. */
const MODEL = "claude-haiku-4-5-20251001";

const SETTINGS: Readonly<Record<string, Settings>> = {
  burst: { model: MODEL },
  // One slot, so that a run that is late queues the next. 180 s: twice a run and some.
  slow: { model: MODEL, maxParallelTasks: 1, executionTimeoutSeconds: 180 },
};

export interface FleetAgent extends Settings {
  /** In the manifest. */
  readonly shortName: string;
  /** On the platform. */
  readonly name: string;
  /** Such as `local:test-echo`. */
  readonly template: string;
  readonly schedule: { readonly name: string; readonly cron: string; readonly message: string };
}

export interface Fleet {
  readonly agents: readonly FleetAgent[];
  /** @returns the manifest with these agents only: who is there already would be made a second time, as `…_2` */
  manifestOf(agents: readonly FleetAgent[]): string;
}

const Schedule = z.object({ name: z.string(), cron: z.string(), message: z.string() });
const Manifest = z.object({
  name: z.string(),
  agents: z.record(z.string(), z.object({ template: z.string(), schedules: z.tuple([Schedule]) })),
});

/**
 * Reads the manifest, which is the one place where the agents are named.
 * @param text YAML
 * @throws ManifestError where it is no manifest of one schedule for each agent that has settings
 */
export function parseFleet(text: string): Fleet {
  const document = parseDocument(text);
  const wrong = (what: string) => new ManifestError(`${MANIFEST_PATH}: ${what}`);
  if (document.errors[0]) throw wrong(document.errors[0].message.split("\n")[0]!);
  const parsed = Manifest.safeParse(document.toJS());
  if (!parsed.success) throw wrong(z.prettifyError(parsed.error));
  const { name: system, agents } = parsed.data;
  const known = Object.keys(SETTINGS).sort().join(", ");
  if (Object.keys(agents).sort().join(", ") !== known)
    throw wrong(`its agents have to be those that infra/fleet/fleet.ts has settings for: ${known}`);
  return {
    agents: Object.entries(agents).map(([shortName, { template, schedules }]) => ({
      ...SETTINGS[shortName]!,
      shortName,
      name: `${system}-${shortName}`,
      template,
      schedule: schedules[0],
    })),
    manifestOf(wanted) {
      const part = document.clone();
      for (const shortName of Object.keys(agents))
        if (!wanted.some((agent) => agent.shortName === shortName)) part.deleteIn(["agents", shortName]);
      return part.toString();
    },
  };
}

/** @throws ManifestError */
export const loadFleet = (): Fleet => parseFleet(readFileSync(MANIFEST_PATH, "utf8"));
