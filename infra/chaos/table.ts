/**
 * DynamoDB behind doors: each canary reaches the table through a door of its own. Every write to the memory passes one at a
 * time, and the memory is read back after it: so the ledger has every version, also those whose answer never arrived.
 */
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import { GetCommand } from "@aws-sdk/lib-dynamodb";
import type { InvariantState } from "../../shared/alerts/state.ts";
import { documentClient } from "../../shared/store/client.ts";
import { MEMORY_KEY } from "../../shared/store/silences.ts";
import { dynamoStore, type Store } from "../../shared/store/store.ts";
import type { CycleRecord } from "../../shared/wire/schemas.ts";
import { type LocalDynamo, startDynamo } from "../local/dynamodb.ts";
import type { Ledger, StateSeen } from "./ledger.ts";
import { answerOf, LATE_MS, type TableFault } from "./table-faults.ts";
import { bodyOf, listen } from "./webhook.ts";

/** What a door does besides passing requests on. */
export interface DoorKeeper {
  /** The clock of the canary behind the door (unix ms). */
  clock(): number;
  /** Draws what goes wrong with the next request. */
  fault(operation: string): TableFault;
  /** Called at both sides of each request. Returns whether the canary is dead: then nothing goes on. */
  isStruck(side: "arrives" | "carried out"): boolean;
}

export interface ChaosTable {
  readonly name: string;
  readonly store: Store;
  /** Opens the door of a canary. Gives the endpoint for it. */
  door(runner: string, keeper: DoorKeeper): Promise<string>;
  /** The end of the lease that stands, unix ms of the clock of who took it; null where none stands. */
  leaseUntilMs(): number | null;
  /** Waits for the writes that are under way, and reads the memory, as a new process would. */
  look(): Promise<void>;
  close(): Promise<void>;
}

interface MemoryItem {
  readonly version?: number;
  readonly lease_owner?: string;
  readonly lease_until?: number;
}

