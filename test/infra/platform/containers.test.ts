/** Agents of the simulated platform on a real Docker daemon. */
import { spawnSync } from "node:child_process";
import { hostname } from "node:os";
import Docker from "dockerode";
import { afterAll, beforeAll, expect, test } from "vitest";
import { agentContainers } from "../../../infra/platform/containers.ts";
import { type Platform, startPlatform } from "../../../infra/platform/platform.ts";
import { type Dockerd, startDockerd } from "../../support/dockerd.ts";
import { describeLive } from "../../support/live.ts";
import { type PlatformBench, startPlatformBench } from "../../support/platform-bench.ts";

describeLive(["redis-server", "dockerd"], "agents with containers", () => {
  let dockerd: Dockerd;
  let bench: PlatformBench;
  let platform: Platform;
  beforeAll(async () => {
    dockerd = await startDockerd(["procps"]);
    bench = await startPlatformBench();
  });
  afterAll(async () => {
    await platform?.stop();
    await bench?.close();
    await dockerd?.close();
  });

  async function start(image: string) {
    await platform?.stop();
    const docker = new Docker({ socketPath: dockerd.socket.slice("unix://".length) });
    platform = await startPlatform({
      ...bench.options,
      containers: agentContainers(docker, { image, command: ["sleep", "600"] }),
    });
  }
  const create = (name: string, more: { isPull?: boolean } = {}) =>
    platform.agents.create({ name, maxParallelTasks: 1, executionTimeoutSeconds: 60, ...more });
  /** Removes the agent, and its row on the roster. */
  async function remove(name: string) {
    await platform.agents.remove(name);
    return platform.agents.purge(name);
  }

  test("an agent's container is made with it, labelled, without a network, and goes with it", async () => {
    await start("procps");
    await create("ruby");
    const [container] = JSON.parse(await dockerd.docker("inspect", "agent-ruby"));
    expect(container.State.Running).toBe(true);
    expect(container.Config.Labels).toMatchObject({ "trinity.platform": "agent" });
    expect(container.HostConfig.NetworkMode).toBe("none");
    expect((container.Config.Env ?? []).join()).not.toContain("TRINITY_");
    await remove("ruby");
    expect(await dockerd.docker("ps", "-aq")).toBe("");
    await create("puller", { isPull: true });
    const [pulling] = JSON.parse(await dockerd.docker("inspect", "agent-puller"));
    expect(pulling.Config.Env).toEqual(
      expect.arrayContaining(["TRINITY_PULL_MODE=true", "TRINITY_MAX_PARALLEL_TASKS=1"]),
    );
    await remove("puller");
  });

  test("a container that somebody removed keeps no agent from being deleted", async () => {
    await start("procps");
    await create("ruby");
    await dockerd.docker("rm", "-f", "agent-ruby");
    expect(await remove("ruby")).toBe(true);
  });

  test("a container that a killed process left behind makes room; somebody else's of that name stays", async () => {
    await start("procps");
    // A process that has ended.
    const { pid } = spawnSync("true");
    const left = ["-l", "trinity.platform=agent", "-l", `trinity-canary.made-by=${hostname()}/${pid}`];
    await dockerd.docker(
      "run",
      "-d",
      "--network",
      "none",
      "--name",
      "agent-left",
      ...left,
      "procps",
      "sleep",
      "600",
    );
    await create("left");
    await remove("left");
    expect(await dockerd.docker("ps", "-aq")).toBe("");

    // One without a maker, and one whose maker lives.
    for (const label of ["a=b", `trinity-canary.made-by=${hostname()}/${process.ppid}`]) {
      await dockerd.docker(
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        "agent-stranger",
        "-l",
        label,
        "procps",
        "sleep",
        "600",
      );
      await expect(create("stranger")).rejects.toThrow(
        "the daemon has a container agent-stranger that is not this process's: end what made it, rename it, or use another daemon",
      );
      expect((await bench.database.execute("SELECT 1 FROM agent_ownership")).rows).toEqual([]);
      expect(await dockerd.docker("ps", "--format", "{{.Names}}")).toBe("agent-stranger");
      await dockerd.docker("rm", "-f", "agent-stranger");
    }
  });

  test("an image that the daemon lacks, or that can't run, leaves neither container nor agent", async () => {
    await start("nowhere");
    await expect(create("ruby")).rejects.toThrow("the daemon has no image nowhere: import it first");
    const docker = new Docker({ socketPath: dockerd.socket.slice("unix://".length) });
    const broken = agentContainers(docker, { image: "procps", command: ["/no/such/program"] });
    await expect(broken.create("ruby")).rejects.toThrow();
    expect(await dockerd.docker("ps", "-aq")).toBe("");
    expect((await bench.database.execute("SELECT 1 FROM agent_ownership")).rows).toEqual([]);
  });
});
