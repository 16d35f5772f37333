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
import type { Store } from "../../shared/store/store.ts";
import { startDynamo } from "../local/dynamodb.ts";
import type { Ledger } from "./ledger.ts";
import { type MemoryWatch, memoryWatch } from "./memory-watch.ts";
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

interface Passed {
  readonly operation: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

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

/** Holds requests back, until the table is closed. */
function lateness() {
  const held = new Set<NodeJS.Timeout>();
  return {
    late: () =>
      new Promise<void>((resolve) => {
        const timer = setTimeout(() => resolve(void held.delete(timer)), LATE_MS);
        held.add(timer);
      }),
    close() {
      for (const timer of held) clearTimeout(timer);
    },
  };
}

/** What all doors lead to. */
interface Room {
  readonly endpoint: string;
  readonly watch: MemoryWatch;
  readonly late: () => Promise<void>;
}

/** Passes a request of that runner on, or does to it what its keeper draws. */
async function pass(
  { endpoint, watch, late }: Room,
  runner: string,
  keeper: DoorKeeper,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const text = await bodyOf(incoming);
  const operation = String(incoming.headers["x-amz-target"]).replace(/^.*\./, "");
  const passed = { operation, headers: incoming.headers, text };
  const fault = keeper.fault(operation);
  if (keeper.isStruck("arrives")) return;
  const refused = answerOf(fault, text);
  if (fault.isTaken === "late") await late();
  if (fault.isTaken !== "never") {
    const carryOut = () => forward(endpoint, passed);
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

/** Starts dynalite with the canary's table. */
export async function openTable(ledger: Ledger): Promise<ChaosTable> {
  const dynamo = await startDynamo();
  const watch = memoryWatch(dynamo, ledger);
  const delays = lateness();
  const room = { endpoint: dynamo.endpoint, watch, late: delays.late };
  const closing: (() => Promise<void>)[] = [];
  return {
    name: dynamo.table,
    store: watch.store,
    async door(runner, keeper) {
      const server = createServer((incoming, outgoing) => {
        // A request that breaks off is one of a process that was killed.
        pass(room, runner, keeper, incoming, outgoing).catch(() => incoming.socket.destroy());
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
      delays.close();
      for (const end of closing) await end();
      await watch.settled();
      watch.close();
      await dynamo.close();
    },
  };
}
