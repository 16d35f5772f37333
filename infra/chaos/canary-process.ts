/** Starts a runner (runner.ts), orders its cycles, and kills it. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { type ChaosClock, clockAt } from "./clock.ts";
import type { RunnerMessage, RunnerOrders } from "./runner.ts";
import type { ChaosTable, DoorKeeper } from "./table.ts";
import { NO_FAULT, type TableFault } from "./table-faults.ts";

/** How a cycle ended; "killed" where its process did. */
export type CycleEnd = Extract<RunnerMessage, { outcome: string }> | { readonly outcome: "killed" };

export interface CanaryProcess {
  readonly name: string;
  /** How far its clock is ahead. Changes count from the next cycle on. */
  aheadMs: number;
  /** Its clock (unix ms). */
  clock(): number;
  /** Runs one cycle. @param onStart called when it has begun */
  cycle(onStart?: () => void): Promise<CycleEnd>;
  /** kill -9, in whatever it does. */
  kill(): void;
  /** Kills it, and waits for its end. */
  close(): Promise<void>;
}

/** A way to a table for one process after another: a door with its keeper. */
export interface Way {
  readonly name: string;
  readonly endpoint: string;
  /** Replaced by the part of the chaos that wants to strike or to fail. */
  readonly keeper: { fault: (operation: string) => TableFault; isStruck: DoorKeeper["isStruck"] };
  /** The process that goes this way. */
  current: CanaryProcess | null;
}

/** Opens a way to the table. */
export async function openWay(table: ChaosTable, name: string): Promise<Way> {
  const keeper: Way["keeper"] = { fault: () => NO_FAULT, isStruck: () => false };
  const way = { name, keeper, current: null as CanaryProcess | null, endpoint: "" };
  way.endpoint = await table.door(name, {
    clock: () => way.current?.clock() ?? 0,
    fault: (operation) => keeper.fault(operation),
    isStruck: (side) => keeper.isStruck(side),
  });
  return way;
}

/**
 * Starts a canary that goes that way, in the place of the one before it.
 * @param bundle the built runner
 */
export function startCanary(
  bundle: string,
  way: Way,
  clock: ChaosClock,
  orders: Pick<RunnerOrders, "env"> & { readonly table: string },
): CanaryProcess {
  const state = { endpoint: way.endpoint, table: orders.table };
  const child = fork(bundle, [JSON.stringify({ env: orders.env, state, clock } satisfies RunnerOrders)], {
    execArgv: [],
    // In its own process group: Ctrl-C then reaches only this process, which ends its parts in order.
    detached: true,
    // Its variables are in its orders: nothing of this process may reach it.
    env: {},
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const ended = once(child, "close");
  ended.catch(() => {});
  const canary: CanaryProcess = {
    name: way.name,
    aheadMs: way.current?.aheadMs ?? 0,
    clock: () => clockAt(clock, canary.aheadMs),
    cycle(onStart) {
      return new Promise((resolve, reject) => {
        const onMessage = (message: RunnerMessage) => {
          if ("started" in message) return onStart?.();
          child.off("message", onMessage);
          return resolve(message);
        };
        child.on("message", onMessage);
        ended.then(([code, signal]) => {
          if (signal === "SIGKILL") resolve({ outcome: "killed" });
          else reject(new Error(`the canary ${way.name} ended by itself, with ${signal ?? code}`));
        }, reject);
        child.send({ aheadMs: canary.aheadMs }, (error) => {
          // Its end says more.
          if (error && child.connected) reject(error);
        });
      });
    },
    kill: () => void child.kill("SIGKILL"),
    async close() {
      child.kill("SIGKILL");
      await ended;
    },
  };
  way.current = canary;
  return canary;
}
