import { afterEach, describe, expect, test, vi } from "vitest";
import { type Alert, type Channel, makeAlert, type Pending } from "../../shared/alerts/alert.ts";
import { NotDelivered, type Senders } from "../../shared/alerts/channels/channel.ts";
import { deliver, GIVE_UP_AFTER_MS, isDue, pending } from "../../shared/alerts/outbox.ts";
import { oneByOne } from "../support/alert.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const START_MS = Date.parse("2026-11-23T10:00:00.000Z");

/** One whose key ends with a kind is of that kind. */
const alertOf = (key: string): Alert =>
  makeAlert(
    {
      key,
      kind: key.endsWith("recovered") ? "recovered" : "broke",
      environment: "test",
      invariantId: "S-02",
      title: "Slot overbooking",
      severity: "critical",
      summary: "1 slot above the cap across 1 agent: alpha",
      lines: [],
      runbook: null,
      context: [],
      statusUrl: null,
    },
    (text) => text,
  );

/** How a channel answers: "ok" takes, an error refuses, a number takes so many ms and takes. */
type Answer = "ok" | number | NotDelivered | Error;
const down = () => new NotDelivered("HTTP 500");
const refused = () => new NotDelivered("HTTP 400", { refused: true });
const pauseFor = (ms: number) => new NotDelivered("HTTP 429", { retryAfterMs: ms });

/** An outbox with its channels, delivered whenever the story says so; what waits goes through JSON, as in the store. */
function office(channels: readonly Channel[] = ["slack"]) {
  let nowMs = START_MS;
  let outbox: readonly Pending[] = [];
  let tried: string[] = [];
  const answers = new Map<string, Answer>();
  const configured = new Set(channels);
  const senders = (): Senders =>
    Object.fromEntries(
      [...configured].map((channel) => [
        channel,
        oneByOne(async ({ key }) => {
          tried.push(`${channel} ${key}`);
          const answer = answers.get(`${channel} ${key}`) ?? answers.get(channel) ?? "ok";
          if (typeof answer === "number") nowMs += answer;
          else if (answer !== "ok") throw answer;
        }),
      ]),
    );
  return {
    /** Alerts come in, and wait for the channels that are configured. */
    gets(...keys: string[]) {
      outbox = [...outbox, ...keys.map((key) => pending(alertOf(key), [...configured], nowMs))];
    },
    /** From now on that channel, or that channel for that alert, answers so. */
    answers: (who: Channel | `${Channel} ${string}`, answer: Answer) => void answers.set(who, answer),
    loses: (channel: Channel) => void configured.delete(channel),
    wait(ms: number) {
      nowMs += ms;
    },
    /** @returns what was tried, in order */
    async delivers(withinMs = 12 * SECOND_MS) {
      tried = [];
      const due = isDue(outbox, nowMs);
      const delivery = await deliver(outbox, senders(), () => nowMs, nowMs + withinMs);
      if (!due) expect([tried, delivery.dropped]).toEqual([[], []]);
      outbox = JSON.parse(JSON.stringify(delivery.outbox));
      return { ...delivery, tried, dropped: delivery.dropped.map((d) => `${d.channel} ${d.alert.key}`) };
    },
    waiting: () =>
      outbox.flatMap(({ alert, channels: left }) =>
        Object.keys(left).map((channel) => `${channel} ${alert.key}`),
      ),
    isDue: () => isDue(outbox, nowMs),
  };
}

afterEach(() => {
  vi.useRealTimers();
});

