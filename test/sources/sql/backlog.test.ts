/** What is wrong with the metadata of queued rows is found inside the database, and the metadata stays there. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ago, BACKENDS, type MemoryPlatform, memoryPlatform } from "../../support/sql-facts.ts";

describe.each(BACKENDS)("on %s", (backend) => {
  let platform: MemoryPlatform;
  beforeEach(async () => {
    platform = await memoryPlatform(backend);
  });
  afterEach(() => platform.client.close());

  const add = (id: string, metadata: string | null, row: Record<string, string | null> = {}) =>
    platform.addRun({ id, status: "queued", queued_at: ago(30), backlog_metadata: metadata, ...row });
  const TASK = JSON.stringify({ message: "echo" });
  const MB = 1_000_000;

  describe("queued rows that can't be drained", () => {
    const defects = async () =>
      Object.fromEntries((await platform.value("backlogDefects")).map(({ id, defect }) => [id, defect]));

    test("a healthy queue is not even read", async () => {
      await add("fine", TASK);
      await add("a list", "[1]");
      expect(await platform.value("backlogDefects")).toEqual([]);
    });

    test("each defect, the first that a row has", async () => {
      await add("no time", TASK, { queued_at: null });
      await add("no task", null);
      await add("neither", null, { queued_at: null });
      await add("empty", "");
      await add("cut off", TASK.slice(0, -1));
      await add("python", "{'message': 'echo'}");
      expect(await platform.value("backlogDefects")).toContainEqual({
        id: "no task",
        agent: "ruby",
        defect: "backlog_metadata_null",
      });
      expect(await defects()).toEqual({
        "no time": "queued_at_null",
        "no task": "backlog_metadata_null",
        neither: "queued_at_null",
        empty: "backlog_metadata_invalid_json",
        "cut off": "backlog_metadata_invalid_json",
        python: "backlog_metadata_invalid_json",
      });
    });

    test("a row that is not queued is none of them", async () => {
      for (const status of ["running", "failed", "success", "pending_retry"])
        await platform.addRun({ id: status, status });
      expect(await defects()).toEqual({});
    });

    test("metadata that is more than is read at once is unread, and hides no other row", async () => {
      await add("huge", JSON.stringify({ message: "x".repeat(9 * MB) }));
      for (const id of ["first", "second", "third"]) await add(id, JSON.stringify({ m: "x".repeat(3 * MB) }));
      await add("last", null);
      expect(await defects()).toEqual({
        huge: "unread",
        third: "unread",
        last: "backlog_metadata_null",
      });
    });

    test.for(["queued_at", "backlog_metadata"])("an installation without %s is left out", async (column) => {
      await platform.client.execute("DROP INDEX idx_executions_queued");
      await platform.client.execute(`ALTER TABLE schedule_executions RENAME COLUMN ${column} TO c`);
      expect(await platform.read("backlogDefects")).toEqual({
        reading: { read: false, off: true, reason: `${backend}.backlogDefects: column ${column} is missing` },
        unavailable: [],
      });
    });

    test("a database without executions is no release of the platform: unread, not left out", async () => {
      await platform.client.execute("DROP TABLE schedule_executions");
      expect((await platform.read("backlogDefects")).reading).toEqual({
        read: false,
        reason: `${backend}.backlogDefects: table schedule_executions is missing`,
      });
    });
  });

  describe("credentials in the queue", () => {
    const patternOf = async (metadata: string) => {
      await platform.client.execute("DELETE FROM schedule_executions");
      await add("row", metadata);
      const found = await platform.value("credentialsInQueue");
      return found.length === 0 ? "none" : found[0]!.pattern;
    };
    const inMessage = (text: string) => patternOf(JSON.stringify({ message: text, model: "opus" }));

    test.for([
      ["sk-abc123", "sk"],
      ["sk-ant-api03-x", "sk"],
      ["ghp_abc", "ghp"],
      ["gho_abc", "gho"],
      ["ghs_abc", "ghs"],
      ["ghu_abc", "ghu"],
      ["github_pat_11A", "github_pat"],
      ["xoxb-1", "xoxb"],
      ["xoxp-1", "xoxp"],
      ["AKIAABCD", "AKIA"],
      ["AIzaSyA", "AIza"],
      ["sk_live_abc", "sk_live"],
    ])("%s is one, at the start of the text or of a word", async ([token, pattern]) => {
      for (const text of [token!, `use ${token}`, `key=${token};`, `\n${token}`, `"${token}"`, `é ${token}`])
        expect([text, await inMessage(text)]).toEqual([text, pattern]);
      expect(await inMessage(`disk-1 and task-2, then ${token}`)).toBe(pattern);
    });

    test.for([
      "task-1",
      "disk-1 risk-averse desk-sk",
      "task-sk-1",
      "cs-sk-SK",
      "_sk-abc",
      "sk-",
      "sk- abc",
      "SK-ABC",
      "xghp_abc",
      "1ghp_abc",
      "ghp_",
      "AKIAab12",
      "AKIAABC",
      "MAKIAABCD",
      "sk_test_abc",
      "github_pat",
    ])("%j is none", async (text) => {
      expect(await inMessage(text)).toBe("none");
    });

    test("a row with several is one finding, by the first in the list", async () => {
      expect(await inMessage("AIzaSyA ghp_abc")).toBe("ghp");
      expect(await patternOf(JSON.stringify({ a: ["xoxb-1"], b: { c: "ghs_1" } }))).toBe("ghs");
    });

    test("texts are found wherever they stand: nested, alone, and in what is not JSON", async () => {
      expect(await patternOf(JSON.stringify({ a: [{ b: { c: "ghp_abc" } }] }))).toBe("ghp");
      expect(await patternOf('"ghp_abc"')).toBe("ghp");
      expect(await patternOf("{'message': 'ghp_abc'}")).toBe("ghp");
      expect(await patternOf("{'message': 'task-1'}")).toBe("none");
    });

    test("an image matches by chance, so its data are cut out; everything else about it is searched", async () => {
      const data = "iVBORw0KGgo/AIzaAAAA+sk-abc";
      const images = [{ media_type: "image/png", data }];
      expect(await patternOf(JSON.stringify({ message: "look", images }))).toBe("none");
      expect(await patternOf(JSON.stringify({ task: { images: [{ source: { data } }] } }))).toBe("none");
      expect(await patternOf(JSON.stringify({ images: [{ data, name: "ghp_abc.png" }] }))).toBe("ghp");
      // Only the data of images are images.
      expect(await patternOf(JSON.stringify({ data }))).toBe("sk");
      expect(await patternOf(JSON.stringify({ myimages: [{ data }] }))).toBe("sk");
    });

    test("a text that the database can't search to its end is unsearched, not clean", async () => {
      // GLOB ends at a NUL. PostgreSQL stores none, and its place is a space there.
      expect(await inMessage("before\u0000sk-abc")).toBe(backend === "sqlite" ? null : "sk");
      expect(await inMessage("ghp_abc\u0000")).toBe("ghp");
    });

    test("more text than is searched at once is unsearched; images do not count, and hide no text", async () => {
      const image = { images: [{ data: "A".repeat(2 * MB) }] };
      await add("image", JSON.stringify({ ...image, message: "ghp_abc" }));
      await add("clean image", JSON.stringify({ ...image, message: "look" }));
      await add("long", JSON.stringify({ message: "task-1 ".repeat(300_000) }));
      await add("first", JSON.stringify({ message: "task-1 ".repeat(200_000) }));
      await add("second", JSON.stringify({ message: "task-1 ".repeat(200_000) }));
      const found = await platform.value("credentialsInQueue");
      expect(Object.fromEntries(found.map(({ id, pattern }) => [id, pattern]))).toEqual({
        image: "ghp",
        long: null,
        second: null,
      });
    });

    test("a long text in which nothing looks like a credential is clean", async () => {
      await add("long", JSON.stringify({ message: "lorem ipsum ".repeat(200_000) }));
      await add("longer", JSON.stringify({ message: "dolor \u00e9 ".repeat(200_000) }));
      expect(await platform.value("credentialsInQueue")).toEqual([]);
    });

    test("an escape hides no credential from SQLite; in PostgreSQL it is a space", async () => {
      expect(await patternOf(String.raw`{"message": "\u0073k-abc"}`)).toBe(
        backend === "sqlite" ? "sk" : "none",
      );
      expect(await patternOf(String.raw`{"message": "\n\u00e9 sk-abc"}`)).toBe("sk");
    });

    test("rows that are not queued, or hold nothing, are not searched", async () => {
      await platform.addRun({ id: "running", status: "running", backlog_metadata: '{"a": "ghp_abc"}' });
      await add("nothing", null);
      expect(await platform.value("credentialsInQueue")).toEqual([]);
    });

    test("neither the text nor what stands around it leaves the database", async () => {
      await add("row", JSON.stringify({ message: "the secret word is ghp_abcdef" }));
      expect(JSON.stringify(await platform.read("credentialsInQueue"))).not.toMatch(/abcdef|secret/);
    });
  });
});
