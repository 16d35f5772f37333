/** Renders the report of a soak as text. */
import { plural } from "../../shared/text.ts";
import type { Reported } from "./judge.ts";
import { LOAD_KINDS } from "./load/churn.ts";
import type { SoakReport } from "./soak.ts";

const MOST_SHOWN = 40;

const listed = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .filter(([, n]) => n > 0)
    .map(([name, n]) => `${n} ${name}`)
    .join(", ") || "nothing";

/** Cuts the list, and adds the number of lines left out. */
const firstOf = (lines: readonly string[]): string[] => [
  ...lines.slice(0, MOST_SHOWN),
  ...(lines.length > MOST_SHOWN ? [`and ${lines.length - MOST_SHOWN} more`] : []),
];

const countBy = <T>(items: readonly T[], nameOf: (item: T) => string): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const name of items.map(nameOf)) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};

const invariantOf = ({ invariant }: Pick<Reported, "invariant">) => invariant;

/** The option for the kinds of load; empty for all of them. */
const loadOf = ({ kinds }: SoakReport["options"]): string =>
  kinds.length === LOAD_KINDS.length ? "" : ` --load ${kinds.join(" ") || "none"}`;

/** The command that repeats the run with the same choices. */
export const commandOf = ({ options }: { readonly options: SoakReport["options"] }): string =>
  `npm run soak -- --release ${options.release}${options.database === "postgres" ? " --database postgres" : ""}${loadOf(options)}${options.without ? ` --without "${options.without}"` : ""} --cycles ${options.cycles} --rate ${options.rate} --agents ${options.agentCount} --breaks ${options.breaks} --seed ${options.seed} --scale ${options.scale} --confirm-ms ${options.confirmMs} --jump-ahead-ms ${options.jumpAheadMs} --jump-back-ms ${options.jumpBackMs}`;

export function renderSoak(report: SoakReport): string {
  const { options, judgement, churn, unbroken } = report;
  const { falseReds, missed, voidBreaks, unknowns, unseen, trueReds } = judgement;
  const planned = Object.values(report.breaksByName).reduce((sum, n) => sum + n, 0);
  const row = (name: string, text: string) => `  ${name.padEnd(14)} ${text}`;
  const details = [
    ...falseReds.flatMap(({ cycle, violation, falseKeys, journal }) => [
      `false red in cycle ${cycle}: ${violation.invariant} ${violation.subject} ${falseKeys.join(", ")}`,
      ...journal.map((line) => `  ${line}`),
    ]),
    ...missed.map(
      ({ item, cycles, planned: name }) =>
        `missed: ${item.invariant} ${item.key} of ${item.subject}, by ${cycles ? plural(cycles, "cycle") : "all cycles"}${name ? ` (${name})` : ""}`,
    ),
    ...voidBreaks.map(({ name, item }) => `never took hold: ${name} of ${item.subject}`),
    ...[...unknowns, ...unseen].map(
      ({ cycle, invariant, reason }) => `unknown in cycle ${cycle}: ${invariant}: ${reason}`,
    ),
    ...report.lines.map((line) => `the platform said: ${line}`),
  ];
  return [
    `${report.cycles} cycles back to back in ${report.seconds.toFixed(0)} s (a look: median ${report.cycleMs.median.toFixed(0)} ms, longest ${report.cycleMs.longest.toFixed(0)} ms)`,
    row(
      "platform",
      `release ${options.release}, ${options.agentCount} agents, ${report.endedPerSecond.toFixed(1)} executions ended a second, ${report.executions} in all; ${report.engines}`,
    ),
    row(
      "times",
      `scale ${options.scale} for what the platform waits for; sweeps every 1.5 to 5 s (60 s there), confirmation after ${options.confirmMs} ms (3000 ms there)`,
    ),
    row(
      "churn",
      `${churn.agentsRemade} agents deleted and made, ${churn.resizes} resized, ${churn.floods} queues flooded, ${churn.bursts} bursts of 50 scheduled runs, ${churn.chatTurns} chat turns (${churn.turnsWithoutSlot} without a slot), ${churn.alarms} alarms, ${churn.ceilings} ceilings of the fleet, ${churn.lateSweeps} sweeps over a minute late, ${churn.jumps} clock jumps (up to ${options.jumpAheadMs} ms ahead, ${options.jumpBackMs} ms back)`,
    ),
    row("breaks", `${planned} made and cured: ${listed(report.breaksByName)}`),
    row("alerts", listed(report.alerts)),
    "",
    row(
      "false reds",
      `${falseReds.length}${falseReds.length > 0 ? ` (${listed(countBy(falseReds, ({ violation }) => invariantOf(violation)))})` : ""}`,
    ),
    row(
      "missed",
      `${missed.length}${missed.length > 0 ? ` (${listed(countBy(missed, ({ item }) => invariantOf(item)))})` : ""}`,
    ),
    row(
      "unknown",
      `${unknowns.length}, and ${unseen.length} subjects not seen; not broken: ${unbroken.join(", ")}`,
    ),
    row("true reds", `${trueReds} violations, each as the journal has it`),
    "",
    ...firstOf(details).map((line) => `  ${line}`),
    row("repeat it", commandOf(report)),
  ].join("\n");
}