describe("what waits is reported", () => {
  test("oldest first, and then it is over", async () => {
    const it = office();
    it.gets("a", "b");
    it.wait(MINUTE_MS);
    it.gets("c");
    expect(await it.delivers()).toMatchObject({
      tried: ["slack a", "slack b", "slack c"],
      delivered: 3,
      outbox: [],
      dropped: [],
      failures: [],
    });
    expect(it.isDue()).toBe(false);
    expect((await it.delivers()).tried).toEqual([]);
  });

  test("each channel is reported each alert once, and counts by itself", async () => {
    const it = office(["slack", "sns"]);
    it.gets("a", "b");
    const { tried, delivered } = await it.delivers();
    expect(tried.filter((t) => t.startsWith("slack"))).toEqual(["slack a", "slack b"]);
    expect(tried.filter((t) => t.startsWith("sns"))).toEqual(["sns a", "sns b"]);
    expect(delivered).toBe(4);
  });

  test("an alert is the same in each attempt, key and all", async () => {
    const sent: Alert[] = [];
    let nowMs = START_MS;
    let outbox: readonly Pending[] = [pending(alertOf("a"), ["slack"], nowMs)];
    const slack = oneByOne(async (alert) => {
      sent.push(alert);
      throw down();
    });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      ({ outbox } = await deliver(outbox, { slack }, () => nowMs, nowMs + SECOND_MS));
      nowMs += HOUR_MS;
    }
    expect(sent).toEqual([alertOf("a"), alertOf("a"), alertOf("a")]);
  });

  test("an empty outbox does nothing", async () => {
    const it = office();
    expect(it.isDue()).toBe(false);
    expect(await it.delivers()).toMatchObject({ tried: [], delivered: 0, outbox: [] });
  });

  test("what it is given is not changed: only what it gives back is to be remembered", async () => {
    const outbox = [pending(alertOf("a"), ["slack", "sns"], START_MS)];
    const before = structuredClone(outbox);
    const slack = oneByOne(async () => {});
    const { outbox: after } = await deliver(outbox, { slack }, () => START_MS, START_MS + SECOND_MS);
    expect(outbox).toEqual(before);
    expect(after).not.toEqual(before);
  });
});

