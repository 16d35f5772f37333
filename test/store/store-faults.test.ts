/** What DynamoDB itself can answer and a local table never does: each costs a cycle at most, and no alert. */
import {
  ConditionalCheckFailedException,
  InternalServerError,
  ProvisionedThroughputExceededException,
  RequestLimitExceeded,
  ThrottlingException,
} from "@aws-sdk/client-dynamodb";
import { BatchWriteCommand, GetCommand, QueryCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { type AwsClientStub, mockClient } from "aws-sdk-client-mock";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Alert } from "../../shared/alerts/alert.ts";
import { leaseMs } from "../../shared/cycle/lease.ts";
import type { CycleOutcome, CycleRequest } from "../../shared/cycle/outcome.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { dynamoStore } from "../../shared/store/store.ts";
import { oneByOne } from "../support/alert.ts";
import { DAY_MS, MINUTE_MS, type ScriptedCanary, slot, useCanaries } from "../support/cycle.ts";
import { slotsOf } from "../support/facts.ts";

const canaryOf = useCanaries();
const LEAKED = { slots: slotsOf({ alpha: [slot("e-1")] }) };
const NO_SLOTS = { slots: slotsOf({}) };

const thrown = { $metadata: { httpStatusCode: 400 } };
const FAULTS = {
  throttled: new ThrottlingException({
    ...thrown,
    message: "Rate of requests exceeds the allowed throughput.",
  }),
  "over its throughput": new ProvisionedThroughputExceededException({
    ...thrown,
    message: "The level of configured provisioned throughput for the table was exceeded.",
  }),
  "over the account's limit": new RequestLimitExceeded({
    ...thrown,
    message: "Throughput exceeds the current limit.",
  }),
  "failing inside": new InternalServerError({ ...thrown, message: "Internal server error" }),
  "too large": Object.assign(new Error("Item size has exceeded the maximum allowed size"), {
    ...thrown,
    name: "ValidationException",
  }),
} satisfies Record<string, Error>;
const refused = () =>
  new ConditionalCheckFailedException({ ...thrown, message: "The conditional request failed" });

/** Tells the store's calls apart. */
const CALLS = {
  lease: [UpdateCommand, { ReturnValues: "ALL_NEW" }],
  "terminal memory": [QueryCommand, { ConsistentRead: true }],
  commit: [UpdateCommand, { ConditionExpression: "lease_owner = :owner AND version = :version" }],
} as const;
/** Those without which a cycle happens all the same. */
const EVIDENCE_CALLS = {
  ids: [UpdateCommand, { ReturnValues: "UPDATED_NEW" }],
  evidence: [BatchWriteCommand, {}],
} as const;
const ALL_CALLS = { ...CALLS, ...EVIDENCE_CALLS };
type Call = keyof typeof ALL_CALLS;

