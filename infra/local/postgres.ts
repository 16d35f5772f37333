/** A PostgreSQL for this machine: a real server where one is installed, otherwise an engine in this process. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, globSync } from "node:fs";
import { chown, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import postgres from "postgres";
import { endOf, freePort, until } from "./ports.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** One database, and two roles for it. Both addresses hold a password. */
export interface PostgresDatabase {
  /** As the owner, who may do everything. */
  readonly url: string;
  /** As a role that may only read. The embedded engine has one role: there it may write too. */
  readonly readerUrl: string;
}

export interface AddedDatabase extends PostgresDatabase {
  /** Removes it, and ends its connections. */
  remove(): Promise<void>;
}

export interface LocalPostgres extends PostgresDatabase {
  readonly engine: "postgres" | "pglite";
  /** Of PostgreSQL, such as 15.8. */
  readonly version: string;
  /** Makes an empty database beside the first. @param name lower-case letters, digits and `_` */
  addDatabase(name: string): Promise<AddedDatabase>;
  close(): Promise<void>;
}

/** A server in a process of its own, which can go down and come back at the same address with its data. */
export interface PostgresServer extends LocalPostgres {
  /** Ends it. @param how as of `pg_ctl stop`: fast ends what runs there in order, immediate leaves it as a crash does */
  stop(how: keyof typeof STOP): Promise<void>;
  /** Starts it again, and waits until it answers. */
  start(): Promise<void>;
}

const STOP = { fast: "SIGINT", immediate: "SIGQUIT" } as const;

interface Options {
  /** Takes that one. Left out: the real one where it is installed. */
  readonly engine?: LocalPostgres["engine"];
  /** Settings of a real server, such as `max_connections`. */
  readonly settings?: Readonly<Record<string, string>>;
}

const [OWNER, READER, DATABASE] = ["trinity", "canary", "trinity"];
/** Debian keeps the programs of each version here, off the PATH. */
const OFF_PATH = "/usr/lib/postgresql/*/bin";

const versionOfFolder = (folder: string) => Number(/(\d+)\/bin$/.exec(folder)?.[1]);

/** Finds the folder of the server's programs; null where none is installed. */
export function postgresFolder(): string | null {
  const onPath = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const newestFirst = globSync(OFF_PATH).sort((a, b) => versionOfFolder(b) - versionOfFolder(a));
  const hasBoth = (folder: string) => ["postgres", "initdb"].every((name) => existsSync(join(folder, name)));
  return [...onPath, ...newestFirst].find(hasBoth) ?? null;
}

/** The server refuses to run as root: gives the user who runs it then. */
export async function unprivileged(): Promise<{ uid: number; gid: number } | Record<string, never>> {
  if (process.getuid?.() !== 0) return {};
  const users = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  const [, , uid, gid] =
    users.find(([name]) => name === "postgres") ?? users.find(([name]) => name === "nobody") ?? [];
  if (uid === undefined)
    throw new Error("PostgreSQL does not run as root, and there is no user postgres or nobody");
  return { uid: Number(uid), gid: Number(gid) };
}

const addressOf = (role: string, password: string, port: number, database: string) =>
  `postgres://${role}:${password}@127.0.0.1:${port}/${database}?sslmode=disable`;

/** Runs the statements one after another, on a connection of its own. Gives the rows of the last one. */
async function runOn(url: string, statements: readonly string[]) {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice() {} });
  try {
    let rows: postgres.RowList<postgres.Row[]> | undefined;
    for (const statement of statements) rows = await sql.unsafe(statement);
    return rows!;
  } finally {
    await sql.end({ timeout: 0 });
  }
}

/** What a role needs that may only read, also of the tables that are made later. */
const READING = [
  "REVOKE ALL ON SCHEMA public FROM PUBLIC",
  `GRANT USAGE ON SCHEMA public TO ${READER}`,
  `ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO ${READER}`,
];

/** Nothing has to survive a crash, and other users of the machine find a port of the loopback, but no socket. */
const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  timezone: "UTC",
};

