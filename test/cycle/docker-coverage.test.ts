/** More containers than a cycle has time for: nothing unseen is taken for healthy or gone, and nothing is forgotten. */
import { afterEach, expect, test, vi } from "vitest";
import { docker } from "../../shared/sources/docker/docker.ts";
import { aroundRing } from "../../shared/sources/docker/order.ts";
import { loadConfig } from "../../shared/variables.ts";
import { useCanaries } from "../support/cycle.ts";
import { containerId, type DockerApi, startDockerApi } from "../support/docker-api.ts";
import { rosterOf } from "../support/facts.ts";

const canaryOf = useCanaries();
let api: DockerApi | undefined;
afterEach(async () => {
  vi.restoreAllMocks();
  await api?.close();
});

const AGENTS = Array.from({ length: 36 }, (_, n) => `agent-${n}`);
const DEADLINE_MS = 60_000;
/** What each process list takes of the deadline, on a clock that nothing else moves. */
const EACH_MS = 5_000;

/** A canary whose clock for deadlines advances by each process list. Each cycle is one of a process of its own. */
async function watching() {
  const daemon = await startDockerApi(AGENTS.map((agent) => `agent-${agent}`));
  api = daemon;
  let clockMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => clockMs);
  vi.spyOn(Math, "random").mockReturnValue(0);
  const looked = new Set<string>();
  daemon.before = (request) => {
    const [, id] = /^POST \/exec\/(\d+)\/start$/.exec(request) ?? [];
    if (id === undefined) return undefined;
    clockMs += EACH_MS;
    looked.add(AGENTS[Number.parseInt(daemon.execs[Number(id) - 1]!.container!, 16)]!);
    return undefined;
  };
  const canary = await canaryOf({ sourceDeadlineMs: DEADLINE_MS });
  canary.set({ roster: rosterOf(Object.fromEntries(AGENTS.map((agent) => [agent, {}]))) });
  const { cycle } = loadConfig({ SOURCE_DEADLINE_MS: String(DEADLINE_MS) });
  const values = { hosts: [daemon.host], readersFrom: 10, readerDaemons: 5, ca: null, cert: null, key: null };
  return {
    canary,
    daemon,
    /** Runs a cycle. @returns its R-01, and whose processes were looked at */
    async cycle() {
      const read = docker.configure(values, { cycle, database: null });
      if (typeof read === "string") throw new Error(read);
      const sources = canary.deps.sources.map((one) => (one.name === "docker" ? { ...one, read } : one));
      Object.assign(canary.deps, { sources });
      looked.clear();
      const { verdicts, recoveries, transitions, sources_unavailable } = await canary.cycle("R-01");
      return { ...verdicts["R-01"]!, recoveries, transitions, sources_unavailable, looked: new Set(looked) };
    },
  };
}

test("what was not reached is unseen, and the next cycles begin with it until all were", async () => {
  const { cycle } = await watching();
  const waiting = new Set(AGENTS);
  for (let cycles = 0; waiting.size > 0; cycles += 1) {
    expect(cycles).toBeLessThan(6);
    const { status, checked, unseen, looked, sources_unavailable } = await cycle();
    expect(status).toBe("green");
    expect(new Set(unseen)).toEqual(new Set(AGENTS.filter((agent) => !looked.has(agent))));
    expect(checked).toBe(looked.size);
    expect(sources_unavailable).toEqual([
      `docker.exec: ${unseen.length} containers not looked at in time: the next cycle begins with them`,
    ]);
    const before = waiting.size;
    for (const agent of looked) waiting.delete(agent);
    expect(waiting.size).toBeLessThan(before);
  }
});

test("a red container that is not reached stays red, until a cycle looks at it again", async () => {
  const { cycle, daemon, canary } = await watching();
  const ids = AGENTS.map((_, n) => containerId(n));
  const [first] = aroundRing(ids, (id) => id, 0);
  const agent = AGENTS[ids.indexOf(first!)]!;
  daemon.processesIn.set(first!, "STAT PID COMMAND\nSs 1 sleep\nZ 7 claude\n");
  expect((await cycle()).transitions).toMatchObject([{ invariant_id: "R-01", violations_in_cycle: 1 }]);
  // It is healed, and nobody has looked.
  daemon.processesIn.clear();
  for (let cycles = 0; ; cycles += 1) {
    expect(cycles).toBeLessThan(8);
    const { status, unseen, recoveries, looked } = await cycle();
    if (looked.has(agent)) {
      expect({ status, recoveries }).toMatchObject({ status: "green", recoveries: [{ subjects: [agent] }] });
      break;
    }
    expect({ status, recoveries }).toEqual({ status: "red", recoveries: [] });
    expect(unseen).toContain(agent);
    expect(Object.keys((await canary.memory()).states["R-01"]!.red)).toEqual([agent]);
  }
});