describe("a channel that is down", () => {
  test("is left alone after the first failure, and everything waits in order", async () => {
    const it = office();
    it.gets("a", "b", "c");
    it.answers("slack", down());
    expect(await it.delivers()).toMatchObject({ tried: ["slack a"], delivered: 0, failures: ["HTTP 500"] });
    expect(it.waiting()).toEqual(["slack a", "slack b", "slack c"]);
    it.answers("slack", "ok");
    it.wait(5 * MINUTE_MS);
    expect((await it.delivers()).tried).toEqual(["slack a", "slack b", "slack c"]);
  });

  test("stops only itself: the other one gets its alerts, once", async () => {
    const it = office(["slack", "sns"]);
    it.gets("a", "b");
    it.answers("slack", down());
    const { tried, delivered } = await it.delivers();
    expect(tried.sort()).toEqual(["slack a", "sns a", "sns b"]);
    expect(delivered).toBe(2);
    expect(it.waiting()).toEqual(["slack a", "slack b"]);
    it.wait(5 * MINUTE_MS);
    expect((await it.delivers()).tried).toEqual(["slack a"]);
    it.answers("slack", "ok");
    it.wait(5 * MINUTE_MS);
    expect((await it.delivers()).tried).toEqual(["slack a", "slack b"]);
    expect(it.waiting()).toEqual([]);
  });

  test("goes down half way: what it took is over, the rest waits", async () => {
    const it = office();
    it.gets("a", "b", "c");
    it.answers("slack b", down());
    expect(await it.delivers()).toMatchObject({ tried: ["slack a", "slack b"], delivered: 1 });
    expect(it.waiting()).toEqual(["slack b", "slack c"]);
  });

  test("holds back new alerts too, until the one that failed is tried again", async () => {
    const it = office();
    it.answers("slack", down());
    it.gets("a");
    await it.delivers();
    it.wait(59 * SECOND_MS);
    it.gets("b");
    it.answers("slack", "ok");
    expect(it.isDue()).toBe(false);
    expect((await it.delivers()).tried).toEqual([]);
    it.wait(SECOND_MS);
    expect(it.isDue()).toBe(true);
    expect((await it.delivers()).tried).toEqual(["slack a", "slack b"]);
  });

  test("does not make the other one wait for it to be due", async () => {
    const it = office(["slack", "sns"]);
    it.answers("slack", down());
    it.gets("a");
    await it.delivers();
    it.gets("b");
    expect(it.isDue()).toBe(true);
    expect((await it.delivers()).tried).toEqual(["sns b"]);
  });

  test("is tried after 1, 2, 4 … minutes, and at least once an hour", async () => {
    const it = office();
    it.answers("slack", down());
    it.gets("a");
    const pauses = [1, 2, 4, 8, 16, 32, 60, 60, 60];
    expect((await it.delivers()).tried).toEqual(["slack a"]);
    for (const minutes of pauses) {
      it.wait(minutes * MINUTE_MS - 1);
      expect([minutes, it.isDue(), (await it.delivers()).tried]).toEqual([minutes, false, []]);
      it.wait(1);
      expect([minutes, it.isDue(), (await it.delivers()).tried]).toEqual([minutes, true, ["slack a"]]);
    }
  });

  test("is tried soon again once it took something: the next failure starts at one minute", async () => {
    const it = office();
    it.answers("slack", down());
    it.gets("a");
    await it.delivers();
    it.wait(HOUR_MS);
    await it.delivers();
    it.wait(HOUR_MS);
    it.gets("b");
    it.answers("slack a", "ok");
    expect((await it.delivers()).tried).toEqual(["slack a", "slack b"]);
    it.wait(MINUTE_MS);
    expect((await it.delivers()).tried).toEqual(["slack b"]);
  });

  test("asked for a pause: it is left alone for as long, new alerts as well", async () => {
    const it = office(["slack", "sns"]);
    it.answers("slack", pauseFor(10 * MINUTE_MS));
    it.gets("a");
    await it.delivers();
    it.answers("slack", "ok");
    it.wait(10 * MINUTE_MS - 1);
    it.gets("b");
    expect((await it.delivers()).tried).toEqual(["sns b"]);
    it.wait(1);
    expect((await it.delivers()).tried).toEqual(["slack a", "slack b"]);
  });

  test("asked for a shorter pause than it would get anyway: it gets that", async () => {
    const it = office();
    it.answers("slack", pauseFor(SECOND_MS));
    it.gets("a");
    await it.delivers();
    it.wait(59 * SECOND_MS);
    expect((await it.delivers()).tried).toEqual([]);
    it.wait(SECOND_MS);
    expect((await it.delivers()).tried).toEqual(["slack a"]);
  });

  test("fails with an error that nobody foresaw: it counts as down, and its text is kept to ourselves", async () => {
    const it = office();
    it.gets("a", "b");
    it.answers("slack", new Error("https://hooks.slack.com/services/T0/B0/secret"));
    const { tried, failures } = await it.delivers();
    expect(tried).toEqual(["slack a"]);
    expect(failures.join()).not.toContain("secret");
    expect(it.waiting()).toEqual(["slack a", "slack b"]);
  });

  test("does not answer: it is cut off after five seconds, told so, and counts as down", async () => {
    vi.useFakeTimers({ now: START_MS });
    let signal: AbortSignal | undefined;
    const slack = oneByOne((_, given) => {
      signal = given;
      return new Promise(() => {});
    });
    const outbox = ["a", "b"].map((key) => pending(alertOf(key), ["slack"], START_MS));
    const delivery = deliver(outbox, { slack }, Date.now, START_MS + 12 * SECOND_MS);
    await vi.advanceTimersByTimeAsync(5 * SECOND_MS);
    const { failures, delivered, outbox: left } = await delivery;
    expect({ failures, delivered, waits: left.length }).toEqual({
      failures: ["slack: no answer in time"],
      delivered: 0,
      waits: 2,
    });
    expect(signal?.aborted).toBe(true);
  });

  test("does not answer: the other one has got everything before that is known", async () => {
    vi.useFakeTimers({ now: START_MS });
    const told: string[] = [];
    const senders: Senders = {
      slack: oneByOne(() => new Promise(() => {})),
      sns: oneByOne(async ({ key }) => told.push(key)),
    };
    const outbox = ["a", "b"].map((key) => pending(alertOf(key), ["slack", "sns"], START_MS));
    const delivery = deliver(outbox, senders, Date.now, START_MS + 12 * SECOND_MS);
    await vi.advanceTimersByTimeAsync(0);
    expect(told).toEqual(["a", "b"]);
    await vi.advanceTimersByTimeAsync(5 * SECOND_MS);
    expect((await delivery).delivered).toBe(2);
  });

  test("does not answer, and less than five seconds are left: it is cut off when they are over", async () => {
    vi.useFakeTimers({ now: START_MS });
    const slack = oneByOne(() => new Promise(() => {}));
    const outbox = [pending(alertOf("a"), ["slack"], START_MS)];
    const delivery = deliver(outbox, { slack }, Date.now, START_MS + SECOND_MS);
    await vi.advanceTimersByTimeAsync(SECOND_MS);
    expect((await delivery).outbox).toHaveLength(1);
    expect(Date.now()).toBe(START_MS + SECOND_MS);
  });
});