async function startServer(programs: string, settings: Options["settings"]): Promise<PostgresServer> {
  const folder = await temporaryFolder();
  const user = await unprivileged();
  const data = join(folder.path, "data");
  const passwordFile = join(folder.path, "password");
  const [password, readerPassword] = [0, 1].map(() => randomBytes(24).toString("hex")) as [string, string];
  await writeFile(passwordFile, password);
  if ("uid" in user) for (const path of [folder.path, passwordFile]) await chown(path, user.uid, user.gid);
  const common = { ...user, cwd: folder.path, env: { PATH: process.env.PATH, LC_ALL: "C" } };
  const cluster = ["-D", data, "-U", OWNER, `--pwfile=${passwordFile}`, "--auth=scram-sha-256"];
  const port = await freePort();
  const given = Object.entries({ ...SETTINGS, port: String(port), ...settings });
  const address = (database: string) => addressOf(OWNER, password, port, database);
  let server: ChildProcess | undefined;
  const start = async () => {
    // In its own process group: Ctrl-C then reaches only this process, which ends its parts in order.
    server = spawn(
      join(programs, "postgres"),
      ["-D", data, ...given.flatMap(([name, value]) => ["-c", `${name}=${value}`])],
      { ...common, stdio: "ignore", detached: true },
    );
    await until(() => runOn(address("postgres"), ["SELECT 1"]), endOf(server));
  };
  const stop = async (how: keyof typeof STOP) => {
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, "exit");
    server.kill(STOP[how]);
    await ended;
  };
  const close = async () => {
    // It leaves nothing of use.
    await stop("immediate");
    await folder.remove();
  };
  const addDatabase = async (name: string): Promise<AddedDatabase> => {
    await runOn(address("postgres"), [`CREATE DATABASE ${name}`]);
    await runOn(address(name), READING);
    return {
      url: address(name),
      readerUrl: addressOf(READER, readerPassword, port, name),
      remove: async () => void (await runOn(address("postgres"), [`DROP DATABASE ${name} WITH (FORCE)`])),
    };
  };
  try {
    await promisify(execFile)(
      join(programs, "initdb"),
      [...cluster, "--no-sync", "--encoding=UTF8", "--locale=C"],
      common,
    );
    await start();
    const role = `CREATE ROLE ${READER} LOGIN PASSWORD '${readerPassword}'`;
    const [shown] = await runOn(address("postgres"), [role, "SHOW server_version"]);
    const [version] = String(shown?.server_version).split(" ");
    const first = await addDatabase(DATABASE);
    return { engine: "postgres", version: version!, ...first, addDatabase, stop, start, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** It has one database, so each further one is an engine of its own. Connections share its one session. */
async function startEmbedded(): Promise<LocalPostgres> {
  const ends: (() => Promise<void>)[] = [];
  // To start from a copy takes a fifth of the time.
  let empty: Blob | undefined;
  const addDatabase = async (name: string): Promise<AddedDatabase> => {
    const db = await PGlite.create(empty && { loadDataDir: empty });
    empty ??= await db.dumpDataDir("none");
    const server = new PGLiteSocketServer({ db, host: "127.0.0.1", port: 0, maxConnections: 100 });
    await server.start();
    let end = async () => {
      end = async () => {};
      await server.stop();
      await db.close();
    };
    ends.push(() => end());
    const url = addressOf("postgres", "postgres", Number(server.getServerConn().split(":")[1]), name);
    return { url, readerUrl: url, remove: () => end() };
  };
  const first = await addDatabase(DATABASE);
  const [shown] = await runOn(first.url, ["SHOW server_version"]);
  return {
    engine: "pglite",
    version: String(shown?.server_version),
    ...first,
    addDatabase,
    async close() {
      for (const end of ends.splice(0).reverse()) await end();
    },
  };
}

/**
 * Starts a PostgreSQL with an empty database on a random port of the loopback, without TLS. It is gone after `close`.
 * @throws Error where the real server is asked for and not installed, or does not start
 */
export async function startPostgres(options: Options & { engine: "postgres" }): Promise<PostgresServer>;
export async function startPostgres(options?: Options): Promise<LocalPostgres>;
export async function startPostgres({ engine, settings }: Options = {}): Promise<LocalPostgres> {
  const folder = engine === "pglite" ? null : postgresFolder();
  if (folder !== null) return startServer(folder, settings);
  if (engine === "postgres")
    throw new Error(`postgres is not installed: it is neither on the PATH nor in ${OFF_PATH}`);
  return startEmbedded();
}
