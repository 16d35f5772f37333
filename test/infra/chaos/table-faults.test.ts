/** What goes wrong at the table of the chaos. */
import { DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { BatchWriteCommand, DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { emptyLedger } from "../../../infra/chaos/ledger.ts";
import { type ChaosTable, openTable } from "../../../infra/chaos/table.ts";
import { faultsOf, NO_FAULT, type TableFault } from "../../../infra/chaos/table-faults.ts";
import { seededRandom } from "../../../infra/soak/random.ts";

describe("the faults that a seed draws", () => {
  const draw = (seed: number, count = 5_000) => {
    const fault = faultsOf(seededRandom(seed, "table"));
    return Array.from({ length: count }, (_, i) => fault(i % 5 === 0 ? "BatchWriteItem" : "UpdateItem"));
  };

  test("are the same for the same seed, and others for another", () => {
    expect(draw(1, 200)).toEqual(draw(1, 200));
    expect(draw(1, 200)).not.toEqual(draw(2, 200));
  });

  test("are about a fifth of the requests, of every kind, and some come in a row of more than three", () => {
    const faults = draw(7);
    const share = faults.filter((fault) => fault !== NO_FAULT).length / faults.length;
    expect(share).toBeGreaterThan(0.12);
    expect(share).toBeLessThan(0.28);
    expect(new Set(faults.map(({ kind, isTaken }) => `${kind} ${isTaken}`))).toEqual(
      new Set([
        "none at once",
        "throttled never",
        "unprocessed never",
        "http 500 never",
        "http 500 at once",
        "cut never",
        "cut at once",
        "late never",
        "late at once",
        "late late",
      ]),
    );
    const text = faults.map((fault) => (fault === NO_FAULT ? "." : "x")).join("");
    expect(text).toMatch(/\.x{4,}\./);
    expect(text).toMatch(/\.x\./);
  });
});

describe("a door of the table", () => {
  let table: ChaosTable;
  let client: DynamoDBDocumentClient;
  let fault: TableFault = NO_FAULT;
  const ledger = emptyLedger();
  beforeAll(async () => {
    table = await openTable(ledger);
    const endpoint = await table.door("canary", {
      clock: () => 0,
      fault: () => fault,
      isStruck: () => false,
    });
    const credentials = { accessKeyId: "local", secretAccessKey: "local" };
    client = DynamoDBDocumentClient.from(
      new DynamoDBClient({ endpoint, region: "local", credentials, maxAttempts: 1 }),
    );
  });
  afterAll(async () => {
    client?.destroy();
    await table?.close();
  });

  /** Takes a lease with that owner, as a canary does. Gives the error's name, null where there is none. */
  const take = (owner: string) =>
    client
      .send(
        new UpdateItemCommand({
          TableName: table.name,
          Key: { pk: { S: "MEMORY" }, sk: { S: "MEMORY" } },
          UpdateExpression: "SET lease_owner = :owner, lease_until = :until",
          ExpressionAttributeValues: { ":owner": { S: owner }, ":until": { N: "60000" } },
        }),
      )
      .then(
        () => null,
        (error: Error) => error.name,
      );
  const owners = () => ledger.leases.map(({ owner }) => owner);

  test.for([
    ["throttled", "never", /^(ProvisionedThroughputExceeded|Throttling)Exception$/],
    ["http 500", "never", /^InternalServerError$/],
    ["http 500", "at once", /^InternalServerError$/],
    ["cut", "never", /./],
    ["cut", "at once", /./],
    ["late", "at once", /./],
    ["late", "late", /./],
    ["late", "never", /./],
  ] as const)("%s, carried out %s: the client gets an error, and the ledger the truth", async (drawn) => {
    const [kind, isTaken, name] = drawn;
    fault = { kind, isTaken };
    const owner = `${kind}, ${isTaken}`;
    expect(await take(owner)).toMatch(name);
    expect(owners().includes(owner)).toBe(isTaken !== "never");
  });

  test("a batch of which nothing was processed names all of it", async () => {
    fault = { kind: "unprocessed", isTaken: "never" };
    const RequestItems = { [table.name]: [{ PutRequest: { Item: { pk: "A", sk: "B" } } }] };
    const { UnprocessedItems } = await client.send(new BatchWriteCommand({ RequestItems }));
    expect(UnprocessedItems).toEqual(RequestItems);
  });

  test("without a fault the request passes", async () => {
    fault = NO_FAULT;
    expect(await take("none")).toBeNull();
    expect(owners()).toContain("none");
    expect(table.leaseUntilMs()).toBe(60_000);
  });
});