describe("an alert that a channel refuses for what it is (HTTP 400)", () => {
  test("does not hold back those behind it, and is tried again later", async () => {
    const it = office();
    it.gets("bad", "b", "c");
    it.answers("slack bad", refused());
    expect(await it.delivers()).toMatchObject({
      tried: ["slack bad", "slack b", "slack c"],
      delivered: 2,
      failures: ["HTTP 400"],
    });
    expect(it.waiting()).toEqual(["slack bad"]);
    expect((await it.delivers()).tried).toEqual([]);
    it.gets("d");
    expect((await it.delivers()).tried).toEqual(["slack d"]);
    it.wait(MINUTE_MS);
    expect((await it.delivers()).tried).toEqual(["slack bad"]);
  });

  test("is tried less and less often, and others pass it all the while", async () => {
    const it = office();
    it.gets("bad");
    it.answers("slack bad", refused());
    await it.delivers();
    for (const minutes of [1, 2, 4, 8, 16, 32, 60, 60]) {
      it.wait(minutes * MINUTE_MS - 1);
      it.gets(`after ${minutes}`);
      expect((await it.delivers()).tried).toEqual([`slack after ${minutes}`]);
      it.wait(1);
      expect((await it.delivers()).tried).toEqual(["slack bad"]);
    }
  });

  test("is refused by one channel only: the other has it, and does not get it twice", async () => {
    const it = office(["slack", "sns"]);
    it.gets("bad");
    it.answers("slack bad", refused());
    expect((await it.delivers()).delivered).toBe(1);
    it.wait(MINUTE_MS);
    expect((await it.delivers()).tried).toEqual(["slack bad"]);
  });
});

describe("a page that is refused, and its end", () => {
  const paged = () => office(["pagerduty"]);

  test("the end waits for it: what was never opened is not closed", async () => {
    const it = paged();
    it.gets("1 broke", "1 recovered");
    it.answers("pagerduty 1 broke", refused());
    expect((await it.delivers()).tried).toEqual(["pagerduty 1 broke"]);
    it.answers("pagerduty 1 broke", "ok");
    it.wait(MINUTE_MS);
    expect((await it.delivers()).tried).toEqual(["pagerduty 1 broke", "pagerduty 1 recovered"]);
  });

  test("the next red pages all the same, and what was before it is given up: it would close the page", async () => {
    const it = paged();
    it.gets("1 broke", "1 recovered");
    it.answers("pagerduty 1 broke", refused());
    await it.delivers();
    it.gets("2 broke");
    expect(await it.delivers()).toMatchObject({
      tried: ["pagerduty 2 broke"],
      dropped: ["pagerduty 1 broke", "pagerduty 1 recovered"],
      outbox: [],
    });
  });
});

