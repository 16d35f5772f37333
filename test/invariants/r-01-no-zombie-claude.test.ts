import { describe, expect, test } from "vitest";
import { type ContainerProcesses, type Zombies, zombieKey } from "../../shared/facts/facts.ts";
import { noZombieClaude as R01 } from "../../shared/invariants/r-01-no-zombie-claude.ts";
import { evaluate } from "../../shared/verdict/evaluate.ts";
import {
  AGENT,
  container,
  judge,
  judgeTwice,
  msAgo,
  observedOf,
  readBetween,
  readingsOf,
  recordOf,
  rosterOf,
  sightingsOf,
  testUnreadFacts,
  violationsOf,
  zombiesOf,
} from "../support/facts.ts";

testUnreadFacts(R01);

test("R-01 is of tier A, critical", () => {
  expect(R01).toMatchObject({ tier: "A", severity: "critical" });
});

const seenIn = (...containers: ContainerProcesses[]) => ({ zombies: zombiesOf(containers) });
const unreadContainer = (agent: string, containerId: string) => ({
  unseenContainers: [{ agent, containerId }],
});

describe("no running agent container holds zombie claude processes", () => {
  test("containers without zombies are green", () => {
    const facts = {
      roster: rosterOf({ [AGENT]: {}, other: {} }),
      ...seenIn(container([]), container([], { agent: "other", containerId: "beef" })),
    };
    expect(recordOf(judge(R01, facts))).toEqual({ status: "green", checked: 2, unseen: [], reason: null });
    expect(judge(R01, facts).notes).toBeUndefined();
  });

  test("an agent on the roster whose container does not run is no agent to look at, while another's runs", () => {
    const facts = { roster: rosterOf({ [AGENT]: {}, asleep: {} }), ...seenIn(container([])) };
    expect(recordOf(judge(R01, facts))).toMatchObject({ status: "green", checked: 1, unseen: [] });
  });

  test("one zombie in agent-cornelius-m, as in the seed", () => {
    expect(violationsOf(judge(R01, seenIn(container([4711]))))).toEqual([
      {
        invariant_id: "R-01",
        tier: "A",
        severity: "critical",
        subject: "cornelius-m",
        snapshot_time: "2026-11-23T12:00:00.000Z",
        observed_state: {
          agent_name: "cornelius-m",
          zombie_count: 1,
          zombie_pids: [4711],
          container_id: "c0ffee",
          docker_host: "tcp://docker-1:2376",
          snapshot_time: "2026-11-23T12:00:00.000Z",
        },
        signal_query: `docker exec agent-cornelius-m sh -c "ps -eo stat,comm | grep '^Z.*claude' | wc -l" = 1`,
      },
    ]);
  });

  test("every pid of a container is counted", () => {
    expect(observedOf(judge(R01, seenIn(container([7, 8, 900]))))[0]).toMatchObject({
      zombie_count: 3,
      zombie_pids: [7, 8, 900],
    });
  });

  test("two containers with one agent's name are both looked at, and reported apart", () => {
    const verdict = judge(
      R01,
      seenIn(
        container([9], { containerId: "bbb", daemon: "tcp://docker-2:2376" }),
        container([9], { containerId: "aaa" }),
      ),
    );
    expect(verdict.findings.map((f) => [f.subject, f.keys])).toEqual([
      [AGENT, ["aaa/9"]],
      [AGENT, ["bbb/9"]],
    ]);
    expect(observedOf(verdict).map((o) => [o.container_id, o.docker_host])).toEqual([
      ["aaa", "tcp://docker-1:2376"],
      ["bbb", "tcp://docker-2:2376"],
    ]);
    const onlySecond = seenIn(container([], { containerId: "aaa" }), container([9], { containerId: "bbb" }));
    expect(judge(R01, onlySecond).status).toBe("red");
  });
});

describe("a zombie is a normal state for the milliseconds before its parent waits", () => {
  test("one that is reaped by the second look never counted", () => {
    expect(R01.confirm).toBe(true);
    expect(judgeTwice(R01, seenIn(container([1, 2])), seenIn(container([]))).status).toBe("green");
  });

  test("only the pids that are still there count, and everything that is reported says so", () => {
    const verdict = judgeTwice(R01, seenIn(container([1, 2, 3])), seenIn(container([2, 4])));
    expect(violationsOf(verdict)).toEqual([
      expect.objectContaining({
        observed_state: expect.objectContaining({ zombie_count: 1, zombie_pids: [2] }),
        signal_query: expect.stringMatching(/ = 1$/),
      }),
    ]);
  });

  test("the same pid in another container is another process", () => {
    const second = seenIn(container([1], { containerId: "replacement" }));
    expect(judgeTwice(R01, seenIn(container([1])), second).status).toBe("green");
  });
});