describe("the table", () => {
  let canary: ScriptedCanary;
  /** In front of the canary's client: what is not told otherwise goes on to the real table. */
  let table: AwsClientStub<ScriptedCanary["client"]>;
  /** The keys of the alerts that a channel has taken. */
  let told: string[];

  beforeEach(async () => {
    canary = await canaryOf();
    told = [];
    table = mockClient(canary.client);
    table.send.callThrough();
  });
  afterEach(() => {
    vi.useRealTimers();
    table.restore();
  });

  /** The mock's types want an input of that command; which command it is stands in the table above. */
  const on = (call: Call) =>
    table.on(ALL_CALLS[call][0] as typeof UpdateCommand, ALL_CALLS[call][1] as object);
  const calls = (call: Call) =>
    table.commandCalls(ALL_CALLS[call][0] as typeof UpdateCommand, ALL_CALLS[call][1] as object).length;
  /** Sends past the faults. */
  const realSend = () =>
    table.send.wrappedMethod.bind(canary.client) as (command: unknown) => Promise<unknown>;
  function recover() {
    table.reset();
    table.send.callThrough();
  }

  /** Five minutes pass, and a cycle runs that tells its alerts. */
  async function cycle(request: Pick<CycleRequest, "timeLeftMs"> = {}): Promise<CycleOutcome> {
    canary.advance(5 * MINUTE_MS);
    return again(request);
  }
  /** A cycle runs right now. */
  function again(request: Pick<CycleRequest, "timeLeftMs"> = {}): Promise<CycleOutcome> {
    const slack = async ({ key }: Alert) => void told.push(key);
    const alerts = { ...canary.deps.alerts, senders: { slack: oneByOne(slack) } };
    return runCycle({ ...canary.deps, alerts }, { trigger: "schedule", ...request });
  }
  const ENDED = { "e-0": "success" } as const;
  /** From here on a new process runs the cycles: it has to read the journal, where a cycle has written one. */
  const restart = () => void Object.assign(canary.deps.store, dynamoStore(canary.client, canary.table));
  const transitionsOf = (outcome: CycleOutcome) =>
    outcome.kind === "busy" ? [] : outcome.report.transitions.map((t) => t.invariant_id);

  const EVERYWHERE = Object.entries(FAULTS).flatMap(([name, error]) =>
    (Object.keys(CALLS) as (keyof typeof CALLS)[])
      .filter((call) => name !== "too large" || call !== "terminal memory")
      .map((call): [Call, string, Error] => [call, name, error]),
  );

  test.for(EVERYWHERE)("%s, %s: nothing opens, and the next cycle tells it once", async ([call, , error]) => {
    canary.ends(ENDED);
    await cycle();
    const before = await canary.memory();
    canary.set(LEAKED);
    restart();
    on(call).rejects(error);
    const failed = await cycle();
    expect(calls(call)).toBeGreaterThan(0);
    expect(failed).toMatchObject({
      kind: "stateless",
      reason: `state: ${error.message}`,
      report: { transitions: [], spreads: [], recoveries: [], verdicts: { "S-01": { status: "red" } } },
    });
    expect(told).toEqual([]);

    recover();
    expect(await canary.memory()).toEqual(before);
    // At once: the lease was given back.
    const next = await again();
    expect(next).toMatchObject({ kind: "done", alerts: { delivered: 1, pending: 0 } });
    expect(transitionsOf(next)).toEqual(["S-01"]);
    await cycle();
    expect(told).toHaveLength(1);
  });

  const EVIDENCE_FAULTS = Object.entries(FAULTS).flatMap(([name, error]) =>
    (["ids", "evidence"] as const).map((call) => [call, name, error] as const),
  );

  test.for(EVIDENCE_FAULTS)(
    "%s, %s: the cycle happens, its alert is delivered, and a line says what is missing",
    async ([call, , error]) => {
      await cycle();
      canary.set(LEAKED);
      on(call).rejects(error);
      const outcome = await cycle({ timeLeftMs: () => 3_500 });
      expect(outcome).toMatchObject({ kind: "done", alerts: { delivered: 1 } });
      expect(transitionsOf(outcome)).toEqual(["S-01"]);
      expect(outcome).toHaveProperty("report.sources_unavailable", [expect.stringMatching(/^state: /)]);
      recover();
      expect((await canary.memory()).states["S-01"]?.status).toBe("red");
      expect(told).toHaveLength(1);
    },
  );

  test.for(["lease", "terminal memory", "commit"] as const)(
    "%s, throttled: nothing closes either",
    async (call) => {
      canary.set(LEAKED);
      canary.ends(ENDED);
      await cycle();
      expect(told).toHaveLength(1);
      canary.set(NO_SLOTS);
      restart();
      on(call).rejects(FAULTS.throttled);
      expect(await cycle()).toMatchObject({ kind: "stateless", report: { recoveries: [] } });
      expect((await canary.memory()).states["S-01"]?.status).toBe("red");
      recover();
      expect(await again()).toMatchObject({
        kind: "done",
        report: { recoveries: [{ invariant_id: "S-01" }] },
      });
      expect(told).toHaveLength(2);
    },
  );

  test.for(Object.entries(FAULTS))(
    "%s while an alert waits in the outbox: it waits on, and is reported once",
    async ([, error]) => {
      canary.set(LEAKED);
      canary.advance(5 * MINUTE_MS);
      const down = async () => Promise.reject(new Error("the channel is down"));
      const alerts = { ...canary.deps.alerts, senders: { slack: oneByOne(down) } };
      await runCycle({ ...canary.deps, alerts }, { trigger: "schedule" });
      const [waiting] = (await canary.memory()).outbox;

      on("commit").rejects(error);
      expect((await cycle()).kind).toBe("stateless");
      expect(told).toEqual([]);
      recover();
      expect(await cycle()).toMatchObject({ kind: "done", alerts: { delivered: 1, pending: 0 } });
      expect(told).toEqual([waiting!.alert.key]);
    },
  );

  test("the lease refused: another cycle runs, and this one has asked nobody", async () => {
    on("lease").rejects(refused());
    expect(await cycle()).toEqual({
      kind: "busy",
      retryAfterSeconds: Math.ceil(leaseMs(canary.deps.settings) / 1000),
    });
    expect(canary.reads).toEqual([]);
  });

  test("the commit refused, since another cycle's is there: nothing of this one counts", async () => {
    await cycle();
    canary.set(LEAKED);
    on("commit").rejects(refused());
    const outcome = await cycle();
    expect(outcome).toMatchObject({
      kind: "stateless",
      reason: expect.stringContaining("outlived its lease"),
    });
    expect(transitionsOf(outcome)).toEqual([]);
    expect(told).toEqual([]);
    recover();
    canary.advance(leaseMs(canary.deps.settings));
    expect(transitionsOf(await again())).toEqual(["S-01"]);
    expect(told).toHaveLength(1);
  });

  test("the commit arrived but its answer was lost, and so was the look after it: the alert is reported by the next", async () => {
    await cycle();
    canary.set(LEAKED);
    const real = realSend();
    on("commit").callsFake(async (input) => {
      await real(new UpdateCommand(input));
      throw refused();
    });
    table.on(GetCommand).rejects(FAULTS.throttled);
    const outcome = await cycle();
    expect(outcome).toMatchObject({ kind: "stateless", reason: `state: ${FAULTS.throttled.message}` });
    expect(told).toEqual([]);

    recover();
    const next = await again();
    expect(next).toMatchObject({ kind: "done", alerts: { delivered: 1, pending: 0 } });
    // It was red in the memory already: a second break would be told twice.
    expect(transitionsOf(next)).toEqual([]);
    await cycle();
    expect(told).toHaveLength(1);
  });

  describe("a batch that is taken in part", () => {
    /** Each batch leaves so many items unwritten; the waits between the tries pass at once. */
    function takesAllBut(left: number, times = Infinity) {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      const real = realSend();
      let batches = 0;
      on("evidence").callsFake(async ({ RequestItems }) => {
        batches += 1;
        const requests = RequestItems[canary.table];
        const unwritten = batches <= times ? requests.slice(0, left) : [];
        const taken = requests.slice(unwritten.length);
        if (taken.length > 0) await real(new BatchWriteCommand({ RequestItems: { [canary.table]: taken } }));
        if (unwritten.length === 0) return {};
        setImmediate(() => vi.isFakeTimers() && void vi.advanceTimersByTimeAsync(2_000));
        return { UnprocessedItems: { [canary.table]: unwritten } };
      });
      return () => batches;
    }
    const written = async () => {
      const nowMs = canary.now();
      const range = { startMs: nowMs - DAY_MS, endMs: nowMs, nowMs };
      const [cycles, violations] = [
        await canary.store.history.listCycles(range, 100, null),
        await canary.store.history.listViolations(range, 100, null),
      ];
      return { cycles: cycles.items.length, violations: violations.items.length };
    };

    test("once: the rest is sent again, and the cycle happens", async () => {
      canary.set(LEAKED);
      const batches = takesAllBut(1, 1);
      const outcome = await cycle();
      vi.useRealTimers();
      expect(outcome).toMatchObject({ kind: "done", alerts: { delivered: 1 } });
      // The record and its rest, the episode, and the agents as they were seen.
      expect(batches()).toBe(4);
      expect(await written()).toEqual({ cycles: 1, violations: 1 });
    });

    test("for ever: the cycle happens all the same, and is told once", async () => {
      await cycle();
      canary.set(LEAKED);
      takesAllBut(1);
      const outcome = await cycle();
      vi.useRealTimers();
      expect(transitionsOf(outcome)).toEqual(["S-01"]);
      expect(outcome).toHaveProperty("report.sources_unavailable", [
        "state: the record of this cycle is not whole: no answer within 12000 ms",
      ]);
      recover();
      expect(transitionsOf(await again())).toEqual([]);
      expect(told).toHaveLength(1);
    });
  });
});
