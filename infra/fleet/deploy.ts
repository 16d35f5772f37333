/** Brings the fleet about: what is missing is made, what has its value is left alone, nothing is taken back. */
import { printable } from "../../shared/text.ts";
import type { Fleet, FleetAgent } from "./fleet.ts";
import { type Check, foundOf, type Inspection, inspectFleet } from "./inspect.ts";
import { type Deployment, type Trinity, TrinityError } from "./trinity-api.ts";

export interface DeployOptions {
  readonly api: Trinity;
  readonly fleet: Fleet;
  /** Says what would be done and writes nothing. */
  readonly dryRun: boolean;
  /** Takes one line, as soon as it is true. */
  readonly print: (line: string) => void;
}

const namesOf = (agents: readonly FleetAgent[]) => agents.map(({ name }) => name).join(", ");

const reasonsOf = ({ status, failed }: Deployment) =>
  failed?.map(({ name, reason }) => `${name}: ${reason}`).join("; ") || `status ${status}`;

/**
 * Has the platform try the manifest first: it knows the templates, and the names that are taken.
 * @throws TrinityError where it would refuse, or would name an agent otherwise
 */
async function rehearse(api: Trinity, manifest: string, missing: readonly FleetAgent[]): Promise<void> {
  const preview = await api.deploy(manifest, true);
  if (preview.status !== "valid")
    throw new TrinityError(
      `POST /api/systems/deploy: the platform would not take the manifest (${printable(reasonsOf(preview))}): mend what it names; the sleep-echo template is put on the platform by hand (docs/fleet.md)`,
    );
  const names = preview.agents_to_create ?? [];
  const wanted = missing.map(({ name }) => name);
  if ([...names].sort().join() !== [...wanted].sort().join())
    throw new TrinityError(
      `POST /api/systems/deploy: the platform would make ${printable(names.join(", ")) || "nothing"} in place of ${wanted.join(", ")}: a name is taken, by an agent that was deleted but is still kept, or that this token can't see; free it on the platform, or change \`name\` in infra/fleet/canary-fleet.yaml`,
    );
}

/**
 * @param made is told of each agent as it is made
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

/** What the manifest says is not set by a call: somebody changed it on purpose, and a deploy takes nothing back. */
const isByHand = ({ state, write }: Check) => state === "differs" && write === null;
const byHand = (check: Check) =>
  `✗ ${check.title}: ${foundOf(check)}, should be ${check.wanted}: changed on the platform, so a deploy leaves it; change it back there`;

/** What would be done, in the order in which it would be. */
async function plan({ api, fleet, print }: DeployOptions, { checks, missing }: Inspection): Promise<boolean> {
  if (missing.length > 0) await rehearse(api, fleet.manifestOf(missing), missing);
  for (const check of checks.filter((check) => !isSame(check)))
    print(
      isByHand(check) ? byHand(check) : `→ ${check.title}: would be ${check.wanted} (now: ${foundOf(check)})`,
    );
  print("nothing was written");
  return !checks.some(isByHand);
}

/** What a run has come to, so that one that breaks off can say it. */
interface Progress {
  /** Titles of what is not as it should be, as far as is known. */
  readonly open: Set<string>;
  /** Titles of what was written, and taken by the platform. */
  readonly written: Set<string>;
}

/** Tells what has come about since the last look. */
function tellSame(checks: readonly Check[], { open }: Progress, print: DeployOptions["print"]): void {
  for (const { title, wanted } of checks.filter(isSame))
    if (open.delete(title)) print(`✓ ${title}: ${wanted}`);
}

/** @returns whether all is as it should be; prints what is not, and why */
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

async function bringAbout(options: DeployOptions, progress: Progress): Promise<boolean> {
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
    tellSame(checks, progress, print);
  }
  for (const check of checks) {
    if (isSame(check) || check.write === null) continue;
    await check.write();
    progress.written.add(check.title);
  }
  if (progress.written.size > 0) ({ checks } = await inspectFleet(api, fleet));
  tellSame(checks, progress, print);
  return judge(checks, progress, print);
}

/**
 * Looks, makes what is missing, sets what a manifest can't express, and reads all of it back.
 * @returns whether the fleet now is what it should be (of a dry run: whether a deploy would make it so)
 */
export async function deployFleet(options: DeployOptions): Promise<boolean> {
  const progress: Progress = { open: new Set(), written: new Set() };
  const { dryRun, print } = options;
  try {
    return await bringAbout(options, progress);
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
