/** Deploys the fleet: makes what is missing, sets what differs, and takes nothing back. */
import { printable } from "../../shared/text.ts";
import type { Fleet, FleetAgent } from "./fleet.ts";
import { type Check, foundOf, type Inspection, inspectFleet } from "./inspect.ts";
import { type Deployment, type Trinity, TrinityError } from "./trinity-api.ts";

export interface DeployOptions {
  readonly api: Trinity;
  readonly fleet: Fleet;
  /** Print what would be done, and write nothing. */
  readonly dryRun: boolean;
  /** Prints one line, as soon as it is true. */
  readonly print: (line: string) => void;
}

const namesOf = (agents: readonly FleetAgent[]) => agents.map(({ name }) => name).join(", ");

const reasonsOf = ({ status, failed }: Deployment) =>
  failed?.map(({ name, reason }) => `${name}: ${reason}`).join("; ") || `status ${status}`;

/**
 * Lets the platform check the manifest first: it knows the templates and the taken names.
 * @throws TrinityError where it would refuse, or would give an agent another name
 */
async function rehearse(api: Trinity, manifest: string, missing: readonly FleetAgent[]): Promise<void> {
  const preview = await api.deploy(manifest, true);
  if (preview.status !== "valid")
    throw new TrinityError(
      `POST /api/systems/deploy: the platform would not take the manifest (${printable(reasonsOf(preview))}): correct what it names; the sleep-echo template is put on the platform by hand (docs/fleet.md)`,
    );
  const names = preview.agents_to_create ?? [];
  const wanted = missing.map(({ name }) => name);
  if ([...names].sort().join() !== [...wanted].sort().join())
    throw new TrinityError(
      `POST /api/systems/deploy: the platform would make ${printable(names.join(", ")) || "nothing"} in place of ${wanted.join(", ")}: a name is taken, by an agent that was deleted but is still kept, or that this token can't see; free it on the platform, or change \`name\` in infra/fleet/canary-fleet.yaml`,
    );
}

/**
 * @param made called with each agent that was made
 * @throws TrinityError where an agent was not made, or was made under another name
 */
async function makeAgents(
  { api, fleet, print }: DeployOptions,
  missing: readonly FleetAgent[],
  made: (agent: FleetAgent) => void,
): Promise<void> {
  const answer = await api.deploy(fleet.manifestOf(missing), false);
  const names = answer.agents_created ?? [];
  for (const agent of missing) if (names.includes(agent.name)) made(agent);
  for (const warning of answer.warnings ?? []) print(`  the platform warns: ${printable(warning)}`);
  const absent = missing.filter(({ name }) => !names.includes(name));
  if (absent.length === 0) return;
  const others = names.filter((name) => !missing.some((agent) => agent.name === name));
  throw new TrinityError(
    `POST /api/systems/deploy: the platform did not make ${namesOf(absent)} (${printable(reasonsOf(answer))})${
      others.length > 0 ? `; it made ${printable(others.join(", "))} instead: delete what is not wanted` : ""
    }`,
  );
}

const isSame = ({ state }: Check) => state === "same";

/** Whether a value of the manifest was changed on the platform. That was on purpose, and a deploy takes nothing back. */
const isByHand = ({ state, write }: Check) => state === "differs" && write === null;
const byHand = (check: Check) =>
  `✗ ${check.title}: ${foundOf(check)}, should be ${check.wanted}: changed on the platform, so a deploy leaves it; change it back there`;

/** Prints what a deploy would do, in its order. Gives whether the fleet would then be as it should. */
async function plan({ api, fleet, print }: DeployOptions, { checks, missing }: Inspection): Promise<boolean> {
  if (missing.length > 0) await rehearse(api, fleet.manifestOf(missing), missing);
  for (const check of checks.filter((check) => !isSame(check)))
    print(
      isByHand(check) ? byHand(check) : `→ ${check.title}: would be ${check.wanted} (now: ${foundOf(check)})`,
    );
  print("nothing was written");
  return !checks.some(isByHand);
}

/** The progress of a deploy, so that one that breaks off can print it. */
interface Progress {
  /** Titles of the checks that are not known to be the same yet. */
  readonly open: Set<string>;
  /** Titles of the checks whose write the platform accepted. */
  readonly written: Set<string>;
}

/** Prints the checks that became the same since the last inspection. */
function printSame(checks: readonly Check[], { open }: Progress, print: DeployOptions["print"]): void {
  for (const { title, wanted } of checks.filter(isSame))
    if (open.delete(title)) print(`✓ ${title}: ${wanted}`);
}

/** Prints what is not as it should be, and why. Gives whether everything is. */
function judge(checks: readonly Check[], { written }: Progress, print: DeployOptions["print"]): boolean {
  let good = true;
  for (const check of checks.filter((check) => !isSame(check))) {
    const { title, state, wanted } = check;
    if (state === "unreadable" && written.has(title)) {
      print(`✓ ${title}: ${wanted}, set (the platform offers no way to read it back)`);
      continue;
    }
    good = false;
    print(
      isByHand(check)
        ? byHand(check)
        : `✗ ${title}: the platform took ${wanted}, but reading it back gives ${foundOf(check)}: look at its log, then run this again`,
    );
  }
  return good;
}

async function deploy(options: DeployOptions, progress: Progress): Promise<boolean> {
  const { api, fleet, dryRun, print } = options;
  const before = await inspectFleet(api, fleet);
  for (const check of before.checks)
    if (isSame(check)) print(`✓ ${check.title}: ${check.wanted} already`);
    else progress.open.add(check.title);
  if (dryRun) return plan(options, before);

  let { checks } = before;
  if (before.missing.length > 0) {
    await rehearse(api, fleet.manifestOf(before.missing), before.missing);
    await makeAgents(options, before.missing, ({ name }) => {
      progress.open.delete(`agent ${name}`);
      print(`✓ agent ${name}: made`);
    });
    ({ checks } = await inspectFleet(api, fleet));
    printSame(checks, progress, print);
  }
  for (const check of checks) {
    if (isSame(check) || check.write === null) continue;
    await check.write();
    progress.written.add(check.title);
  }
  if (progress.written.size > 0) ({ checks } = await inspectFleet(api, fleet));
  printSame(checks, progress, print);
  return judge(checks, progress, print);
}

/**
 * Inspects the fleet, makes what is missing, sets what a manifest can't express, and reads everything back.
 * @returns whether the fleet is as it should be now; for a dry run, whether it would be after a deploy
 */
export async function deployFleet(options: DeployOptions): Promise<boolean> {
  const progress: Progress = { open: new Set(), written: new Set() };
  const { dryRun, print } = options;
  try {
    return await deploy(options, progress);
  } catch (error) {
    if (!(error instanceof TrinityError)) throw error;
    const { open, written } = progress;
    print(`✗ ${error.message}`);
    if (written.size > 0) print(`  written, not read back: ${[...written].join(", ")}`);
    const left = [...open].filter((title) => !written.has(title));
    if (left.length > 0) print(`  not done, as far as is known: ${left.join(", ")}`);
    print(
      dryRun
        ? "  nothing was written"
        : "  nothing was taken back: run the same command again, it goes on from here",
    );
    return false;
  }
}
