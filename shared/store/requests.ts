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
/** The pause before a batch is sent again is at most this, doubled with each try. Jitter keeps batches apart. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 3_000;

// biome-ignore lint/suspicious/noExplicitAny: the SDK types attributes so; who reads an item knows its shape.
export type Item = Record<string, any>;

/** What one request of a query gives. */
export interface QueryPage {
  readonly items: readonly Item[];
  /** The key after which the next page starts; undefined at the end. */
  readonly lastKey: Item | undefined;
}

export interface Table {
  readonly client: DynamoDBDocumentClient;
  readonly name: string;
  /** The pages of a query. */
  pages(input: Omit<QueryCommandInput, "TableName">, signal?: AbortSignal): AsyncGenerator<QueryPage>;
  /** The items of all pages of a query. @param signal ends it */
  query(input: Omit<QueryCommandInput, "TableName">, signal?: AbortSignal): AsyncGenerator<Item>;
  /**
   * The item with that key, undefined where there is none.
   * @param options `isConsistent`: with every write that was answered before; it costs twice as much. Default: false.
   */
  get(pk: string, sk: string, options?: { readonly isConsistent: boolean }): Promise<Item | undefined>;
  /**
   * Writes all items, in batches. What DynamoDB leaves unwritten or throttles is sent again until it is written.
   * @param signal ends the tries
   * @throws where some could not be written; where DynamoDB refused them, all others are
   */
  write(items: readonly Item[], signal: AbortSignal): Promise<void>;
}

export function openTable(client: DynamoDBDocumentClient, name: string): Table {
  const writeBatch = async (items: readonly Item[], signal: AbortSignal): Promise<void> => {
    let requests = items.map((Item) => ({ PutRequest: { Item } }));
    for (let attempt = 0; ; attempt += 1) {
      signal.throwIfAborted();
      const batch = new BatchWriteCommand({ RequestItems: { [name]: requests } });
      const left = await client.send(batch, { abortSignal: signal }).then(
        ({ UnprocessedItems }) => (UnprocessedItems?.[name] ?? []) as typeof requests,
        (error) => {
          if (isThrottled(error)) return requests;
          throw error;
        },
      );
      if (left.length === 0) return;
      requests = left;
      await pause(Math.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt), signal);
    }
  };
  async function* pages(
    input: Omit<QueryCommandInput, "TableName">,
    signal?: AbortSignal,
  ): AsyncGenerator<QueryPage> {
    let start: Item | undefined;
    do {
      const page: { Items?: Item[] | undefined; LastEvaluatedKey?: Item | undefined } = await client.send(
        new QueryCommand({ TableName: name, ...input, ...(start && { ExclusiveStartKey: start }) }),
        { ...(signal && { abortSignal: signal }) },
      );
      start = page.LastEvaluatedKey;
      yield { items: page.Items ?? [], lastKey: start };
    } while (start);
  }
  /** Writes a batch. One item that is refused must not keep the others out: then each is written alone. */
  const writeWhatIsTaken = async (items: readonly Item[], signal: AbortSignal): Promise<void> => {
    try {
      await writeBatch(items, signal);
    } catch (error) {
      if (items.length === 1 || !isRefused(error)) throw error;
      const written = await Promise.allSettled(items.map((item) => writeBatch([item], signal)));
      for (const one of written) if (one.status === "rejected") throw one.reason;
    }
  };
  return {
    client,
    name,
    pages,
    async *query(input, signal) {
      for await (const { items } of pages(input, signal)) yield* items;
    },
    async get(pk, sk, { isConsistent } = { isConsistent: false }) {
      const key = { TableName: name, Key: { pk, sk }, ConsistentRead: isConsistent };
      return (await client.send(new GetCommand(key))).Item;
    },
    async write(items, signal) {
      const batches = Array.from({ length: Math.ceil(items.length / BATCH_ITEMS) }, (_, i) =>
        items.slice(i * BATCH_ITEMS, (i + 1) * BATCH_ITEMS),
      );
      const refusals: unknown[] = [];
      const writeOrNote = (batch: readonly Item[]) =>
        writeWhatIsTaken(batch, signal).catch((error) => {
          if (!isRefused(error)) throw error;
          refusals.push(error);
        });
      for (let i = 0; i < batches.length; i += BATCHES_AT_ONCE)
        await Promise.all(batches.slice(i, i + BATCHES_AT_ONCE).map(writeOrNote));
      if (refusals.length > 0) throw refusals[0];
    },
  };
}

/** Whether the SDK gave up on a request that DynamoDB may take later. */
const isThrottled = ({ name }: Error): boolean =>
  ["ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"].includes(name);

/** Whether DynamoDB will never take it: an item is too large, or a key too long. */
const isRefused = (error: unknown): boolean =>
  error instanceof Error && ["ValidationException", "ItemSizeLimitExceeded"].includes(error.name);

/** Waits. @throws the signal's reason, as soon as it is aborted */
const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", end);
      resolve();
    }, ms);
    signal.addEventListener("abort", end, { once: true });
  });

/** The fields of an item besides its key and its end. */
export const fieldsOf = ({ pk: _pk, sk: _sk, expires_at: _expires, ...fields }: Item): unknown => fields;

/** DynamoDB deletes late: what has expired is not there for a reader. */
export const isExpired = (item: Item, nowMs: number): boolean => Number(item.expires_at) <= nowMs / 1000;