interface Passed {
  readonly operation: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

const stateSeen = ({ status, red, blindSinceMs }: InvariantState): StateSeen => ({
  status,
  red: Object.keys(red),
  isBlind: blindSinceMs !== null,
});

const changesIn = ({ transitions, spreads, recoveries }: CycleRecord): string[] => [
  ...transitions.map(({ invariant_id }) => `${invariant_id}/broke`),
  ...spreads.map(({ invariant_id }) => `${invariant_id}/spread`),
  ...recoveries.map(({ invariant_id }) => `${invariant_id}/recovered`),
];

/** Sends a request on as it is. */
function forward(endpoint: string, { headers, text }: Passed) {
  const { hostname, port } = new URL(endpoint);
  return new Promise<{ status: number; headers: IncomingHttpHeaders; text: string }>((resolve, reject) => {
    request({ hostname, port, method: "POST", path: "/", headers }, (answer) => {
      bodyOf(answer).then(
        (said) => resolve({ status: answer.statusCode ?? 502, headers: answer.headers, text: said }),
        reject,
      );
    })
      .on("error", reject)
      .end(text);
  });
}

const isMemoryWrite = ({ operation, text }: Passed): boolean =>
  /^(UpdateItem|PutItem|DeleteItem|BatchWriteItem|TransactWriteItems)$/.test(operation) &&
  text.includes('"MEMORY"');

/** Keeps the ledger of the memory: who takes the lease, and what is committed. */
function memoryWatch(dynamo: LocalDynamo, ledger: Ledger) {
  const client = documentClient(dynamo);
  const store = dynamoStore(client, dynamo.table);
  let last: MemoryItem = {};
  let work: Promise<unknown> = Promise.resolve();

  async function readBack(runner: string, clockMs: number, arrivedMs: number): Promise<void> {
    const key = { TableName: dynamo.table, Key: MEMORY_KEY, ConsistentRead: true };
    const item = ((await client.send(new GetCommand(key))).Item ?? {}) as MemoryItem;
    const before = last;
    last = item;
    if (item.lease_owner !== undefined && item.lease_owner !== before.lease_owner)
      ledger.leases.push({
        runner,
        owner: item.lease_owner,
        atMs: arrivedMs,
        untilMs: Number(item.lease_until),
        clockMs,
        replacedUntilMs: before.lease_until ?? null,
      });
    if ((item.version ?? 0) === (before.version ?? 0)) return;
    const memory = await readMemory();
    if (memory === null) return;
    const outbox = memory.outbox.map(({ alert }) => alert.key);
    ledger.commits.push({
      version: Number(item.version),
      runner,
      owner: before.lease_owner ?? null,
      arrivedMs,
      states: Object.fromEntries(Object.entries(memory.states).map(([id, state]) => [id, stateSeen(state)])),
      outbox,
    });
  }

  /**
   * Reads the record of a cycle that was just written. Where clocks differ, two cycles may have the same snapshot time, and
   * the later record takes the place of the other: so what both say counts.
   */
  async function readRecord(text: string, nowMs: number): Promise<void> {
    const [, snapshot] = /"CYCLE#[^"]*"\},"sk":\{"S":"([^"]*)"/.exec(text) ?? [];
    if (snapshot === undefined) return;
    const record = await store.history.getCycle(snapshot, nowMs);
    if (record) ledger.records.set(snapshot, [...(ledger.records.get(snapshot) ?? []), ...changesIn(record)]);
  }

  async function readMemory() {
    try {
      return (await store.lease.read()).memory;
    } catch (error) {
      ledger.unreadable.push(String(error instanceof Error ? error.message : error));
      return null;
    }
  }

  return {
    store,
    readRecord,
    lease: () => last.lease_until ?? null,
    readMemory,
    /** Carries out one write after the other, each with the look at what it left. */
    inTurn<T>(write: () => Promise<T>, runner: string, clock: () => number, arrivedMs: number): Promise<T> {
      const done = work.then(async () => {
        const answer = await write();
        await readBack(runner, clock(), arrivedMs);
        return answer;
      });
      work = done.catch(() => {});
      return done;
    },
    settled: () => work,
    close: () => client.destroy(),
  };
}

/** Starts dynalite with the canary's table. */
export async function openTable(ledger: Ledger): Promise<ChaosTable> {
  const dynamo = await startDynamo();
  const watch = memoryWatch(dynamo, ledger);
  const closing: (() => Promise<void>)[] = [];
  const held = new Set<NodeJS.Timeout>();
  const late = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(() => resolve(void held.delete(timer)), LATE_MS);
      held.add(timer);
    });

  async function pass(
    runner: string,
    keeper: DoorKeeper,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
  ) {
    const text = await bodyOf(incoming);
    const operation = String(incoming.headers["x-amz-target"]).replace(/^.*\./, "");
    const passed = { operation, headers: incoming.headers, text };
    const fault = keeper.fault(operation);
    if (keeper.isStruck("arrives")) return;
    const refused = answerOf(fault, text);
    if (fault.isTaken === "late") await late();
    if (fault.isTaken !== "never") {
      const carryOut = () => forward(dynamo.endpoint, passed);
      const arrivedMs = performance.now();
      const answer = isMemoryWrite(passed)
        ? await watch.inTurn(carryOut, runner, keeper.clock, arrivedMs)
        : await carryOut();
      await watch.readRecord(text, keeper.clock());
      if (keeper.isStruck("carried out")) return;
      if (fault.kind === "none") outgoing.writeHead(answer.status, answer.headers).end(answer.text);
    }
    if (fault.kind === "late" && fault.isTaken !== "late") await late();
    if (fault.kind === "late" || fault.kind === "cut") incoming.socket.destroy();
    if (refused) outgoing.writeHead(...refused.head).end(refused.text);
  }

  return {
    name: dynamo.table,
    store: watch.store,
    async door(runner, keeper) {
      const server = createServer((incoming, outgoing) => {
        // A request that breaks off is one of a process that was killed.
        pass(runner, keeper, incoming, outgoing).catch(() => incoming.socket.destroy());
      });
      const { address, close } = await listen(server);
      closing.push(close);
      return address;
    },
    leaseUntilMs: watch.lease,
    async look() {
      await watch.settled();
      await watch.readMemory();
    },
    async close() {
      for (const timer of held) clearTimeout(timer);
      for (const end of closing) await end();
      await watch.settled();
      watch.close();
      await dynamo.close();
    },
  };
}
