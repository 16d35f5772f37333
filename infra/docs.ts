/** `npm run docs`: writes the pages that are generated from the code. `--check` only says whether they are up to date. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CHANNELS } from "../shared/alerts/channels/index.ts";
import { ALERT_POLICY, ALERTS } from "../shared/config/alerts.ts";
import { API } from "../shared/config/api.ts";
import { CHECKS } from "../shared/config/checks.ts";
import { CYCLE, STATE } from "../shared/config/cycle.ts";
import { CYCLE_FUNCTION, READER_FUNCTION } from "../shared/config/lambda-function.ts";
import { LOCAL } from "../shared/config/local.ts";
import { PLATFORM } from "../shared/config/platform.ts";
import { PROFILES } from "../shared/config/profiles.ts";
import { REMOTE } from "../shared/config/remote.ts";
import { SECRET } from "../shared/config/secret.ts";
import { NONE } from "../shared/config/source-variables.ts";
import { TERMINAL } from "../shared/config/terminal.ts";
import type { Variable, VariableTable } from "../shared/config/variable.ts";
import { INVARIANTS } from "../shared/invariants/index.ts";
import { offWithOf } from "../shared/invariants/invariant.ts";
import { SOURCES } from "../shared/sources/index.ts";
import type { SourceSpec } from "../shared/sources/source.ts";
import { SECRET_NAMES } from "../shared/variables.ts";
import { alertEventJsonSchema } from "../shared/wire/alert-event.ts";
import { SETTINGS } from "./environments.ts";
import { faultTable } from "./faults/table.ts";
import { withParts } from "./markdown.ts";
import { goneWithoutTable, needsTable } from "./needs.ts";
import { runbookPage } from "./runbooks.ts";

/** The groups of docs/configuration.md. */
export const GROUPS = {
  sources: SOURCES.map(({ variables }) => variables),
  cycle: [CYCLE, CHECKS],
  alerts: [...CHANNELS.map(({ variables }) => variables), ALERTS, ALERT_POLICY],
  stateAndAccess: [STATE, SECRET, API, CYCLE_FUNCTION, READER_FUNCTION],
  commandLine: [REMOTE, PROFILES, TERMINAL, PLATFORM],
  local: [LOCAL],
} as const satisfies Record<string, readonly VariableTable[]>;

const cell = (text: string) => text.replaceAll("|", "\\|");

/** Describes which invariants are not run without a source. */
function leftOut({ gives }: SourceSpec): string {
  const ids = INVARIANTS.filter((invariant) => offWithOf(invariant).some((fact) => gives.includes(fact))).map(
    ({ id }) => id,
  );
  return `. \`${NONE}\` leaves out ${ids.join(", ")}`;
}

/** What is added to the meaning of each source's first variable. */
const LEFT_OUT = new Map(
  (SOURCES as readonly SourceSpec[]).map((source) => [Object.values(source.variables)[0], leftOut(source)]),
);

/** Describes where a deployed canary gets a variable; empty where the stack itself sets it. */
function deployedBy(name: string): string {
  const setting = SETTINGS.get(name);
  const places = [...(setting ? [`\`${setting}\``] : []), ...(SECRET_NAMES.includes(name) ? ["secret"] : [])];
  return places.join(" or ");
}

function row(variable: Variable<unknown>, isDeployed: boolean): string {
  const { name, meaning, fallback } = variable;
  const range = "range" in variable ? `; ${(variable.range as readonly number[]).join(" to ")}` : "";
  const cells = [
    `\`${name}\``,
    variable.format(fallback) ?? "",
    ...(isDeployed ? [deployedBy(name)] : []),
    meaning + range + (LEFT_OUT.get(variable) ?? ""),
  ];
  return `|${cells.map((text) => (text ? ` ${cell(text)} ` : " ")).join("|")}|`;
}

/** Makes the table of these variables. @param isDeployed whether a deployed canary reads them */
function table(tables: readonly VariableTable[], { isDeployed = true } = {}): string {
  const variables = tables.flatMap((one) => Object.values(one));
  const head = isDeployed
    ? "| variable | default | deployed | meaning |\n|---|---|---|---|"
    : "| variable | default | meaning |\n|---|---|---|";
  return [head, ...variables.map((variable) => row(variable, isDeployed))].join("\n");
}

