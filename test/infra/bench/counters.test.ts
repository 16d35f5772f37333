import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { heapOptions, openShare, shareOf } from "../../../infra/bench/cpu-share.ts";
import { metricsIn } from "../../../infra/bench/log.ts";
import { commandsRunIn, longestMsIn } from "../../../infra/bench/redis-counters.ts";
import { keptBytes } from "../../../infra/bench/state.ts";

test("commands that Redis ran are counted with those in scripts, without the bench's own", () => {
  const info = `# Commandstats
cmdstat_eval_ro:calls=4,usec=9000,usec_per_call=2250.00,rejected_calls=0,failed_calls=0
cmdstat_hget:calls=2000,usec=900,usec_per_call=0.45,rejected_calls=0,failed_calls=0
cmdstat_config|set:calls=1,usec=20,usec_per_call=20.00,rejected_calls=0,failed_calls=0
cmdstat_info:calls=1,usec=90,usec_per_call=90.00,rejected_calls=0,failed_calls=0`;
  expect(commandsRunIn(info)).toBe(2_004);
});

test("the longest command is the longest of any kind, a transaction like a script", () => {
  const info = `# Latencystats
latency_percentiles_usec_hget:p100=30.079
latency_percentiles_usec_exec:p100=1236.991
latency_percentiles_usec_eval_ro:p100=2916.927
latency_percentiles_usec_config|resetstat:p100=9132.095`;
  expect(longestMsIn(info)).toBeCloseTo(2.917, 3);
  expect(longestMsIn("# Latencystats\n")).toBe(0);
});

test("CloudWatch bills a metric for each combination of its dimensions", () => {
  const line = (source: string) =>
    JSON.stringify({
      _aws: {
        CloudWatchMetrics: [{ Dimensions: [["service", "source"]], Metrics: [{ Name: "SourceLatency" }] }],
      },
      service: "canary",
      source,
    });
  const lines = [line("sqlite"), line("redis"), line("redis"), '{"level":"INFO"}', "plain text"];
  expect([...new Set(lines.flatMap(metricsIn))]).toEqual([
    "SourceLatency,canary,sqlite",
    "SourceLatency,canary,redis",
  ]);
});

test("what is kept follows from what a cycle adds and how long that lives", () => {
  const now = Date.parse("2026-11-26T10:00:00Z");
  const inMinutes = (minutes: number) => now / 1000 + 60 * minutes;
  const memory = { pk: "M", sk: "M", text: "x".repeat(92) };
  const entry = (sk: string, minutes: number) => ({
    pk: "T",
    sk,
    expires_at: inMinutes(minutes),
    ids: new Uint8Array(100),
  });
  const one = keptBytes([], [entry("1", 5)], now);
  expect(keptBytes([memory], [memory], now)).toBe("pksktext".length + "'M''M''xx'".length - 2 + 92);
  expect(keptBytes([], [entry("1", 120)], now)).toBe(24 * one);
  // An earlier cycle's is counted with those that this one adds.
  expect(keptBytes([entry("0", 115)], [entry("0", 115), entry("1", 120)], now)).toBe(24 * one);
});

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "canary-groups-"));
});
afterEach(() => rm(root, { recursive: true }));

const groupFile = (group: string, name: string) => readFileSync(join(group, "..", name), "utf8");

test("a function has a core at 1,769 MB, and a part of one below", () => {
  expect([128, 512, 1_769, 3_008].map((mb) => shareOf(mb).toFixed(2))).toEqual([
    "0.07",
    "0.29",
    "1.00",
    "1.00",
  ]);
  expect(heapOptions(512)).toEqual(["--max-old-space-size=460", "--max-semi-space-size=25"]);
});

test("the share is a quota of the kernel's control groups, in either of their versions", () => {
  mkdirSync(join(root, "cpu"));
  writeFileSync(join(root, "cpu", "cpu.cfs_quota_us"), "-1");
  const first = openShare(0.25, root)!;
  expect(groupFile(first.group, "cpu.cfs_quota_us")).toBe("5000");
  expect(groupFile(first.group, "cpu.cfs_period_us")).toBe("20000");

  const second = join(root, "second");
  mkdirSync(second);
  writeFileSync(join(second, "cgroup.controllers"), "cpuset cpu io memory pids");
  writeFileSync(join(second, "cgroup.subtree_control"), "");
  expect(groupFile(openShare(0.5, second)!.group, "cpu.max")).toBe("10000 20000");
});

test("where the machine has no such controller, or does not let us, there is no share", () => {
  expect(openShare(0.5, root)).toBeNull();
  writeFileSync(join(root, "cgroup.controllers"), "memory pids");
  expect(openShare(0.5, root)).toBeNull();
  // A file in place of the folder refuses, as a read-only mount does.
  mkdirSync(join(root, "cpu"));
  writeFileSync(join(root, "cpu", "cpu.cfs_quota_us"), "-1");
  writeFileSync(join(root, "cpu", `canary-bench-${process.pid}-500`), "");
  expect(openShare(0.5, root)).toBeNull();
});
