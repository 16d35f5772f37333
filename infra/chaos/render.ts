/** Renders the reports of the chaos as text. */
import { plural } from "../../shared/text.ts";
import { type ChaosOptions, failuresOf, PART_NAMES, type PartReport } from "./chaos.ts";

const MOST_SHOWN = 40;

const COLUMNS: readonly (readonly [string, (report: PartReport) => string | number])[] = [
  ["part", ({ title }) => title],
  ["seconds", ({ seconds }) => Math.round(seconds)],
  ["kills", ({ counts }) => (counts.kills > 0 ? `${counts.kills} (${counts.within} within)` : "–")],
  ["cycles", ({ counts }) => counts.done],
  ["busy", ({ counts }) => counts.busy],
  ["gave way", ({ counts }) => counts.stateless],
  ["faults", ({ counts }) => counts.faults || "–"],
  ["transitions", ({ account }) => account.atEnd.transitions],
  ["sight", ({ account }) => account.atEnd.sight],
  ["delivered", ({ account }) => account.atEnd.delivered],
  ["waiting", ({ account }) => account.atEnd.waiting],
  ["both", ({ account }) => account.atEnd.both],
  ["doubled", ({ account }) => account.atEnd.doubled],
  ["lost", ({ account }) => account.lost.length],
  ["long leases", ({ account }) => account.longLeases.length],
  ["held", (report) => (failuresOf(report).length === 0 ? "yes" : "NO")],
];

/** The command that repeats the run with the same choices. */
export const commandOf = ({ kills, minutes, seed, database, only }: ChaosOptions): string =>
  `npm run chaos -- --kills ${kills} --minutes ${minutes} --seed ${seed}${database === "postgres" ? " --database postgres" : ""}${only.length < PART_NAMES.length ? ` --only ${only.join(",")}` : ""}`;

/** The table, then what did not hold, then the command that repeats the run. */
export function renderChaos(reports: readonly PartReport[], options: ChaosOptions): string {
  const rows = [COLUMNS.map(([name]) => name), ...reports.map((r) => COLUMNS.map(([, of]) => String(of(r))))];
  const widths = COLUMNS.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const failures = reports.flatMap((report) => failuresOf(report).map((line) => `${report.title}: ${line}`));
  const shown = failures.slice(0, MOST_SHOWN);
  return [
    ...rows.map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "),
    ),
    "",
    ...shown,
    ...(failures.length > shown.length ? [`and ${failures.length - shown.length} more`] : []),
    failures.length === 0 ? "everything held" : `${plural(failures.length, "thing")} did not hold`,
    `repeat it: ${commandOf(options)}`,
  ].join("\n");
}
