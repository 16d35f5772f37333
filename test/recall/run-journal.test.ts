import { describe, expect, test } from "vitest";
import { TERMINAL_STATUSES, type TerminalStatus } from "../../shared/facts/facts.ts";
import {
  asFact,
  ENTRIES_IN_AN_ITEM,
  hashOf,
  newEntries,
  packEntries,
  unpackEntries,
} from "../../shared/recall/run-journal.ts";
import type { RunTable } from "../../shared/recall/run-table.ts";

const AT_MS = Date.parse("2026-11-23T10:00:00.000Z");
const MINUTE_MS = 60_000;

const entriesOf = (rows: Record<string, TerminalStatus>): Map<string, TerminalStatus> =>
  new Map(Object.entries(rows).map(([id, status]) => [hashOf(id), status]));
const memoryOf = (rows: Record<string, TerminalStatus>, atMs = AT_MS): RunTable =>
  new Map([...entriesOf(rows)].map(([hash, status]) => [hash, { status, atMs }]));
/** What a cycle at that time wrote down. */
const written = (rows: Record<string, TerminalStatus>, atMs = AT_MS) =>
  packEntries(entriesOf(rows)).map((bytes) => ({ bytes, atMs }));
const rowsOf = (rows: Record<string, TerminalStatus>) =>
  Object.entries(rows).map(([id, status]) => ({ id, status }));

describe("what was seen terminal, packed and unpacked", () => {
  test("each status comes back as itself", () => {
    const rows = Object.fromEntries(TERMINAL_STATUSES.map((s) => [`run-${s}`, s]));
    expect(new Map(unpackEntries(written(rows), []))).toEqual(memoryOf(rows));
  });

  test("100,000 executions come back from several items, each below 400 kB", () => {
    const entries = new Map<string, TerminalStatus>();
    for (let i = 0; i < 100_000; i += 1) entries.set(hashOf(`run-${i}`), TERMINAL_STATUSES[i % 4]!);
    const packed = packEntries(entries);
    expect(packed).toHaveLength(Math.ceil(100_000 / ENTRIES_IN_AN_ITEM));
    for (const bytes of packed) expect(bytes.length).toBeLessThan(399_000);
    const back = unpackEntries(
      packed.map((bytes) => ({ bytes, atMs: AT_MS })),
      [],
    );
    expect(back.size).toBe(100_000);
    expect([...entries].filter(([hash, status]) => back.get(hash)?.status !== status)).toEqual([]);
  });

  test("a quiet cycle packs nothing", () => {
    expect(packEntries(new Map())).toEqual([]);
  });

  test("an execution is remembered in nine bytes", () => {
    expect(packEntries(entriesOf({ "run-1": "success" }))[0]).toHaveLength(9);
  });

  test("bytes that are a view into something larger are read from where they begin", () => {
    const [packed] = packEntries(entriesOf({ "run-1": "success" }));
    const around = new Uint8Array(40);
    around.set(packed!, 13);
    const view = { bytes: around.subarray(13, 22), atMs: AT_MS };
    expect(asFact(unpackEntries([view], [])).statusOf("run-1")).toBe("success");
  });

  test("a status of a later version is passed over, and its neighbours are read", () => {
    const [first, second] = [
      packEntries(entriesOf({ a: "failed" }))[0]!,
      packEntries(entriesOf({ b: "success" }))[0]!,
    ];
    const unknown = Uint8Array.from(first);
    unknown[8] = 99;
    const packed = [{ bytes: Buffer.concat([unknown, second]), atMs: AT_MS }];
    expect(new Map(unpackEntries(packed, []))).toEqual(memoryOf({ b: "success" }));
    const pinned = [{ hash: hashOf("a"), status: "failed" as const }];
    expect(asFact(unpackEntries(packed, pinned)).statusOf("a")).toBe("failed");
  });
});

describe("which status is remembered", () => {
  test("the one that was seen last", () => {
    const packed = [
      ...written({ "run-1": "failed" }),
      ...written({ "run-1": "success" }, AT_MS + 5 * MINUTE_MS),
    ];
    expect(asFact(unpackEntries(packed, [])).statusOf("run-1")).toBe("success");
    expect(new Map(unpackEntries(packed, []))).toEqual(
      memoryOf({ "run-1": "success" }, AT_MS + 5 * MINUTE_MS),
    );
  });

  test("a pinned one, where nothing newer is there", () => {
    const pinned = [{ hash: hashOf("run-1"), status: "cancelled" as const }];
    expect(asFact(unpackEntries([], pinned)).statusOf("run-1")).toBe("cancelled");
    const newer = written({ "run-1": "success" });
    expect(asFact(unpackEntries(newer, pinned)).statusOf("run-1")).toBe("success");
  });

  test("none for an execution that never ended", () => {
    const memory = asFact(memoryOf({ "run-1": "success" }));
    expect(memory.statusOf("run-2")).toBeUndefined();
    expect(memory.statusOf("")).toBeUndefined();
  });

  test.each(["123", "0123", "1e2", " run", "名前", "__proto__"])(
    "an id such as %j is itself and no other",
    (id) => {
      const memory = asFact(memoryOf({ [id]: "success", neighbour: "failed" }));
      expect(memory.statusOf(id)).toBe("success");
      expect(memory.statusOf(String(Number(id)))).toBe(String(Number(id)) === id ? "success" : undefined);
    },
  );
});

describe("what a cycle adds", () => {
  test("rows that are new, and rows that ended otherwise than they are remembered", () => {
    const memory = memoryOf({ known: "success", overruled: "failed" });
    const rows = rowsOf({ known: "success", overruled: "success", fresh: "cancelled" });
    expect(newEntries(memory, rows, [], AT_MS + MINUTE_MS)).toEqual(
      entriesOf({ overruled: "success", fresh: "cancelled" }),
    );
  });

  test("nothing where all is known", () => {
    expect(newEntries(memoryOf({ known: "success" }), rowsOf({ known: "success" }), [], AT_MS).size).toBe(0);
  });

  test.each([
    [0, false],
    [60 * MINUTE_MS - 1, false],
    [60 * MINUTE_MS, true],
    [119 * MINUTE_MS, true],
  ])("a row read as terminal again %d ms after it was written down: written again is %j", (ms, again) => {
    const entries = newEntries(memoryOf({ run: "success" }), rowsOf({ run: "success" }), [], AT_MS + ms);
    expect(entries).toEqual(again ? entriesOf({ run: "success" }) : new Map());
  });

  test("a row of which only the pin is left, when it is read as terminal again", () => {
    const pinned = [{ hash: hashOf("run"), status: "success" as const }];
    const memory = unpackEntries([], pinned);
    expect(newEntries(memory, rowsOf({ run: "success" }), [], AT_MS)).toEqual(entriesOf({ run: "success" }));
  });

  test("what is pinned, as if it were read as terminal: known within the hour, written again after it", () => {
    const pinned = [{ hash: hashOf("run"), status: "success" as const }];
    const known = memoryOf({ run: "success" });
    expect(newEntries(known, [], pinned, AT_MS + MINUTE_MS)).toEqual(new Map());
    expect(newEntries(known, [], pinned, AT_MS + 60 * MINUTE_MS)).toEqual(entriesOf({ run: "success" }));
  });

  test("a row that ended otherwise than it is pinned, as it ended", () => {
    const pinned = [{ hash: hashOf("run"), status: "success" as const }];
    const entries = newEntries(new Map(), rowsOf({ run: "failed" }), pinned, AT_MS);
    expect(entries).toEqual(entriesOf({ run: "failed" }));
  });
});
