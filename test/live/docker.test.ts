/** R-01 against a real daemon over TLS, with real zombies, and with everything that can make it blind. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type LocalDynamo, startDynamo } from "../../infra/local/dynamodb.ts";
import { openCanary } from "../../shared/canary.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import type { Source } from "../../shared/sources/source.ts";
import { type Dockerd, type Image, makeCertificates, startDockerd } from "../support/dockerd.ts";
import { rosterOf } from "../support/facts.ts";
import { describeLive, temporaryFolder, until } from "../support/live.ts";

/** The parent of the zombie never waits. */
const ZOMBIE = "claude & exec sleep 600";
/** The same, with an init that reaps the zombie once the parent is killed. */
const CURABLE_ZOMBIE = "sh -c 'echo $$ > /tmp/parent; claude & exec sleep 600' & while :; do sleep 1; done";
const HEALTHY = "exec sleep 600";
/** Images whose tools are not those of procps, in which a zombie is found all the same. */
const ODD_IMAGES = ["busybox-ps", "no-ps", "odd-ps", "silent-ps", "short-ps"] as const;
/** Images with a tool that does not end, and that tool. */
const STUCK = [
  ["hanging-ps", "ps"],
  ["endless-ps", "ps"],
  ["hanging-sh", "sh"],
] as const;
/** Prints each process's /proc/[pid]/stat. */
const LOOK = 'for f in /proc/[0-9]*/stat; do read -r l < $f; echo "$l"; done';

