/** What the inspects of the containers say: which agents run, and with which pull workers. */
import { describe, expect, test } from "vitest";
import type { FactName } from "../../../shared/facts/facts.ts";
import { docker } from "../../../shared/sources/docker/docker.ts";
import { loadConfig } from "../../../shared/variables.ts";
import { containerId, type DockerApi, useDockerApis } from "../../support/docker-api.ts";

const start = useDockerApis();

async function read(hosts: readonly string[], ...wanted: FactName[]) {
  const { cycle } = loadConfig({});
  const reader = docker.configure(
    { hosts, readersFrom: 10, readerDaemons: 5, ca: null, cert: null, key: null },
    { cycle, database: null },
  );
  if (typeof reader === "string") throw new Error(reader);
  const {
    readings,
    unavailable,
    unavailableByAgent = [],
  } = await reader({
    signal: new AbortController().signal,
    now: Date.now,
    wanted: new Set(wanted),
    since: { ended: null },
  });
  const lines = unavailableByAgent.map(({ line }) => line);
  return { ...readings, unavailable: [...unavailable, ...lines] };
}
/** The containers, where nothing else is asked for. */
async function containersOf(...apis: DockerApi[]) {
  const { containers, ...rest } = await read(
    apis.map(({ host }) => host),
    "containers",
  );
  if (!containers?.read) throw new Error(containers?.reason);
  const running = [...containers.value.running].sort((a, b) => (a.agent < b.agent ? -1 : 1));
  return { ...rest, ...containers.value, running, unlisted: containers.unlisted };
}

test("containers alone cost an inspect each, and no command runs in them", async () => {
  const api = await start("agent-ruby");
  const { running, zombies, unavailable } = await containersOf(api);
  expect(running).toEqual([
    {
      agent: "ruby",
      containerId: containerId(0),
      startedAtMs: Date.parse("2026-11-23T08:00:00Z"),
      isPullMode: false,
      poolSize: null,
    },
  ]);
  expect(zombies).toBeUndefined();
  expect(unavailable).toEqual([]);
  expect(api.requests.slice(1)).toEqual([`GET /containers/${containerId(0)}/json`]);
  expect(api.execs).toEqual([]);
});

test("asked together with the zombies, each container is inspected once for both", async () => {
  const api = await start("agent-ruby");
  const { containers, zombies } = await read([api.host], "zombies", "containers");
  expect(containers).toMatchObject({ value: { running: [{ agent: "ruby" }] } });
  expect(zombies).toMatchObject({ value: { containers: [{ agent: "ruby" }] } });
  expect(api.requests.filter((request) => request === `GET /containers/${containerId(0)}/json`)).toHaveLength(
    1,
  );
});

describe("the environment of a container", () => {
  test.each<[string[] | null, boolean, number | null]>([
    [["TRINITY_PULL_MODE=true", "TRINITY_MAX_PARALLEL_TASKS=3"], true, 3],
    [["PATH=/bin", "TRINITY_MAX_PARALLEL_TASKS=0", "TRINITY_PULL_MODE=True"], true, 0],
    [["TRINITY_PULL_MODE=false", "TRINITY_MAX_PARALLEL_TASKS=2"], false, 2],
    [["TRINITY_PULL_MODE=", "TRINITY_MAX_PARALLEL_TASKS="], false, null],
    [["TRINITY_PULL_MODE=yes", "TRINITY_MAX_PARALLEL_TASKS=many"], false, null],
    [["MY_TRINITY_PULL_MODE=true", "TRINITY_MAX_PARALLEL_TASKS=-1"], false, null],
    [["TRINITY_PULL_MODE", "TRINITY_MAX_PARALLEL_TASKS=2.5"], false, null],
    [[], false, null],
    [null, false, null],
  ])("%j", async (Env, isPullMode, poolSize) => {
    const api = await start("agent-ruby");
    api.inspects.set(containerId(0), { Config: { Env } });
    expect((await containersOf(api)).running).toMatchObject([{ isPullMode, poolSize }]);
  });
});

describe("containers that can't be read", () => {
  test("a paused one is unseen, one that has stopped or was removed is not there", async () => {
    const api = await start("agent-paused", "agent-stopped", "agent-gone", "agent-ruby");
    api.inspects.set(containerId(0), { State: { Status: "paused" } });
    api.inspects.set(containerId(1), { State: { Running: false } });
    api.inspects.set(containerId(2), null);
    const { running, unseenContainers, unavailable } = await containersOf(api);
    expect(running.map(({ agent }) => agent)).toEqual(["ruby"]);
    expect(unseenContainers).toEqual([{ agent: "paused", containerId: containerId(0) }]);
    expect(unavailable).toEqual(["docker.exec[paused]: the container is paused"]);
  });

  test("one whose processes can't be listed runs all the same", async () => {
    const api = await start("agent-ruby");
    api.processes = "no list";
    const { containers, zombies } = await read([api.host], "zombies", "containers");
    expect(containers).toMatchObject({ value: { running: [{ agent: "ruby" }], unseenContainers: [] } });
    expect(zombies).toMatchObject({ value: { containers: [], unseenContainers: [{ agent: "ruby" }] } });
  });

  test("one that was removed between its inspect and its process list is neither", async () => {
    const api = await start("agent-ruby");
    api.before = (request) => {
      if (request.endsWith("/exec")) api.inspects.set(containerId(0), null);
      return undefined;
    };
    const { containers, zombies, unavailable } = await read([api.host], "zombies", "containers");
    expect(containers).toMatchObject({ value: { running: [], unseenContainers: [] } });
    expect(zombies).toMatchObject({ value: { containers: [], unseenContainers: [] } });
    expect(unavailable).toEqual([]);
  });

  test("one with a start that is no time has none", async () => {
    const api = await start("agent-ruby");
    api.inspects.set(containerId(0), { State: { StartedAt: "0001-01-01T00:00:00Z" } });
    expect((await containersOf(api)).running).toMatchObject([{ startedAtMs: null }]);
  });

  test("one without a readable name is counted in a line", async () => {
    const api = await start(`agent-${"y".repeat(995)}`);
    const { running, unlisted } = await containersOf(api);
    expect(running).toEqual([]);
    expect(unlisted).toBe("docker.names: 1 running container without a readable name");
  });

  test("a daemon that does not answer is named; alone, it leaves both facts unread", async () => {
    const api = await start("agent-ruby");
    const nobody = "unix:///nonexistent/docker.sock";
    const { containers, zombies } = await read([api.host, nobody], "zombies", "containers");
    for (const reading of [containers, zombies])
      expect(reading).toMatchObject({ read: true, value: { unseenDaemons: [nobody] } });
    const down = await read([nobody], "containers");
    expect(down.containers).toMatchObject({ read: false, reason: expect.stringMatching(/^docker: /) });
  });
});
