/** The fleet as it should be: the manifest, and the settings that a manifest can't express. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseDocument } from "yaml";
import { z } from "zod";

export const MANIFEST_PATH = fileURLToPath(new URL("canary-fleet.yaml", import.meta.url));

/** The manifest can't be used; the message says where. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
}

/** Settings that need a call each, because Trinity's manifest has no field for them. */
interface Settings {
  readonly model: string;
  readonly maxParallelTasks?: number;
  readonly executionTimeoutSeconds?: number;
}

/** The cheapest model is enough: only the load counts, not the answer. */
const MODEL = "claude-haiku-4-5-20251001";

const SETTINGS: Readonly<Record<string, Settings>> = {
  burst: { model: MODEL },
  // One slot, so that a late run makes the next one wait in the queue. 180 s is more than two runs take.
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
  /** Gives the manifest with these agents only: the platform would make an existing agent a second time, as `…_2`. */
  manifestOf(agents: readonly FleetAgent[]): string;
}

const Schedule = z.object({ name: z.string(), cron: z.string(), message: z.string() });
const Manifest = z.object({
  name: z.string(),
  agents: z.record(z.string(), z.object({ template: z.string(), schedules: z.tuple([Schedule]) })),
});

/**
 * Parses the manifest, the one place that names the agents.
 * @param text YAML
 * @throws ManifestError unless it has one schedule for each agent of SETTINGS, and no other agent
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