describeLive(["dockerd"], "agent containers on a real Docker daemon", () => {
  let dockerd: Dockerd;
  let dynamo: LocalDynamo;
  /** The agents of the platform: those that a test runs, unless it says otherwise. */
  let roster: string[] = [];
  beforeAll(async () => {
    dockerd = await startDockerd();
    dynamo = await startDynamo();
  });
  afterAll(async () => {
    await dynamo?.close();
    await dockerd?.close();
  });
  afterEach(async () => {
    const ids = await dockerd.docker("ps", "-aq");
    if (ids) await dockerd.docker("rm", "-f", ...ids.split("\n"));
    roster = [];
    await dynamo.close();
    dynamo = await startDynamo();
  });

  async function runAgent(agent: string, image: Image, script: string): Promise<void> {
    roster.push(agent);
    await dockerd.runAgent(agent, image, script);
  }
  const platform: Source = {
    name: "sqlite",
    gives: ["roster"],
    async read({ now }) {
      const value = rosterOf(Object.fromEntries(roster.map((agent) => [agent, {}])));
      const time = { fromMs: now(), toMs: now() };
      return { readings: { roster: { read: true, value, time } }, unavailable: [] };
    },
  };

  async function cycle(env: Record<string, string | undefined> = {}) {
    const variables = { ...dockerd.env, CONFIRM_AFTER_MS: "50", SOURCE_DEADLINE_MS: "6000", ...env };
    const canary = openCanary(variables, { state: dynamo });
    const sources = [platform, ...canary.sources.filter(({ name }) => name === "docker")];
    const outcome = await runCycle({ ...canary, sources }, { invariantIds: ["R-01"], trigger: "test" });
    if (outcome.kind !== "done") throw new Error(outcome.kind);
    return { ...outcome.report, verdict: outcome.report.verdicts["R-01"]! };
  }
  const zombieIsThere = (agent: string) =>
    until(async () => {
      const processes = await dockerd.docker("exec", `agent-${agent}`, "sh", "-c", LOOK);
      if (!/\(claude\) Z/.test(processes)) throw new Error(`no zombie yet: ${processes}`);
    });

  test("a real zombie: red with its agent and pid, once; its parent killed: green", async () => {
    await runAgent("cornelius-m", "procps", CURABLE_ZOMBIE);
    await runAgent("ruby", "procps", HEALTHY);
    await zombieIsThere("cornelius-m");
    const red = await cycle();
    expect(red.transitions).toMatchObject([
      { invariant_id: "R-01", severity: "critical", violations_in_cycle: 1 },
    ]);
    expect(red.violations).toMatchObject([
      {
        subject: "cornelius-m",
        signal_query: `docker exec agent-cornelius-m sh -c "ps -eo stat,comm | grep '^Z.*claude' | wc -l" = 1`,
        observed_state: { agent_name: "cornelius-m", zombie_count: 1, zombie_pids: [expect.any(Number)] },
      },
    ]);
    expect(red.verdict).toMatchObject({ status: "red", checked: 2, unseen: [] });
    expect((await cycle()).transitions).toEqual([]);

    await dockerd.docker("exec", "agent-cornelius-m", "sh", "-c", "read -r p < /tmp/parent; kill $p");
    const green = await until(async () => {
      const report = await cycle();
      expect(report.verdict.status).toBe("green");
      return report;
    });
    expect(green.recoveries).toMatchObject([{ invariant_id: "R-01", subjects: ["cornelius-m"] }]);
  });

  test(`a zombie is found in an image with ${ODD_IMAGES.join(", ")}`, async () => {
    // One after the other: on a small machine, starts at once take as long.
    for (const image of ODD_IMAGES) {
      await runAgent(`zed-${image}`, image, ZOMBIE);
      await runAgent(`fine-${image}`, image, HEALTHY);
    }
    for (const image of ODD_IMAGES) await zombieIsThere(`zed-${image}`);
    const report = await cycle();
    expect(report.violations.map((v) => [v.subject, v.observed_state.zombie_count]).sort()).toEqual(
      ODD_IMAGES.map((image) => [`zed-${image}`, 1]).sort(),
    );
    expect(report.sources_unavailable).toEqual([]);
    expect(report.verdict.checked).toBe(2 * ODD_IMAGES.length);
  });

  test("an image with neither ps nor a shell is unseen and named; alone, it leaves nothing to be green", async () => {
    await runAgent("bare-agent", "bare", "");
    const alone = await cycle();
    expect(alone.verdict).toMatchObject({ status: "unknown", checked: 0, unseen: ["bare-agent"] });
    expect(alone.sources_unavailable).toEqual([expect.stringMatching(/^docker\.exec\[bare-agent\]: /)]);
    await runAgent("zed", "procps", ZOMBIE);
    await zombieIsThere("zed");
    const both = await cycle();
    expect(both.violations.map((v) => v.subject)).toEqual(["zed"]);
    expect(both.verdict).toMatchObject({ status: "red", unseen: ["bare-agent"] });
  });

  test("a paused container is unseen, a stopped or unlabelled one is not looked at", async () => {
    await runAgent("paused", "procps", HEALTHY);
    await dockerd.docker("pause", "agent-paused");
    await runAgent("stopped", "procps", "exit 0");
    await dockerd.docker(
      "run",
      "-d",
      "--network",
      "none",
      "--name",
      "not-an-agent",
      "procps",
      "sh",
      "-c",
      ZOMBIE,
    );
    await runAgent("fine", "procps", HEALTHY);
    const report = await cycle();
    expect(report.verdict).toEqual({ status: "green", checked: 1, unseen: ["paused"], reason: null });
    expect(report.sources_unavailable).toEqual(["docker.exec[paused]: the container is paused"]);
    await dockerd.docker("unpause", "agent-paused");
  });

  test("a red container that is paused stays red; when it is removed, it is gone", async () => {
    await runAgent("zed", "procps", ZOMBIE);
    await runAgent("fine", "procps", HEALTHY);
    await zombieIsThere("zed");
    expect((await cycle()).transitions).toHaveLength(1);
    await dockerd.docker("pause", "agent-zed");
    expect(await cycle()).toMatchObject({ recoveries: [], transitions: [] });
    await dockerd.docker("unpause", "agent-zed");
    expect(await cycle()).toMatchObject({ recoveries: [], transitions: [] });
    await dockerd.docker("rm", "-f", "agent-zed");
    expect((await cycle()).recoveries).toMatchObject([{ subjects: ["zed"] }]);
  });

  test("a ps that hangs costs its own container only", async () => {
    await runAgent("hung", "hanging-ps", HEALTHY);
    await runAgent("zed", "procps", ZOMBIE);
    await zombieIsThere("zed");
    const report = await cycle({ SOURCE_DEADLINE_MS: "3000" });
    expect(report.violations.map((v) => v.subject)).toEqual(["zed"]);
    expect(report.verdict.unseen).toEqual(["hung"]);
    expect(report.sources_unavailable).toContain("docker.exec[hung]: no answer within 1500 ms");
  });

  /** The pids of processes of that name in the agent's container, with their users. */
  const processesNamed = async (agent: string, name: string): Promise<{ pid: string; uid: string }[]> => {
    const busybox = (...args: string[]) => dockerd.docker("exec", `agent-${agent}`, "busybox", ...args);
    const lines = (await busybox("sh", "-c", LOOK)).split("\n");
    const pids = lines.flatMap((line) => (line.includes(`(${name}) `) ? [line.split(" ")[0]!] : []));
    return Promise.all(
      pids.map(async (pid) => ({ pid, uid: await busybox("stat", "-c", "%u", `/proc/${pid}`) })),
    );
  };
  const SHORT = { SOURCE_DEADLINE_MS: "1500" };

  test(`an image with ${STUCK.map(([image]) => image).join(", ")}: one ps or sh is left in the container, however often it is read`, async () => {
    for (const [image] of STUCK) await runAgent(image, image, HEALTHY);
    /** Reads until each tool runs: on a loaded machine the first deadline may pass before it has begun. */
    const readUntilTheyRun = (isIt: (image: string, pid: string) => boolean) =>
      until(async () => {
        await cycle(SHORT);
        const found = await toolsLeft();
        for (const [image, tools] of found) {
          expect(tools).toMatchObject([{ uid: "65534" }]);
          expect(isIt(image, tools[0]!.pid)).toBe(true);
        }
        return found;
      });
    const toolsLeft = () =>
      Promise.all(STUCK.map(async ([image, tool]) => [image, await processesNamed(image, tool)] as const));
    const left = await readUntilTheyRun(() => true);
    for (let n = 0; n < 3; n += 1) {
      const report = await cycle();
      expect(report.verdict).toMatchObject({ status: "unknown", checked: 0 });
      expect([...report.verdict.unseen].sort()).toEqual(STUCK.map(([image]) => image).sort());
      expect([...report.sources_unavailable].sort()).toEqual(
        STUCK.map(
          ([image, tool]) =>
            `docker.exec[${image}]: an earlier ${tool} still runs in the container, so no other is started`,
        ).sort(),
      );
    }
    expect(await toolsLeft()).toEqual(left);

    // Once it has ended, the container is looked into again.
    const ended = new Map<string, string>(left.map(([image, [tool]]) => [image, tool!.pid]));
    for (const [image, pid] of ended)
      await dockerd.docker("exec", `agent-${image}`, "busybox", "kill", "-9", pid);
    await readUntilTheyRun((image, pid) => ended.get(image) !== pid);
  });

  test("where only root sees all processes (hidepid), a zombie is found as root", async () => {
    await runAgent("zed", "procps", ZOMBIE);
    await zombieIsThere("zed");
    const pid = await dockerd.docker("inspect", "-f", "{{.State.Pid}}", "agent-zed");
    const remount = ["busybox", "mount", "-o", "remount,hidepid=2", "/proc"];
    execFileSync("nsenter", ["-t", pid, "-m", "-p", ...remount]);
    expect(await dockerd.docker("exec", "-u", "65534:65534", "agent-zed", "ps", "-eo", "comm")).not.toContain(
      "claude",
    );
    const report = await cycle();
    expect(report.violations.map((v) => v.subject)).toEqual(["zed"]);
    expect(report.sources_unavailable).toEqual([]);
  });

  test("no container of the roster's agents: unknown; one of a stranger: a line, and unknown still", async () => {
    roster.push("ruby", "ada");
    const nothing = { status: "unknown", checked: 0, unseen: [], reason: "no running container of 2 agents" };
    expect(await cycle()).toMatchObject({ verdict: nothing, sources_unavailable: [] });
    await dockerd.runAgent("stranger", "procps", ZOMBIE);
    await zombieIsThere("stranger");
    const report = await cycle();
    expect(report).toMatchObject({ verdict: nothing, violations: [] });
    expect(report.sources_unavailable).toEqual([
      "docker.roster: 1 running container of no agent on the roster: stranger",
    ]);
    await dockerd.runAgent("ruby", "procps", HEALTHY);
    expect((await cycle()).verdict).toMatchObject({ status: "green", checked: 1, unseen: [] });
  });

  test("the environment of a container says whether it has pull workers, and how many", async () => {
    await runAgent("pushed", "no-ps", HEALTHY);
    const options = ["-d", "--network", "none", "-l", "trinity.platform=agent", "--name", "agent-pulling"];
    const env = ["-e", "TRINITY_PULL_MODE=true", "-e", "TRINITY_MAX_PARALLEL_TASKS=4"];
    await dockerd.docker("run", ...options, ...env, "no-ps", "sleep", "600");
    const [source] = openCanary(dockerd.env, { state: dynamo }).sources.filter(
      ({ name }) => name === "docker",
    );
    const { readings } = await (source as Source).read({
      signal: new AbortController().signal,
      now: Date.now,
      wanted: new Set(["containers"]),
      since: { ended: null },
    });
    if (!readings.containers?.read) throw new Error(readings.containers?.reason);
    const { running, unseenContainers } = readings.containers.value;
    expect(unseenContainers).toEqual([]);
    expect(running.map(({ agent, isPullMode, poolSize }) => [agent, isPullMode, poolSize]).sort()).toEqual([
      ["pulling", true, 4],
      ["pushed", false, null],
    ]);
    for (const { startedAtMs } of running) expect(Date.now() - startedAtMs!).toBeLessThan(600_000);
  });

  test("over the daemon's unix socket it sees the same", async () => {
    await runAgent("zed", "procps", ZOMBIE);
    await zombieIsThere("zed");
    const report = await cycle({ DOCKER_HOSTS: dockerd.socket });
    expect(report.violations.map((v) => v.subject)).toEqual(["zed"]);
  });

  test("with one of two daemons down, what is there counts and nothing is called all green", async () => {
    await runAgent("zed", "procps", ZOMBIE);
    await runAgent("fine", "procps", HEALTHY);
    await zombieIsThere("zed");
    const hosts = `${dockerd.env.DOCKER_HOSTS},tcp://127.0.0.1:1`;
    const red = await cycle({ DOCKER_HOSTS: hosts });
    expect(red.violations.map((v) => v.subject)).toEqual(["zed"]);
    expect(red.sources_unavailable).toEqual([
      "docker[tcp://127.0.0.1:1]: ECONNREFUSED 127.0.0.1:1: DOCKER_HOSTS",
    ]);
    await dockerd.docker("rm", "-f", "agent-zed");
    // The agent may have moved to the daemon that does not answer.
    expect(await cycle({ DOCKER_HOSTS: hosts })).toMatchObject({
      recoveries: [],
      verdict: { status: "unknown" },
    });
    expect((await cycle()).recoveries).toHaveLength(1);
  });

  test("a dwell counts a zombie only once the same pid has been there that long", async () => {
    await runAgent("zed", "procps", ZOMBIE);
    await zombieIsThere("zed");
    expect((await cycle({ R01_DWELL_SECONDS: "1" })).verdict.status).toBe("green");
    await until(async () => expect((await cycle({ R01_DWELL_SECONDS: "1" })).verdict.status).toBe("red"));
    // A restart kills the zombie; one with the same pid afterwards is another.
    await dockerd.docker("restart", "-t", "0", "agent-zed");
    await zombieIsThere("zed");
    expect((await cycle({ R01_DWELL_SECONDS: "1" })).verdict.status).toBe("green");
  });

  test("a daemon of another CA, and a client without a certificate, are refused: unknown, with the reason", async () => {
    const folder = await temporaryFolder();
    try {
      const other = await makeCertificates(folder.path);
      const wrongCa = await cycle({ DOCKER_TLS_CA: other.client.ca });
      expect(wrongCa.verdict).toMatchObject({ status: "unknown", checked: 0 });
      expect(wrongCa.sources_unavailable).toEqual([
        expect.stringMatching(/^docker: (UNABLE_TO_VERIFY|SELF_SIGNED|CERT_)/),
      ]);
      const noClient = await cycle({ DOCKER_TLS_CERT: undefined, DOCKER_TLS_KEY: undefined });
      expect(noClient.verdict.status).toBe("unknown");
      expect(noClient.sources_unavailable).toEqual([expect.stringMatching(/^docker: .+/)]);
      const wrongClient = await cycle({
        DOCKER_TLS_CERT: other.client.cert,
        DOCKER_TLS_KEY: other.client.key,
      });
      expect(wrongClient.verdict.status).toBe("unknown");
    } finally {
      await folder.remove();
    }
  });

  test("a daemon that accepts and never answers is cut at the deadline", async () => {
    const { certificates } = dockerd;
    const read = (path: string) => readFile(path, "utf8");
    const silentTls = createTlsServer({
      cert: await read(certificates.cert),
      key: await read(certificates.key),
    });
    const silentTcp = createServer();
    for (const server of [silentTls, silentTcp]) {
      const sockets: { destroy(): void }[] = [];
      server.on("connection", (socket) => sockets.push(socket));
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const report = await cycle({ DOCKER_HOSTS: `tcp://127.0.0.1:${port}`, SOURCE_DEADLINE_MS: "400" });
      expect(report.verdict.status).toBe("unknown");
      expect(report.sources_unavailable).toEqual([
        `docker: no answer within 400 ms 127.0.0.1:${port}: DOCKER_HOSTS`,
      ]);
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });
});