/** Makes docs/configuration.md from the tables of variables. */
export function configurationPage(): string {
  return `<!-- Written by \`npm run docs\` from infra/docs.ts and the tables of variables that it names. Change it there. -->

# Configuration

Everything is a variable of the environment, read once at the start by \`shared/config\`. A value that can't be used is
refused with the variable's name and the fix. An empty variable counts as one that is not set.

A deployed canary gets its variables from the stack: what stands in \`infra/environments.ts\` is turned into them, and the
secrets come from AWS Secrets Manager. The column *deployed* names the setting of an environment that becomes the variable,
or says that it comes from the secret; where it is empty, the stack sets what is needed. The [settings of an environment](operations.md#the-settings-of-an-environment)
are in operations.md.

## Sources

A source that is not set is unread: its invariants are unknown, and \`sources_unavailable\` says \`redis: not configured\`.
The value \`none\` says that it is left out on purpose: its invariants are not run and are listed in \`checks_off\`, with
the reason in \`checks_off_reasons\`.

${table(GROUPS.sources)}

## The cycle

${table(GROUPS.cycle)}

## Alerts

Without a channel nobody is notified; cycles and records go on, and \`status\` says \`alerts: no channel\`. What is red when a
channel is first configured makes an alert then.

${table(GROUPS.alerts)}

## State and access

${table(GROUPS.stateAndAccess)}

\`AWS_REGION\`, \`AWS_ENDPOINT_URL_DYNAMODB\` and their like are the AWS SDK's own variables.

## The command line

${table(GROUPS.commandLine, { isDeployed: false })}

## \`npm start\`

It reads these, \`ADMIN_TOKEN\`, \`READ_TOKENS\`, \`PUBLIC_BADGE\`, \`CHECKS_OFF\`, \`CHECKS_ON\`, \`SEVERITIES\`, and the variables of alerts.

${table(GROUPS.local, { isDeployed: false })}
`;
}

/** Makes docs/invariants.md from the registry. */
export function invariantsPage(): string {
  const rows = INVARIANTS.map(
    ({ id, title, tier, severity, impact, reads, confirm }) =>
      `| [${id}](#${id.toLowerCase()}) ${cell(title)} | ${tier} | ${severity} | ${cell(impact)} | ${reads.join(", ")} | ${confirm ? "yes" : "no"} |`,
  );
  const sections = INVARIANTS.map(
    ({ id, title, impact, runbook }) =>
      `## ${id}\n\n**${title}.** ${impact}\n\nWhat to do: ${runbook} The [runbook](runbooks/${id}.md) has the commands, the causes and how to tell them apart.\n`,
  );
  return `<!-- Written by \`npm run docs\` from shared/invariants. Change it there. -->

# Invariants

Tier A must hold at every instant, tier B again within a stated time. An invariant whose new red is confirmed is read
again after \`CONFIRM_AFTER_MS\`, and once more at once, before it counts: its facts come from more than one read or clock.

| invariant | tier | severity | impact | reads | confirmed |
|---|---|---|---|---|---|
${rows.join("\n")}

## Which releases of Trinity are supported

Two, by their tables: *seed* (May 2026) and *today* (November 2026). A simulated platform (\`infra/platform\`) has the
tables and the behaviour of each, and the drill and the soaks run on both ([evidence.md](evidence.md)). A release in
between has some of the new tables and columns; what it lacks is left out, as below, but that was not tested.

Each of them is read on SQLite (\`LIBSQL_URL\`) and on PostgreSQL (\`DATABASE_URL\`), which hosted installations get by default
today. A SQLite file that was left behind by a migration is not the platform's database, and H-02 says so.

\`npm run -s canary -- doctor\` says which release an installation is, what it lacks, and what each invariant will be
([operations.md](operations.md#canary-doctor)).

### What each invariant needs

Without what is in the second column an invariant is unknown. It is not run where a release never had that, or where that, or
what is in the third column, was left out on purpose. Columns that every release has (\`id\`, \`agent_name\`, \`status\`) are not listed.

${needsTable()}

What an older release lacks is left out of the statements. The facts that these invariants read then say less:

${goneWithoutTable()}

${sections.join("\n")}`;
}

const pathOf = (name: string) => fileURLToPath(new URL(`../docs/${name}`, import.meta.url));

/** Makes docs/drill.md: the page as it is, with the table of faults from infra/faults. */
const drillPage = (): string => withParts(readFileSync(pathOf("drill.md"), "utf8"), { faults: faultTable() });

/** The runbooks, by their names in docs/. */
const RUNBOOKS = Object.fromEntries(
  INVARIANTS.map((invariant) => {
    const name = `runbooks/${invariant.id}.md`;
    const page = () => (existsSync(pathOf(name)) ? readFileSync(pathOf(name), "utf8") : null);
    return [name, () => runbookPage(invariant, page())];
  }),
);

/** The generated pages, by their names in docs/. */
export const DOCUMENTS = {
  ...RUNBOOKS,
  "invariants.md": invariantsPage,
  "configuration.md": configurationPage,
  "drill.md": drillPage,
  "alert-event.schema.json": () => `${JSON.stringify(alertEventJsonSchema(), null, 2)}\n`,
} as const;

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [name, page] of Object.entries(DOCUMENTS)) {
    const path = pathOf(name);
    if (!process.argv.includes("--check")) writeFileSync(path, page());
    else if (!existsSync(path) || readFileSync(path, "utf8") !== page()) {
      console.error(`docs/${name} is not what the code says: run npm run docs`);
      process.exitCode = 1;
    }
  }
