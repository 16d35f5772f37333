/** The platform's queue accessor over HTTP, and the same counts in SQL before and after its answer. */
// The small zod: this is the only schema of a cycle, and the large one is a third of the bundle.

import * as z from "zod/mini";
import { address, NONE } from "../../config/source-variables.ts";
import { token } from "../../config/variable.ts";
import { placeOf, SourceError } from "../../errors.ts";
import { isReadableName, MAX_NAME_LENGTH } from "../../facts/facts.ts";
import { ask, jsonOf } from "../../http.ts";
import { plural } from "../../text.ts";
import { firstLines } from "../lines.ts";
import type { Source, SourceSpec } from "../source.ts";
import type { Database } from "../sql/database.ts";
import { countQueues } from "../sql/facts/queue-counts.ts";

const QUEUE_COUNTS = {
  url: address(
    "QUEUE_COUNTS_URL",
    'where the platform\'s queue accessor answers `{"counts": {"<agent>": <n>}}`. Not set: the accessor\'s own SQL is run',
    { schemes: ["https:", "http:"], example: "https://trinity.example.com/api/queue-counts" },
  ),
  token: token("QUEUE_COUNTS_TOKEN", "sent to it as a bearer token"),
};

/** 10,000 agents are 0.4 MB. */
const MAX_ANSWER_BYTES = 8_000_000;
const MAX_COUNTS = 100_000;

const Counts = z.object({ counts: z.record(z.string(), z.unknown()) });

const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;

/** @returns the counts, and a line for each that can't be read */
async function askAccessor(url: string, token: string | null, signal: AbortSignal) {
  const answer = await ask({
    url,
    signal,
    headers: { accept: "application/json", ...(token && { authorization: `Bearer ${token}` }) },
    maxBytes: MAX_ANSWER_BYTES,
    variable: QUEUE_COUNTS.url.name,
  });
  const { ok, status } = answer;
  if (!ok) {
    const isRefused = status === 401 || status === 403;
    const fix = isRefused ? `, check ${QUEUE_COUNTS.token.name}` : "";
    throw new SourceError(`the accessor answered HTTP ${status}${fix}`);
  }
  const parsed = Counts.safeParse(jsonOf(answer));
  if (!parsed.success) throw new SourceError('the accessor did not answer {"counts": {"<agent>": <n>}}');
  const entries = Object.entries(parsed.data.counts);
  if (entries.length > MAX_COUNTS) throw new SourceError(`the accessor gave more than ${MAX_COUNTS} counts`);
  const named = entries.filter(([agent]) => isReadableName(agent));
  const tooLong = entries.length - named.length;
  return {
    counts: new Map(named.filter((entry): entry is [string, number] => isCount(entry[1]))),
    unreadable: [
      ...named.filter(([, n]) => !isCount(n)).map(([agent]) => `queue_counts[${agent}]: not a count`),
      ...(tooLong > 0
        ? [
            `queue_counts: ${plural(tooLong, "name is", "names are")} longer than ${MAX_NAME_LENGTH} characters`,
          ]
        : []),
    ],
  };
}

/** Counts in SQL before and after the accessor answers: on a busy queue the two are of different moments. */
const accessorReader =
  (url: string, token: string | null, database: Database): Source["read"] =>
  async ({ signal, now }) => {
    const fromMs = now();
    const before = await countQueues(database, signal);
    const { counts, unreadable } = await askAccessor(url, token, signal);
    const after = await countQueues(database, signal);
    const time = { fromMs, toMs: now() };
    const value = { counts, absentIsZero: false, around: [before, after] as const };
    return {
      readings: { queueCounts: { read: true, value, time } },
      unavailable: firstLines("queue_counts", unreadable),
    };
  };

export const queueCounts = {
  name: "queue_counts",
  gives: ["queueCounts"],
  variables: QUEUE_COUNTS,
  place: ({ url }) => (url === null ? null : placeOf(url, QUEUE_COUNTS.url.name)),
  configure({ url, token }, { database }) {
    if (url === NONE) return "off";
    // The accessor is compared with SQL: without a database it proves nothing.
    return url === null || database === null ? "not configured" : accessorReader(url, token, database);
  },
} as const satisfies SourceSpec<typeof QUEUE_COUNTS>;
