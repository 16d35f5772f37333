/** `npm run evidence`: runs the soaks, the ablations and the clock jumps, and writes docs/evidence.md from what came out. */
import { writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { type Guard, soakWithout } from "./ablations.ts";
import { commandOf } from "./render.ts";
import type { SoakReport } from "./soak.ts";

const PATH = fileURLToPath(new URL("../../docs/evidence.md", import.meta.url));
const SEED = 20_261_123;

interface Size {
  readonly agents: number;
  readonly rate: number;
  readonly cycles: number;
  readonly breaks: number;
  readonly confirmMs: number;
}
const BUSY: Size = { agents: 20, rate: 100, cycles: 2_000, breaks: 100, confirmMs: 100 };
const LARGE: Size = { agents: 1_000, rate: 5, cycles: 100, breaks: 20, confirmMs: 300 };
/** Without breaks: all that is red is false. */
const BUSY_QUIET: Size = { ...BUSY, cycles: 400, breaks: 0 };
const LARGE_QUIET: Size = { ...LARGE, cycles: 1_000, breaks: 0 };
/** A loop takes a second for a thousand agents. */
const LARGE_LOOPED: Size = { ...LARGE_QUIET, cycles: 50 };

/** What is taken out, by rows of the table; with and without confirmation where that hides what the guard is for. */
const ABLATIONS: readonly (readonly Guard[])[] = [
  [],
  ["confirmation"],
  ["the 3 s grace"],
  ["confirmation", "the 3 s grace"],
  ["S-03's decay rule"],
  ["the atomic slot read"],
  ["confirmation", "the atomic slot read"],
];

const JUMPS_MS: readonly (readonly [ahead: number, back: number])[] = [
  [0, 0],
  [1_500, 0],
  [3_000, 0],
  [10_000, 0],
  [0, 45_000],
  [0, 120_000],
];

async function soak(
  size: Size,
  without: readonly Guard[] = [],
  more: readonly string[] = [],
): Promise<SoakReport> {
  const args = {
    cycles: size.cycles,
    rate: size.rate,
    agents: size.agents,
    breaks: size.breaks,
    "confirm-ms": size.confirmMs,
    seed: SEED,
  };
  const told = [...Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)]), ...more];
  console.error(`${without.length > 0 ? `without ${without.join(" and ")}` : "whole"}: ${told.join(" ")}`);
  const report = await soakWithout(without, told);
  console.error(
    `  ${report.cycles} cycles in ${report.seconds.toFixed(0)} s: ${report.judgement.falseReds.length} false reds, ${report.judgement.missed.length} missed`,
  );
  const { falseReds, missed, voidBreaks } = report.judgement;
  if (without.length === 0)
    for (const found of [...falseReds.slice(0, 10), ...missed, ...voidBreaks])
      console.error(`  ${JSON.stringify(found)}`);
  return report;
}

const countBy = (names: readonly string[]): string => {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .sort()
    .map(([name, n]) => `${name} ${n}`)
    .join(", ");
};

const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

const ofSoak = (report: SoakReport): (string | number)[] => {
  const { falseReds, missed, unknowns, trueReds } = report.judgement;
  const breaks = Object.values(report.breaksByName).reduce((sum, n) => sum + n, 0);
  return [
    `${report.options.agentCount} agents`,
    report.endedPerSecond.toFixed(0),
    report.cycles,
    breaks,
    trueReds,
    `**${falseReds.length}**`,
    `**${missed.length}**`,
    unknowns.length,
    `${report.seconds.toFixed(0)} s`,
  ];
};

const falseRedsOf = ({ judgement: { falseReds }, cycles }: SoakReport): string =>
  falseReds.length === 0
    ? "0"
    : `${falseReds.length} (${(falseReds.length / cycles).toFixed(falseReds.length < cycles ? 2 : 1)} a cycle: ${countBy(falseReds.map(({ found }) => found.invariant))})`;

const machine = (engines: string): string =>
  `${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}, ${Math.round(totalmem() / 2 ** 30)} GB, Node ${process.version}; ${engines}; all in one process but the Redis`;

const soaks = [await soak(BUSY), await soak(LARGE)];
const ablations: (readonly [string, string, string])[] = [];
for (const without of ABLATIONS) {
  const [busy, large] = [await soak(BUSY_QUIET, without), await soak(LARGE_QUIET, without)];
  ablations.push([without.join(" and ") || "nothing", falseRedsOf(busy), falseRedsOf(large)]);
}
const plain = [await soak(BUSY_QUIET, [], ["--plain-loop"]), await soak(LARGE_LOOPED, [], ["--plain-loop"])];
const jumps: (string | number)[][] = [];
for (const [ahead, back] of JUMPS_MS) {
  const report = await soak(
    BUSY_QUIET,
    [],
    ["--jump-ahead-ms", String(ahead), "--jump-back-ms", String(back)],
  );
  const { falseReds, trueReds } = report.judgement;
  jumps.push([
    ahead === 0 ? "none" : `${ahead / 1000} s`,
    back === 0 ? "none" : `${back / 1000} s`,
    report.did.jumps,
    falseReds.length,
    trueReds,
  ]);
}

