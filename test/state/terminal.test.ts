import { describe, expect, test } from "vitest";
import { TERMINAL_STATUSES, type TerminalStatus } from "../../shared/snapshot/facts.ts";
import {
  asFact,
  ENTRIES_IN_AN_ITEM,
  hashOf,
  newEntries,
  packEntries,
  type TerminalMemory,
  unpackEntries,
} from "../../shared/state/terminal.ts";

const memoryOf = (rows: Record<string, TerminalStatus>): TerminalMemory =>
  new Map(Object.entries(rows).map(([id, status]) => [hashOf(id), status]));
const rowsOf = (rows: Record<string, TerminalStatus>) =>
  Object.entries(rows).map(([id, status]) => ({ id, status }));

describe("what was seen terminal, packed and unpacked", () => {
  test("each status comes back as itself", () => {
    const entries = memoryOf(Object.fromEntries(TERMINAL_STATUSES.map((s) => [`run-${s}`, s])));
    expect(unpackEntries(packEntries(entries), [])).toEqual(entries);
  });

  test("100,000 executions come back from several items, each below 400 kB", () => {
    const entries: TerminalMemory = new Map();
    for (let i = 0; i < 100_000; i += 1) entries.set(hashOf(`run-${i}`), TERMINAL_STATUSES[i % 4]!);
    const packed = packEntries(entries);
    expect(packed).toHaveLength(Math.ceil(100_000 / ENTRIES_IN_AN_ITEM));
    for (const bytes of packed) expect(bytes.length).toBeLessThan(399_000);
    const back = unpackEntries(packed, []);
    expect(back.size).toBe(100_000);
    expect([...back]).toEqual([...entries]);
  });

  test("a quiet cycle packs nothing", () => {
    expect(packEntries(new Map())).toEqual([]);
  });

  test("an execution is remembered in nine bytes", () => {
    expect(packEntries(memoryOf({ "run-1": "success" }))[0]).toHaveLength(9);
  });

  test("bytes that are a view into something larger are read from where they begin", () => {
    const [packed] = packEntries(memoryOf({ "run-1": "success" }));
    const around = new Uint8Array(40);
    around.set(packed!, 13);
    expect(asFact(unpackEntries([around.subarray(13, 22)], [])).statusOf("run-1")).toBe("success");
  });

  test("a status of a later version is passed over, and its neighbours are read", () => {
    const [first, second] = [
      packEntries(memoryOf({ a: "failed" }))[0]!,
      packEntries(memoryOf({ b: "success" }))[0]!,
    ];
    const unknown = Uint8Array.from(first);
    unknown[8] = 99;
    const packed = [Buffer.concat([unknown, second])];
    expect(unpackEntries(packed, [])).toEqual(memoryOf({ b: "success" }));
    const pinned = [{ hash: hashOf("a"), status: "failed" as const }];
    expect(asFact(unpackEntries(packed, pinned)).statusOf("a")).toBe("failed");
  });
});

describe("which status is remembered", () => {
  test("the one that was seen last", () => {
    const packed = [
      ...packEntries(memoryOf({ "run-1": "failed" })),
      ...packEntries(memoryOf({ "run-1": "success" })),
    ];
    expect(asFact(unpackEntries(packed, [])).statusOf("run-1")).toBe("success");
  });

  test("a pinned one, where nothing newer is there", () => {
    const pinned = [{ hash: hashOf("run-1"), status: "cancelled" as const }];
    expect(asFact(unpackEntries([], pinned)).statusOf("run-1")).toBe("cancelled");
    const newer = packEntries(memoryOf({ "run-1": "success" }));
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
    expect(newEntries(memory, rows)).toEqual(memoryOf({ overruled: "success", fresh: "cancelled" }));
  });

  test("nothing where all is known", () => {
    expect(newEntries(memoryOf({ known: "success" }), rowsOf({ known: "success" })).size).toBe(0);
  });
});
