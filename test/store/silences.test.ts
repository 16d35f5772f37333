/** Silences beside each other and beside cycles: the item never holds more than fifty, and none is lost. */
import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { expect, test } from "vitest";
import type { Silence } from "../../shared/alerts/silence.ts";
import { memorySizes } from "../../shared/cycle/memory.ts";
import { MAX_SILENCES, MEMORY_KEY, silenceAttribute } from "../../shared/store/silences.ts";
import { dynamoStore, type Store } from "../../shared/store/store.ts";
import { HOUR_MS, MINUTE_MS, memoryAt, patientClient, START_MS, useCanaries } from "../support/cycle.ts";

const canaryOf = useCanaries();
const LATER_MS = START_MS + 10 * MINUTE_MS;

let made = 0;
const silence = (over: Partial<Silence> = {}): Silence => {
  made += 1;
  return {
    id: made.toString(16).padStart(8, "0"),
    invariantId: "S-01",
    subject: `agent-${made}`,
    untilMs: START_MS + HOUR_MS,
    reason: "moving house",
    createdAtMs: START_MS,
    ...over,
  };
};
/** One that has ended ten minutes later. */
const short = () => silence({ untilMs: START_MS + MINUTE_MS });

const storedIn = async (store: Store) => (await store.lease.read()).silences.map(({ id }) => id).sort();

async function putAll(store: Store, silences: readonly Silence[]): Promise<void> {
  for (const one of silences) expect(await store.silences.put(one, START_MS)).toBe(true);
}
const many = (count: number, make: () => Silence) => Array.from({ length: count }, () => make());

/** The stores of other functions on the same table. */
async function storesOf(count: number, { client, table }: Awaited<ReturnType<typeof canaryOf>>) {
  const clients = await Promise.all(Array.from({ length: count }, () => patientClient(client)));
  return {
    stores: clients.map((own) => dynamoStore(own, table)),
    close: () => clients.forEach((own) => void own.destroy()),
  };
}

test("fifty fit, and the next one is refused and changes nothing", async () => {
  const { store } = await canaryOf();
  const fifty = many(MAX_SILENCES, silence);
  await putAll(store, fifty);
  expect(await store.silences.put(silence(), START_MS)).toBe(false);
  expect(await storedIn(store)).toEqual(fifty.map(({ id }) => id));
  expect(await store.silences.remove(fifty[7]!.id)).toBe(true);
  expect(await store.silences.put(silence(), START_MS)).toBe(true);
});

test("those that have ended take no room, and go with the next one, also where no cycle runs", async () => {
  const { store } = await canaryOf();
  await putAll(store, many(MAX_SILENCES - 1, short));
  const last = silence();
  await putAll(store, [last]);
  const next = silence();
  expect(await store.silences.put(next, LATER_MS)).toBe(true);
  expect(await storedIn(store)).toEqual([last.id, next.id]);
});

test("silences, ends of silences and a cycle that removes the ended ones, all at once: each does what it says", async () => {
  const scripted = await canaryOf();
  const { stores, close } = await storesOf(8, scripted);
  const [ended, early] = [many(10, short), many(38, silence)];
  await putAll(scripted.store, [...ended, ...early]);
  const cycle = await scripted.store.lease.acquire("cycle", LATER_MS, HOUR_MS);
  if ("busyUntilMs" in cycle) throw new Error("the lease is another's");

  // 38 in force, six of which end: 18 of the 32 new ones fit at the most, and 12 at the least.
  const news = stores.map(() => many(4, silence));
  const removed = early.slice(0, 6);
  const [taken, ends] = await Promise.all([
    Promise.all(
      stores.map((store, n) => Promise.all(news[n]!.map((one) => store.silences.put(one, LATER_MS)))),
    ),
    Promise.all(removed.map(({ id }, n) => stores[n]!.silences.remove(id))),
    scripted.store.lease.commit(cycle, memorySizes(memoryAt(LATER_MS), []), {
      release: true,
      nowMs: LATER_MS,
    }),
  ]);
  close();
  expect(ends).toEqual(removed.map(() => true));
  const accepted = news.flat().filter((_, i) => taken.flat()[i]);
  expect(await storedIn(scripted.store)).toEqual([...early.slice(6), ...accepted].map(({ id }) => id).sort());
  expect(accepted.length).toBeGreaterThanOrEqual(12);
  expect(accepted.length).toBeLessThanOrEqual(18);
  expect((await scripted.memory()).lastFullCycle?.atMs).toBe(LATER_MS);
});

test("silences that an earlier release wrote count too", async () => {
  const scripted = await canaryOf();
  const { client, table, store } = scripted;
  const { stores, close } = await storesOf(4, scripted);
  for (const { id, ...rest } of many(MAX_SILENCES - 1, silence))
    await client.send(
      new UpdateCommand({
        TableName: table,
        Key: MEMORY_KEY,
        UpdateExpression: "SET #silence = :silence",
        ExpressionAttributeNames: { "#silence": silenceAttribute(id) },
        ExpressionAttributeValues: { ":silence": rest },
      }),
    );
  const taken = await Promise.all(stores.map((other) => other.silences.put(silence(), START_MS)));
  close();
  expect(taken.filter(Boolean)).toHaveLength(1);
  expect(await storedIn(store)).toHaveLength(MAX_SILENCES);
});

/** A client whose updates are each sent twice, as the SDK does where an answer was lost. */
const sendsTwice = (client: DynamoDBDocumentClient) =>
  ({
    send: async (command: UpdateCommand) => {
      if (command instanceof UpdateCommand) await client.send(command);
      return client.send(command);
    },
  }) as DynamoDBDocumentClient;

test("one whose answer was lost, and that was sent again, is there once and was accepted", async () => {
  const { client, table, store } = await canaryOf();
  await putAll(store, many(MAX_SILENCES - 1, silence));
  const last = silence();
  expect(await dynamoStore(sendsTwice(client), table).silences.put(last, START_MS)).toBe(true);
  expect((await storedIn(store)).filter((id) => id === last.id)).toHaveLength(1);
  expect(await storedIn(store)).toHaveLength(MAX_SILENCES);
});
