/** What goes wrong at DynamoDB: it throttles, answers 500, answers too late or not at all. A write can be taken all the same. */
import type { Random } from "../soak/random.ts";

export interface TableFault {
  readonly kind: "none" | "throttled" | "unprocessed" | "http 500" | "late" | "cut";
  /** Whether the request is carried out: at once, when its client has given up, or never. */
  readonly isTaken: "at once" | "late" | "never";
}

export const NO_FAULT: TableFault = { kind: "none", isTaken: "at once" };

/** Later than the canary's client waits (3 s). */
export const LATE_MS = 3_500;

/** In percent of the requests outside of a row. All others are answered well. */
const CHANCES: readonly (readonly [number, TableFault])[] = [
  [3, { kind: "throttled", isTaken: "never" }],
  [0.8, { kind: "http 500", isTaken: "never" }],
  [0.8, { kind: "http 500", isTaken: "at once" }],
  [0.5, { kind: "cut", isTaken: "never" }],
  [0.5, { kind: "cut", isTaken: "at once" }],
  [0.5, { kind: "late", isTaken: "never" }],
  [0.5, { kind: "late", isTaken: "at once" }],
  [0.5, { kind: "late", isTaken: "late" }],
];
/**
 * Half of the faults come in a row, longer than the canary's client tries again (3 times). Not those that are late: a row of
 * them would be most of the time.
 */
const ROW_PERCENT = 50;
const ROW = [3, 9] as const;

function drawOne(random: Random): TableFault {
  let place = random.fraction() * 100;
  for (const [chance, fault] of CHANCES) {
    place -= chance;
    if (place < 0) return fault;
  }
  return NO_FAULT;
}

/** Draws what goes wrong with each request. */
export function faultsOf(random: Random): (operation: string) => TableFault {
  let [fault, left] = [NO_FAULT, 0];
  return (operation) => {
    if (left > 0) left -= 1;
    else {
      fault = drawOne(random);
      const mayRepeat = fault !== NO_FAULT && fault.kind !== "late";
      if (mayRepeat && random.percent(ROW_PERCENT)) left = random.whole(...ROW);
    }
    // A batch is throttled item by item, under status 200.
    return fault.kind === "throttled" && operation === "BatchWriteItem" && random.percent(50)
      ? { ...fault, kind: "unprocessed" }
      : fault;
  };
}

const THROTTLING = {
  __type: "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
  message: "The level of configured provisioned throughput for the table was exceeded",
};
const ON_DEMAND_THROTTLING = {
  __type: "com.amazon.coral.availability#ThrottlingException",
  message: "Throughput exceeds the current capacity of your table or index",
};
const INTERNAL = {
  __type: "com.amazonaws.dynamodb.v20120810#InternalServerError",
  message: "Internal server error",
};

interface Answer {
  readonly head: readonly [number, Record<string, string>];
  readonly text: string;
}

const json = (status: number, body: object): Answer => ({
  head: [status, { "content-type": "application/x-amz-json-1.0" }],
  text: JSON.stringify(body),
});

/** DynamoDB's answer for a fault that has one. */
export function answerOf({ kind }: TableFault, request: string): Answer | null {
  // Both are in use: which one depends on what was exceeded.
  if (kind === "throttled") return json(400, request.length % 2 === 0 ? THROTTLING : ON_DEMAND_THROTTLING);
  if (kind === "http 500") return json(500, INTERNAL);
  if (kind === "unprocessed") return json(200, { UnprocessedItems: JSON.parse(request).RequestItems });
  return null;
}
