/** A Redis for this machine: redis-server where it is on the PATH, otherwise an engine in this process. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import RedisMock from "ioredis-mock";
import { endOf, until } from "./ports.ts";

export interface LocalRedis {
  /** The engine, in words. */
  readonly engine: string;
  readonly client: Redis;
  /** Sends one command, binary-safe where the engine is. */
  command(args: readonly string[]): Promise<unknown>;
  /** Sends the commands as one MULTI/EXEC. Gives for each an error or its result. */
  transaction(commands: readonly (readonly string[])[]): Promise<[Error | null, unknown][]>;
  close(): Promise<void>;
}

/** The version of the redis-server on the PATH, or null. */
export function redisServerVersion(): string | null {
  const { stdout, status } = spawnSync("redis-server", ["--version"], { encoding: "utf8" });
  return status === 0 ? (/v=(\S+)/.exec(stdout)?.[1] ?? "of unknown version") : null;
}

/** Sends commands to a real server. */
const commandsOf = (client: Redis): Pick<LocalRedis, "command" | "transaction"> => ({
  command: ([name, ...args]) => client.callBuffer(name!, ...args),
  async transaction(commands) {
    const multi = client.multi();
    for (const [name, ...args] of commands) multi.callBuffer(name!, ...args);
    return (await multi.exec()) as [Error | null, unknown][];
  },
});

/** Opens another database of the same redis-server, by its number. `close` ends only the connection. */
export function openDatabaseNumber({ engine, client }: LocalRedis, db: number): LocalRedis {
  const other = client.duplicate({ db });
  return { engine, client: other, ...commandsOf(other), close: async () => other.disconnect() };
}

async function startServer(version: string): Promise<LocalRedis> {
  // A socket in a private folder needs no free port, and no other process finds it.
  const folder = await mkdtemp(join(tmpdir(), "canary-redis-"));
  const socket = join(folder, "redis.sock");
  const options = ["--port", "0", "--unixsocket", socket, "--dir", folder];
  options.push("--save", "", "--appendonly", "no");
  // In its own process group: Ctrl-C then reaches only this process, which ends its parts in order.
  const server: ChildProcess = spawn("redis-server", options, { stdio: "ignore", detached: true });
  const exited = once(server, "exit");
  // A loaded machine takes long to start the server. Once it was up, one that is gone is an error.
  let isUp = false;
  const client = new Redis({ path: socket, retryStrategy: (times) => (!isUp || times < 100 ? 20 : null) });
  client.on("error", () => {});
  try {
    await until(() => client.ping(), endOf(server));
    isUp = true;
  } catch (error) {
    client.disconnect();
    server.kill();
    throw new Error(`redis-server ended with ${server.exitCode}`, { cause: error });
  }
  return {
    engine: `redis-server ${version}`,
    client,
    ...commandsOf(client),
    async close() {
      client.disconnect();
      server.kill();
      if (server.exitCode === null && server.signalCode === null) await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function startEmbedded(): LocalRedis {
  // ioredis-mock shares its data between instances of one address; each environment needs its own.
  const client = new RedisMock({ host: `embedded-${process.hrtime.bigint()}` });
  // It has no generic call(): each command is a method of that name.
  const command = async ([name = "", ...args]: readonly string[]) => {
    const method = (client as unknown as Record<string, (...args: readonly string[]) => Promise<unknown>>)[
      name.toLowerCase()
    ];
    if (typeof method !== "function") throw new Error(`ERR unknown command '${name}'`);
    return method.apply(client, args as string[]);
  };
  return {
    engine: "embedded engine ioredis-mock (no redis-server on the PATH)",
    client,
    command,
    transaction: (commands) =>
      Promise.all(
        commands.map(async (args): Promise<[Error | null, unknown]> => {
          try {
            return [null, await command(args)];
          } catch (error) {
            return [error as Error, null];
          }
        }),
      ),
    close: async () => client.disconnect(),
  };
}

/** Starts an empty Redis that keeps everything in memory until `close`. */
export async function startRedis(): Promise<LocalRedis> {
  const version = redisServerVersion();
  return version === null ? startEmbedded() : startServer(version);
}
