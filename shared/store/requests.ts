/** Requests to the one table: queries over pages, batches that are written whole, and what has expired. */
import {
  BatchWriteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  QueryCommand,
  type QueryCommandInput,
} from "@aws-sdk/lib-dynamodb";

const BATCH_ITEMS = 25;
const BATCHES_AT_ONCE = 4;
const BATCH_TRIES = 6;

// biome-ignore lint/suspicious/noExplicitAny: the SDK types attributes so; who reads an item knows its shape.
export type Item = Record<string, any>;

export interface Table {
  readonly client: DynamoDBDocumentClient;
  readonly name: string;
  /** The items of all pages of a query. */
  query(input: Omit<QueryCommandInput, "TableName">): AsyncGenerator<Item>;
  /** The item with that key, undefined where there is none. */
  get(pk: string, sk: string): Promise<Item | undefined>;
  /**
   * Writes all items, in batches.
   * @throws where DynamoDB leaves some unwritten again and again
   */
  write(items: readonly Item[]): Promise<void>;
}

export function openTable(client: DynamoDBDocumentClient, name: string): Table {
  const writeBatch = async (items: readonly Item[]): Promise<void> => {
    let requests = items.map((Item) => ({ PutRequest: { Item } }));
    for (let attempt = 0; requests.length > 0; attempt += 1) {
      if (attempt === BATCH_TRIES)
        throw new Error(`DynamoDB left ${requests.length} item(s) of a batch unwritten`);
      if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, 50 * 2 ** attempt));
      const { UnprocessedItems } = await client.send(
        new BatchWriteCommand({ RequestItems: { [name]: requests } }),
      );
      requests = (UnprocessedItems?.[name] ?? []) as typeof requests;
    }
  };
  return {
    client,
    name,
    async *query(input) {
      let start: Item | undefined;
      do {
        const page: { Items?: Item[] | undefined; LastEvaluatedKey?: Item | undefined } = await client.send(
          new QueryCommand({ TableName: name, ...input, ...(start && { ExclusiveStartKey: start }) }),
        );
        yield* page.Items ?? [];
        start = page.LastEvaluatedKey;
      } while (start);
    },
    async get(pk, sk) {
      return (await client.send(new GetCommand({ TableName: name, Key: { pk, sk } }))).Item;
    },
    async write(items) {
      const batches = Array.from({ length: Math.ceil(items.length / BATCH_ITEMS) }, (_, i) =>
        items.slice(i * BATCH_ITEMS, (i + 1) * BATCH_ITEMS),
      );
      for (let i = 0; i < batches.length; i += BATCHES_AT_ONCE)
        await Promise.all(batches.slice(i, i + BATCHES_AT_ONCE).map(writeBatch));
    },
  };
}

/** DynamoDB deletes late: what has expired is not there for a reader. */
export const isExpired = (item: Item, nowMs: number): boolean => Number(item.expires_at) <= nowMs / 1000;
