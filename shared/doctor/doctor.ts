/** `canary doctor`: what a canary with these variables will see, line by line. It reads, and writes nothing anywhere. */
import { CHANNEL_VARIABLES, configureChannels } from "../alerts/channels/index.ts";
import { openReadOnly } from "../canary.ts";
import { STATE } from "../config/cycle.ts";
import { type Environment, reader } from "../config/reader.ts";
import { REMOTE } from "../config/remote.ts";
import { gather } from "../cycle/gather.ts";
import { EMPTY_MEMORY } from "../cycle/memory.ts";
import { areReadByReaders } from "../sources/docker/docker.ts";
import type { CallReader } from "../sources/docker/reader-call.ts";
import { cut } from "../text.ts";
import { formatInstant } from "../time.ts";
import { loadConfig } from "../variables.ts";
import { factsOf } from "../verdict/evaluate.ts";
import { type Examination, note, ok, type Section } from "./finding.ts";
import { prospectsOf } from "./prospects.ts";
import { type Context, sourceSections } from "./sections.ts";

const MAX_TEXT = 1_000;

/** No memory, and no journal: a first cycle. */
const NO_STATE = { journals: { load: async () => ({ entries: [], keys: [], lost: 0 }) } };

/** What a cycle needs beside its sources. Nothing of it is opened. */
function stateSection(config: Context["config"], env: Environment): Section {
  const { url } = reader(env).values({ url: REMOTE.url });
  const channels = Object.keys(configureChannels(config.channels));
  return {
    name: "state and alerts",
    findings: [
      config.stateTable === null
        ? note("state", `${STATE.table.name} is not set: each cycle on this machine starts from nothing`)
        : ok("state", `${STATE.table.name} is ${config.stateTable}, which is not opened here`),
      channels.length === 0
        ? note("alerts", `no channel, so nobody is notified: set ${CHANNEL_VARIABLES}`)
        : ok("alerts", `by ${channels.join(" and ")}; nothing was sent`),
      ...(url === null
        ? []
        : [note("CANARY_URL", "not asked: this is what this machine sees, with its own variables")]),
    ],
  };
}

export interface ExamineOptions {
  /** Our clock, unix ms. */
  readonly now?: () => number;
  /** Makes what reads Docker daemons where they are many. Left out: this process reads them. */
  readonly makeReaders?: (env: Environment) => Promise<CallReader>;
}

/**
 * Examines what these variables name. It writes neither to the platform nor to the state, and sends no alert.
 * @throws ConfigError naming every variable that can't be used
 */
export async function examineAll(
  env: Environment,
  { now = Date.now, makeReaders }: ExamineOptions = {},
): Promise<Examination> {
  const config = loadConfig(env);
  const callReader = areReadByReaders(config.sources.docker) ? await makeReaders?.(env) : undefined;
  const canary = openReadOnly(config, { now, callReader });
  const startedAtMs = now();
  const { all, off } = canary.checks;
  const wanted = factsOf(all.filter(({ id }) => !off.has(id)));
  const gathered = await gather({ ...canary, store: NO_STATE }, wanted, EMPTY_MEMORY, null, startedAtMs);
  const context = { config, canary, gathered };
  const [prospects, sections] = await Promise.all([prospectsOf(canary, gathered), sourceSections(context)]);
  const clean = (text: string) => cut(canary.redact(text), MAX_TEXT);
  return {
    examined_at: formatInstant(startedAtMs),
    sections: [...sections, stateSection(config, env)].map(({ name, findings }) => ({
      name,
      findings: findings.map((finding) => ({ ...finding, text: clean(finding.text) })),
    })),
    invariants: prospects.map((prospect) => ({
      ...prospect,
      reason: prospect.reason && clean(prospect.reason),
    })),
  };
}
