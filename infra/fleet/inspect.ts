/** Compares the platform with the fleet as it should be, in one list of checks for deploy and status. */
import { printable } from "../../shared/text.ts";
import type { Fleet, FleetAgent } from "./fleet.ts";
import { type Schedule, type Trinity, TrinityError } from "./trinity-api.ts";

type Value = string | number | boolean;

export interface Check {
  /** Such as `capacity of canary-fleet-slow`. */
  readonly title: string;
  readonly state: "same" | "differs" | "missing" | "unreadable";
  readonly wanted: Value;
  /** null where it is missing or can't be read. */
  readonly found: Value | null;
  /** The call that sets it; null where the manifest sets it: a difference there was made by hand, and stays. */
  readonly write: (() => Promise<void>) | null;
}

const compare = (
  title: string,
  wanted: Value,
  found: Value | null | undefined,
  write: Check["write"] = null,
): Check => ({
  title,
  wanted,
  found: found ?? null,
  state: found === wanted ? "same" : found === undefined || found === null ? "missing" : "differs",
  write,
});

/** @param found null where the platform has no way to read it */
const compareSetting = (title: string, wanted: number, found: number | null, write: () => Promise<void>) => ({
  ...compare(title, wanted, found, write),
  ...(found === null && { state: "unreadable" as const }),
});

function scheduleChecks(api: Trinity, agent: FleetAgent, schedules: readonly Schedule[]): Check[] {
  const { name, schedule: wanted, model } = agent;
  const title = `schedule ${wanted.name} of ${name}`;
  const [found, second] = schedules.filter((schedule) => schedule.name === wanted.name);
  if (second)
    throw new TrinityError(
      `${title} is there more than once: delete all but one on the platform, then go on`,
    );
  // A deploy that broke off can leave an agent without its schedule. The manifest can't add it: it would make a second agent.
  const create = () =>
    api.createSchedule(name, {
      name: wanted.name,
      cron_expression: wanted.cron,
      message: wanted.message,
      model,
    });
  if (!found) return [{ ...compare(title, wanted.cron, null), write: create }];
  return [
    compare(title, wanted.cron, found.cron_expression),
    compare(`message of ${title}`, wanted.message, found.message),
    compare(`${title} enabled`, true, found.enabled),
    compare(`model of ${title}`, model, found.model ?? "the platform's default", () =>
      api.setModel(name, found.id, model),
    ),
  ];
}

/** The checks of an agent that is not there, all of them missing. */
function allMissing({
  name,
  schedule,
  model,
  maxParallelTasks,
  executionTimeoutSeconds,
}: FleetAgent): Check[] {
  const wanted = [
    [`agent ${name}`, "there"],
    [`schedule ${schedule.name} of ${name}`, schedule.cron],
    [`model of schedule ${schedule.name} of ${name}`, model],
    [`capacity of ${name}`, maxParallelTasks],
    [`timeout of ${name}`, executionTimeoutSeconds],
  ] as const;
  return wanted.flatMap(([title, value]) => (value === undefined ? [] : [compare(title, value, null)]));
}

async function inspectAgent(api: Trinity, agent: FleetAgent): Promise<Check[]> {
  const { name, maxParallelTasks, executionTimeoutSeconds } = agent;
  const schedules = await api.schedules(name);
  if (schedules === null) return allMissing(agent);
  const checks = [compare(`agent ${name}`, "there", "there"), ...scheduleChecks(api, agent, schedules)];
  if (maxParallelTasks !== undefined)
    checks.push(
      compareSetting(`capacity of ${name}`, maxParallelTasks, await api.maxParallelTasks(name), () =>
        api.setMaxParallelTasks(name, maxParallelTasks),
      ),
    );
  if (executionTimeoutSeconds !== undefined)
    checks.push(
      compareSetting(
        `timeout of ${name}`,
        executionTimeoutSeconds,
        await api.executionTimeoutSeconds(name),
        () => api.setExecutionTimeoutSeconds(name, executionTimeoutSeconds),
      ),
    );
  return checks;
}

/** Describes what was found, for a line of text. */
export function foundOf({ state, found }: Check): string {
  if (state === "unreadable") return "the platform offers no way to read it";
  return state === "missing" ? "missing" : printable(String(found));
}

export interface Inspection {
  /** Agent by agent, in the order of a deploy. */
  readonly checks: readonly Check[];
  /** The agents that are not there. */
  readonly missing: readonly FleetAgent[];
}

/**
 * Reads the fleet; writes nothing.
 * @throws TrinityError where the platform can't be read
 */
export async function inspectFleet(api: Trinity, fleet: Fleet): Promise<Inspection> {
  const checks: Check[] = [];
  const missing: FleetAgent[] = [];
  for (const agent of fleet.agents) {
    const ofAgent = await inspectAgent(api, agent);
    checks.push(...ofAgent);
    if (ofAgent[0]!.state === "missing") missing.push(agent);
  }
  return { checks, missing };
}