describe("R01_DWELL_SECONDS", () => {
  const started = "2026-11-23T08:00:00.000000001Z";
  const zombie = container([42], { startedAt: started });
  const judgeSeenFor = (seconds: number | null, dwellSeconds: number, found = zombie) =>
    judge(R01, {
      ...seenIn(found),
      zombieSightings: sightingsOf(
        seconds === null ? {} : { [zombieKey(zombie, 42)]: msAgo(seconds) },
        dwellSeconds,
      ),
    }).status;

  test.each([
    [null, 0, "red"],
    [null, 1, "green"],
    [0, 600, "green"],
    [599.999, 600, "green"],
    [600, 600, "red"],
    [601, 600, "red"],
    [86_400, 600, "red"],
  ])("first seen %s s ago, dwell %d s: %s", (seconds, dwell, status) => {
    expect(judgeSeenFor(seconds, dwell)).toBe(status);
  });

  test("a container that was started again has new processes, even under the same pid", () => {
    const again = container([42], { startedAt: "2026-11-23T11:59:00.000000001Z" });
    expect(judgeSeenFor(86_400, 600, again)).toBe("green");
    expect(judgeSeenFor(86_400, 600, container([42], { startedAt: started, containerId: "beef" }))).toBe(
      "green",
    );
    expect(judgeSeenFor(86_400, 600, container([43], { startedAt: started }))).toBe("green");
  });

  test("one whose age had no place in the memory counts as old as the oldest of those", () => {
    const forgotten = (seconds: number) => ({
      ...seenIn(zombie),
      zombieSightings: { ...sightingsOf({}, 600), othersSinceMs: msAgo(seconds) },
    });
    expect(judge(R01, forgotten(700)).status).toBe("red");
    expect(judge(R01, forgotten(500)).status).toBe("green");
  });

  test("of several zombies only those that dwelt are counted", () => {
    const facts = {
      ...seenIn(container([42, 43], { startedAt: started })),
      zombieSightings: sightingsOf({ [zombieKey(zombie, 42)]: msAgo(700) }, 600),
    };
    const [observed] = observedOf(judge(R01, facts));
    expect(observed).toMatchObject({ zombie_count: 1, zombie_pids: [42] });
  });

  test("the dwell is measured at the reading of the processes, from where a slow one began", () => {
    const facts = {
      ...seenIn(zombie),
      zombieSightings: sightingsOf({ [zombieKey(zombie, 42)]: msAgo(590) }, 600),
    };
    const readIn = (from: number, to: number) => ({ times: { zombies: readBetween(from, to) } });
    expect(judge(R01, facts, readIn(0, 30)).status).toBe("green");
    expect(judge(R01, facts, readIn(30, 30)).status).toBe("red");
  });
});

describe("where there is nothing to look at, nothing is green", () => {
  test("not one container of the roster's agents runs", () => {
    const facts = { roster: rosterOf({ [AGENT]: {}, other: {} }), ...seenIn() };
    expect(recordOf(judge(R01, facts))).toEqual({
      status: "unknown",
      checked: 0,
      unseen: [],
      reason: "no running container of 2 agents",
    });
  });

  test("what was red is not taken for gone when the last container stops", () => {
    const verdict = judge(R01, seenIn());
    expect(verdict.reason).toBe("no running container of 1 agent");
    expect(verdict.coverage.isWhole).toBe(false);
    expect(verdict.coverage.saw(AGENT, "c0ffee/4711")).toBe(false);
  });

  test("the roster is empty: no container is an agent's", () => {
    const verdict = judge(R01, { roster: rosterOf({}), ...seenIn(container([1])) });
    expect(recordOf(verdict)).toEqual({
      status: "unknown",
      checked: 0,
      unseen: [],
      reason: "the roster is empty: no container is known to be an agent's",
    });
    expect(judge(R01, { roster: rosterOf({}), ...seenIn() }).status).toBe("unknown");
  });
});