describe("what nobody took for a day", () => {
  test("is given up at 24 h, to the millisecond, and counted with its channel", async () => {
    expect(GIVE_UP_AFTER_MS).toBe(DAY_MS);
    const it = office();
    it.answers("slack", down());
    it.gets("a");
    await it.delivers();
    it.wait(DAY_MS - 1);
    expect(await it.delivers()).toMatchObject({ tried: ["slack a"], dropped: [] });
    it.wait(1);
    expect(it.isDue()).toBe(true);
    expect(await it.delivers()).toMatchObject({ tried: [], delivered: 0, dropped: ["slack a"], outbox: [] });
    expect(it.isDue()).toBe(false);
  });

  test("is given up for the channel that did not take it, while newer ones still wait", async () => {
    const it = office(["slack", "sns"]);
    it.answers("slack", down());
    it.gets("a");
    await it.delivers();
    it.wait(DAY_MS - MINUTE_MS);
    it.gets("b");
    await it.delivers();
    it.wait(MINUTE_MS);
    expect((await it.delivers()).dropped).toEqual(["slack a"]);
    expect(it.waiting()).toEqual(["slack b"]);
  });

  test("is given up on both channels: counted twice", async () => {
    const it = office(["slack", "sns"]);
    it.answers("slack", down());
    it.answers("sns", down());
    it.gets("a");
    await it.delivers();
    it.wait(DAY_MS);
    expect((await it.delivers()).dropped.sort()).toEqual(["slack a", "sns a"]);
  });

  test("is given up even while the channel is to be left alone, and when no time is left", async () => {
    const it = office();
    it.answers("slack", pauseFor(3 * DAY_MS));
    it.gets("a");
    await it.delivers();
    it.wait(DAY_MS);
    expect((await it.delivers(0)).dropped).toEqual(["slack a"]);
  });

  test("waits for a channel that is no longer configured: it is given up too, and never told", async () => {
    const it = office(["slack", "sns"]);
    it.answers("slack", down());
    it.gets("a");
    await it.delivers();
    it.loses("slack");
    it.wait(5 * MINUTE_MS);
    const { tried, failures } = await it.delivers();
    expect(tried).toEqual([]);
    // Each cycle says so in its log, and what it comes to.
    expect(failures).toEqual([
      "slack: not configured any more, and 1 alert waits for it: configure it again, or each is given up when it is 24 h old",
    ]);
    it.wait(DAY_MS);
    expect(await it.delivers()).toMatchObject({ dropped: ["slack a"], failures: [] });
  });

  test("an outage of less than a day loses nothing", async () => {
    const it = office();
    it.answers("slack", down());
    it.gets("first");
    let cycles = 0;
    for (; cycles < 22 * 12; cycles += 1) {
      if (cycles % 24 === 0) it.gets(`alert ${cycles}`);
      expect((await it.delivers()).dropped).toEqual([]);
      it.wait(5 * MINUTE_MS);
    }
    it.answers("slack", "ok");
    const told: string[] = [];
    for (let more = 0; more < 14; more += 1) {
      told.push(...(await it.delivers()).tried);
      it.wait(5 * MINUTE_MS);
    }
    expect(told).toEqual(["slack first", ...Array.from({ length: 11 }, (_, i) => `slack alert ${i * 24}`)]);
  });
});

describe("the time that is left", () => {
  test("it stops when it is over: what was not tried waits as it was", async () => {
    const it = office();
    it.gets("a", "b", "c", "d");
    it.answers("slack", 4 * SECOND_MS);
    expect((await it.delivers()).tried).toEqual(["slack a", "slack b", "slack c"]);
    expect(it.waiting()).toEqual(["slack d"]);
    expect(it.isDue()).toBe(true);
    expect((await it.delivers()).tried).toEqual(["slack d"]);
  });

  test("none is left: nothing is tried, and nothing counts as failed", async () => {
    const it = office();
    it.gets("a");
    expect(await it.delivers(0)).toMatchObject({ tried: [], delivered: 0, failures: [] });
    expect((await it.delivers()).tried).toEqual(["slack a"]);
  });
});
