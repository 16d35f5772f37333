/** Agents that are deleted, purged and made again, and that are resized. */
import { setTimeout as wait } from "node:timers/promises";
import { seededRandom } from "../random.ts";
import { type Churn, holding, isLoaded, repeat } from "./churn.ts";
import { TIMEOUTS_SECONDS } from "./fleet.ts";

/** The largest cap that the platform's API allows. */
const LARGEST_CAP = 10;

/** Deletes agents and makes them again, and changes settings. */
export function changeAgents(churn: Churn): Promise<void>[] {
  const { harness, options, fleet, counts } = churn;
  const { platform } = harness;
  const agents = [...fleet.ordinary, ...fleet.pull];
  const caps = new Map(agents.map(({ name, maxParallelTasks }) => [name, maxParallelTasks]));
  const remake = seededRandom(options.seed, "agents");
  const everyRemake = () => remake.between(500, 2_500);
  const remaking = () =>
    repeat(churn, everyRemake, async () => {
      const gapsMs = [remake.between(0, 1_000), remake.between(0, 1_000)];
      const agent = remake.one(agents);
      await holding(churn, agent.name, async () => {
        await platform.agents.remove(agent.name);
        await wait(gapsMs[0]);
        await platform.agents.purge(agent.name);
        await wait(gapsMs[1]);
        caps.set(agent.name, agent.maxParallelTasks);
        await platform.agents.create(agent);
        counts.agentsRemade += 1;
      });
    });
  const resize = seededRandom(options.seed, "resizes");
  const everyResize = () => resize.between(1_000, 5_000);
  const resizing = repeat(churn, everyResize, async () => {
    const byTasks = resize.whole(0, 2);
    const executionTimeoutSeconds = resize.one(TIMEOUTS_SECONDS);
    const agent = resize.one(agents);
    await holding(churn, agent.name, async () => {
      // A cap below the number of runs would break S-02, and the load must break nothing: the cap only grows.
      const maxParallelTasks = Math.min(LARGEST_CAP, caps.get(agent.name)! + byTasks);
      caps.set(agent.name, maxParallelTasks);
      await platform.agents.resize(agent.name, { maxParallelTasks, executionTimeoutSeconds });
      counts.resizes += 1;
    });
  });
  return isLoaded(options, "deletes") ? [remaking(), resizing] : [resizing];
}