writeFileSync(
  PATH,
  `<!-- Written by \`npm run evidence\`, which measures all of it. Change it in infra/soak/evidence.ts. -->

# Evidence

What a soak is: the simulated platform (\`infra/platform\`) at work on real servers, runs of every kind, queues that
overflow and drain, agents that are deleted and made, sweeps that are late, a clock that jumps; and the canary's own cycle,
whole, with its state and its alerts, back to back without a pause. Meanwhile things are broken on purpose and mended
(\`infra/soak/breaks.ts\`). The platform keeps a journal of each write, with the instants between which it took hold. A
judge (\`infra/soak/judge.ts\`) has the rules a second time, over that journal, and shares nothing with the checks:

- a **false red** is a violation that, in no state that the journal allows, was so from the first read to the second;
- a break is **missed** where it held for the whole of a cycle that did not say it, or was mended unsaid;
- an **unknown** is a verdict that could not say.

Measured on ${machine(soaks[0]!.engines)}.

## The soaks

${table(["platform", "ended a second", "cycles", "breaks", "true violations", "false reds", "missed", "unknown", "time"], soaks.map(ofSoak))}

${soaks.map((report) => `\`\`\`sh\n${commandOf(report)}\n\`\`\``).join("\n\n")}

The seed repeats what is drawn (the fleet, the runs, the breaks, the jumps), not how the processes interleave.

Scaled: confirmation after ${BUSY.confirmMs} and ${LARGE.confirmMs} ms (3000 ms there), sweeps every 1.5 to 5 s (60 s there). Not scaled: what
lies between the writes of a start (30 ms) and of a stop (5 ms), the graces, and the sweeps that are late (61 to 72 s). The
heartbeat of a sweep that hangs, and the start of a run that never ends, are set back rather than waited for.

Left out: R-01, whose zombies need a container. It is not asked.

${table(
  ["break", ...soaks.map(({ options }) => `${options.agentCount} agents`)],
  Object.keys(soaks[0]!.breaksByName).map((name) => [
    name,
    ...soaks.map((report) => report.breaksByName[name]!),
  ]),
)}

## What each guard is for

The same soaks with a guard taken out: the canary's source is patched as it is bundled, and nothing in it knows of that.
Nothing is broken on purpose here, so that each red is false. ${BUSY_QUIET.cycles} and ${LARGE_QUIET.cycles} cycles, seed ${SEED}.

${table(
  [
    "taken out",
    `false reds, ${BUSY.agents} agents at ${BUSY.rate} a second`,
    `false reds, ${LARGE.agents} agents at ${LARGE.rate} a second`,
  ],
  [...ablations, ["the canary: a loop that asks agent by agent", ...plain.map(falseRedsOf)]],
)}

Confirmation covers for the grace and for the atomic read: a start, or a release, is over when the second read comes.
They save that second read where the cycle would else need one, and they hold where a confirmation would not: a start
that takes longer than the wait. So both are shown without confirmation too, to be compared with confirmation alone taken
out. The last row is S-01 as one would write it at first: the rows in one statement, then Redis for one agent
after the other, with the grace and without a second look.

## Clocks that jump

The platform's wall clock jumps by up to so much, for half a second to four seconds, every one to five seconds; nothing
is broken. ${BUSY_QUIET.cycles} cycles at ${BUSY.rate} executions a second, seed ${SEED}.

${table(["ahead", "back", "jumps", "false reds", "red by the letter"], jumps)}

*Red by the letter* is what breaks a rule as docs/invariants.md has it, by the instants that the platform itself wrote,
on a platform that is well otherwise. Ages are measured against the canary's clock, and the tolerances are part of the
contract: a slot acquired by a clock more than 2 s ahead was given too short a life by S-03, one more than 3 s ahead is in
no grace of S-01's; one far enough behind makes a row that waits look as if it had waited for longer (B-02, from
60 s on). Steps as NTP makes them (ahead by up to 1.5 s, back by up to 45 s) are part of all soaks above.

## Limits

- One machine, and one process but for the Redis: what a network adds is not in here.
- A write takes hold somewhere between two instants, and the judge gives that doubt to the canary, in both directions. The
  clocks of the two are held to differ by up to 0.25 s.
- Where the drain heartbeat is over 120 s old, B-02 fires at once. An agent that drains its own queue has a free slot for
  milliseconds whenever a run ends, and may then be named beside those whose queue stands still. The soak's late sweeps
  stay below that (72 s, and 45 s for a clock that was set back).
- A clock that is set back by more than 3 s takes the grace from a start. Confirmation stands in for it; since a run can start
  in the first look and end, or start again, in the second, a new red is looked at a third time.
`,
);
console.error(`written: ${PATH}`);