describe("containers of another installation, or of agents that were deleted", () => {
  const stranger = (n: number, pids: number[] = []) =>
    container(pids, { agent: `stranger-${n}`, containerId: `s${n}` });

  test("are not judged, and one line says how many there are", () => {
    const strangers = [1, 2, 3, 4, 5, 6].map((n) => stranger(n, [n]));
    const verdict = judge(R01, {
      zombies: zombiesOf([...strangers, container([])], unreadContainer("mute", "dead")),
    });
    expect(recordOf(verdict)).toEqual({ status: "green", checked: 1, unseen: [], reason: null });
    expect(verdict.notes).toEqual([
      "docker.roster: 7 running containers of no agent on the roster: mute, stranger-1, stranger-2, stranger-3, stranger-4 and 2 more",
    ]);
  });

  test("alone, they leave nothing to be green", () => {
    const verdict = judge(R01, seenIn(stranger(1)));
    expect(verdict).toMatchObject({ status: "unknown", reason: "no running container of 1 agent" });
    expect(verdict.notes).toHaveLength(1);
  });

  test("while an agent's row can't be read, its container may be one of them: not green", () => {
    const readings = (zombies: Zombies) => ({
      ...readingsOf({ zombies }),
      roster: {
        read: true,
        value: rosterOf({ [AGENT]: {} }),
        time: readBetween(0, 0),
        unlisted: "sqlite.roster: 1 name is not UTF-8",
      } as const,
    });
    const alone = evaluate(R01, readings(zombiesOf([container([])])));
    expect(alone).toMatchObject({ status: "green", coverage: { isWhole: false } });
    const beside = evaluate(R01, readings(zombiesOf([container([]), stranger(1)])));
    expect(beside).toMatchObject({
      status: "unknown",
      reason: "sqlite.roster: 1 name is not UTF-8: a container may be that agent's",
    });
  });
});

describe("containers and daemons that could not be read", () => {
  test("a container whose processes could not be listed is unseen, and the others are judged", () => {
    const zombies = zombiesOf([container([1])], unreadContainer("mute", "dead"));
    const verdict = judge(R01, { roster: rosterOf({ [AGENT]: {}, mute: {} }), zombies });
    expect(recordOf(verdict)).toEqual({ status: "red", checked: 1, unseen: ["mute"], reason: null });
  });

  test("no container could be looked into: unknown, not green", () => {
    expect(recordOf(judge(R01, { zombies: zombiesOf([], unreadContainer(AGENT, "c0ffee")) }))).toMatchObject({
      status: "unknown",
      checked: 0,
      unseen: [AGENT],
    });
  });

  test("of an agent with two containers the unreadable one is named, the other still counts", () => {
    const zombies = zombiesOf([container([5])], unreadContainer(AGENT, "second"));
    const verdict = judge(R01, { zombies });
    expect(recordOf(verdict)).toMatchObject({ status: "red", unseen: [`${AGENT}/second`] });
    const clean = judge(R01, { zombies: zombiesOf([container([])], unreadContainer(AGENT, "second")) });
    expect(recordOf(clean)).toMatchObject({ status: "unknown", checked: 0, unseen: [`${AGENT}/second`] });
  });

  test("a container without a readable name may be anybody's: nobody who is absent is taken for gone", () => {
    const unlisted = "docker.names: 1 running container without a readable name";
    const time = readBetween(0, 0);
    const zombies = { read: true, value: zombiesOf([container([])]), time, unlisted } as const;
    const verdict = evaluate(R01, { ...readingsOf(), zombies });
    expect(verdict.coverage.isWhole).toBe(false);
    expect(verdict.coverage.saw("moved")).toBe(false);
  });

  test("a daemon that could not be listed: no zombie elsewhere is unknown, and nobody is taken for gone", () => {
    const unseenDaemons = ["tcp://docker-2:2376"];
    expect(judge(R01, { zombies: zombiesOf([container([])], { unseenDaemons }) })).toMatchObject({
      status: "unknown",
      reason: "not read: tcp://docker-2:2376",
      coverage: { isWhole: false },
    });
    expect(judge(R01, { zombies: zombiesOf([container([1])], { unseenDaemons }) })).toMatchObject({
      status: "red",
      coverage: { isWhole: false },
    });
  });
});
