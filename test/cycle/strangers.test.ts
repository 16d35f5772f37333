/** A Docker daemon that others use too: their containers are nobody's alarm, and hide none of the platform's own. */
import { expect, test } from "vitest";
import { docker } from "../../shared/sources/docker/docker.ts";
import { loadConfig } from "../../shared/variables.ts";
import { alertsOf, type ScriptedCanary, taken, useCanaries } from "../support/cycle.ts";
import { useDockerApis } from "../support/docker-api.ts";
import { rosterOf } from "../support/facts.ts";

const canaryOf = useCanaries();
const start = useDockerApis();

const PAUSED = { State: { Status: "paused", Paused: true } };
const ROSTER = rosterOf({ alpha: { executionTimeoutSeconds: 60 }, beta: { executionTimeoutSeconds: 60 } });

/** A canary that reads a daemon with a container for each of these agents. */
async function watching(...agents: string[]) {
  const api = await start(...agents.map((agent) => `agent-${agent}`));
  const canary = await canaryOf({ sourceDeadlineMs: 60_000 });
  const { cycle } = loadConfig({ SOURCE_DEADLINE_MS: "60000" });
  const values = { hosts: [api.host], readersFrom: 10, readerDaemons: 5, ca: null, cert: null, key: null };
  const read = docker.configure(values, { cycle, database: null });
  if (typeof read === "string") throw new Error(read);
  Object.assign(canary.deps, {
    sources: canary.deps.sources.map((source) => (source.name === "docker" ? { ...source, read } : source)),
  });
  const pause = (agent: string) => {
    const { Id } = api.containers.find(({ Names }) => Names[0] === `/agent-${agent}`)!;
    api.inspects.set(Id, PAUSED);
  };
  return { canary, api, pause };
}

/** For far longer than it takes to call something blind. */
async function cyclesLater(canary: ScriptedCanary) {
  for (let cycle = 0; cycle < 4; cycle += 1) await canary.cycle();
  return canary.cycle();
}

test("another installation on the same daemon is a line of the report for ever, and never an alert", async () => {
  const { canary } = await watching("alpha", "beta", "theirs", "left-over");
  const sent = alertsOf(canary);
  const report = await cyclesLater(canary);
  expect(report.verdicts["R-01"]).toMatchObject({ status: "green", checked: 2 });
  expect(report.sources_unavailable).toEqual([
    "docker.roster: 2 running containers of no agent on the roster: left-over, theirs",
  ]);
  expect((await canary.memory()).lastFullCycle?.sourcesUnavailable).toEqual(report.sources_unavailable);
  expect((await canary.memory()).blindSources).toEqual({});
  expect(taken(sent)).toEqual([]);
});

test("nor are its containers that can't be read: they belong to that line", async () => {
  const { canary, pause } = await watching("alpha", "beta", "theirs", "left-over");
  const sent = alertsOf(canary);
  pause("theirs");
  const report = await cyclesLater(canary);
  expect(report.verdicts["R-01"]).toMatchObject({ status: "green", checked: 2, unseen: [] });
  expect(report.sources_unavailable).toEqual([
    "docker.roster: 2 running containers of no agent on the roster: left-over, theirs",
  ]);
  expect((await canary.memory()).blindSources).toEqual({});
  expect(taken(sent)).toEqual([]);
});

test("an agent's own container that can't be read is still an alert, also behind hundreds of theirs", async () => {
  const theirs = Array.from({ length: 150 }, (_, n) => `theirs-${n}`);
  const { canary, pause } = await watching("alpha", "beta", ...theirs);
  const sent = alertsOf(canary);
  for (const agent of ["alpha", ...theirs]) pause(agent);
  const report = await cyclesLater(canary);
  expect(report.verdicts["R-01"]).toMatchObject({ status: "green", checked: 1, unseen: ["alpha"] });
  expect(report.sources_unavailable).toEqual([
    "docker.exec[alpha]: the container is paused",
    expect.stringMatching(/^docker\.roster: 150 running containers of no agent on the roster: /),
  ]);
  expect(taken(sent)).toEqual([expect.stringMatching(/^blind Blind since \d\d:\d\d: docker\.exec\[alpha\]/)]);
});

test("the same holds where a new red is read again, and they can't be read then", async () => {
  const { canary, api, pause } = await watching("alpha", "beta", "theirs");
  api.processes = "STAT PID COMMAND\nSs 1 sleep\nZ 7 claude\n";
  const { sleep } = canary.deps;
  Object.assign(canary.deps, {
    sleep: (ms: number) => {
      pause("theirs");
      pause("beta");
      return sleep(ms);
    },
  });
  const report = await canary.cycle();
  expect(report.violations).toMatchObject([{ invariant_id: "R-01", subject: "alpha" }]);
  expect(report.sources_unavailable).toEqual([
    "docker.exec[beta]: the container is paused",
    "docker.roster: 1 running container of no agent on the roster: theirs",
  ]);
});

test.for([
  ["the roster can't be read", (canary: ScriptedCanary) => canary.unread("roster", "sqlite: no answer")],
  ["the roster is empty", (canary: ScriptedCanary) => canary.set({ roster: rosterOf({}) })],
  [
    "the roster has a name that can't be read",
    (canary: ScriptedCanary) => canary.marks("roster", { unlisted: "sqlite.roster: a name can't be read" }),
  ],
] as const)("while %s, nobody is known to be a stranger", async ([, happens]) => {
  const { canary, pause } = await watching("alpha", "beta", "theirs");
  canary.set({ roster: ROSTER });
  pause("theirs");
  happens(canary);
  expect((await canary.cycle()).sources_unavailable).toContain(
    "docker.exec[theirs]: the container is paused",
  );
  expect((await canary.memory()).blindSources).toHaveProperty(["docker.exec[theirs]"]);
});
