/** What a cycle makes of readers that are late, fail, or say something else. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { SourceError } from "../../../shared/errors.ts";
import type { DaemonOutcome } from "../../../shared/sources/docker/read.ts";
import { answerReader } from "../../../shared/sources/docker/reader.ts";
import { type ReaderCall, readerError } from "../../../shared/sources/docker/reader-call.ts";
import { outcomesIn } from "../../../shared/sources/docker/reader-wire.ts";
import { readByReaders } from "../../../shared/sources/docker/readers.ts";

const HOSTS = Array.from({ length: 12 }, (_, n) => `tcp://10.0.0.${n}:2376`);
const whole = (host: string, agent = "ruby"): DaemonOutcome => ({
  host,
  running: [{ agent, containerId: "c1", startedAtMs: 1, isPullMode: false, poolSize: null }],
  uninspected: [],
  processes: [{ agent, containerId: "c1", daemon: host, startedAt: "2026-11-23T08:00:00Z", zombiePids: [7] }],
  unlisted: [],
  nameless: 0,
  unavailable: [],
  notReached: 0,
  unfinished: null,
});

/** Reads twelve daemons, five by each reader at most. */
const readBy = (
  call: (hosts: readonly string[], event: ReaderCall) => Promise<unknown>,
  deadlineMs = 60_000,
) =>
  readByReaders({
    hosts: HOSTS,
    wanted: new Set(["zombies", "containers"]),
    unfinished: [{ daemon: "d", from: 3 }],
    deadlineMs,
    signal: new AbortController().signal,
    daemonsEach: 5,
    callReader: { call: (event) => call(event.read_docker.hosts, event) },
  });
const sound = (hosts: readonly string[]) => ({ daemons: hosts.map((host) => whole(host)) });

test("twelve daemons are shared out evenly among three readers, which get what they need to know", async () => {
  const events: ReaderCall[] = [];
  const read = await readBy(async (hosts, event) => {
    events.push(event);
    return JSON.parse(JSON.stringify(sound(hosts)));
  });
  expect(read).toEqual(HOSTS.map((host) => whole(host)));
  expect(events.map(({ read_docker }) => read_docker.hosts.length)).toEqual([4, 4, 4]);
  for (const { read_docker } of events)
    expect(read_docker).toMatchObject({
      wanted: ["zombies", "containers"],
      unfinished: [{ daemon: "d", from: 3 }],
    });
});

test.for<[string, () => Promise<unknown>, string]>([
  [
    "fails",
    () => Promise.reject(readerError({ errorType: "Runtime.ExitError" })),
    "its reader: it failed (Runtime.ExitError): its log says more",
  ],
  [
    "has no certificate that can be used",
    () => Promise.reject(readerError({ errorType: "ConfigError", errorMessage: "-----BEGIN" })),
    "its reader: its configuration can't be used: its log says more",
  ],
  [
    "has too much to say",
    () => Promise.reject(readerError({ errorType: "AnswerTooLong" })),
    "its reader: its answer is longer than a function may give: let each reader read fewer daemons",
  ],
  [
    "is not started",
    () => Promise.reject(new SourceError("it was not started: Lambda runs as many functions as it may")),
    "its reader: it was not started: Lambda runs as many functions as it may",
  ],
  ["is late", () => new Promise(() => {}), "its reader: no answer within 97 ms"],
  ["answers something else", async () => "rubbish", "the answer of its reader is not that of a reader"],
  ["answers nothing", async () => undefined, "the answer of its reader is not that of a reader"],
  [
    "answers for others",
    async () => sound(["tcp://10.9.9.9:1"]),
    "the answer of its reader is not that of a reader",
  ],
])("a reader that %s is so many unread daemons, and the others count", async ([, call, why]) => {
  const read = await readBy(
    (hosts) => (hosts.includes(HOSTS[1]!) ? call() : Promise.resolve(sound(hosts))),
    100,
  );
  const lost = read.filter((one) => "unread" in one);
  expect(lost).toEqual([1, 4, 7, 10].map((n) => ({ host: HOSTS[n], unread: why })));
  expect(read.filter((one) => "running" in one)).toHaveLength(8);
});

test("one daemon's impossible part spoils that daemon alone", () => {
  const [a, b] = ["tcp://a:1", "tcp://b:1"];
  const bad = {
    ...whole(b!),
    processes: [{ agent: "ruby", containerId: "c", startedAt: null, zombiePids: [-1] }],
  };
  expect(outcomesIn({ daemons: [whole(a!), bad] }, [a!, b!])).toEqual([
    whole(a!),
    { host: b, unread: "the answer of its reader is not that of a reader" },
  ]);
});

test("whatever an answer is, each daemon has one outcome, and a container is of the daemon that was asked", () => {
  const odd = fc.record({
    daemons: fc.array(
      fc.oneof(
        fc.anything(),
        fc.record({ host: fc.constantFrom(...HOSTS), unread: fc.anything() }),
        fc
          .constantFrom(...HOSTS)
          .map((host) => ({ ...whole(host), processes: [{ ...whole(HOSTS[0]!), daemon: "x" }] })),
        fc.constantFrom(...HOSTS).map((host) => whole(host)),
      ),
    ),
  });
  fc.assert(
    fc.property(fc.oneof(fc.anything(), odd), (answer) => {
      const outcomes = outcomesIn(answer, HOSTS);
      expect(outcomes.map(({ host }) => host)).toEqual(HOSTS);
      for (const one of outcomes)
        if ("processes" in one) expect(one.processes.every(({ daemon }) => daemon === one.host)).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test.for([
  ["nothing", undefined],
  ["a schedule", { source: "aws.scheduler" }],
  ["no daemon", { read_docker: { hosts: [], wanted: [], unfinished: [], answer_by: Date.now() + 1_000 } }],
  [
    "an address that is none",
    { read_docker: { hosts: ["http://169.254.169.254/"], wanted: [], unfinished: [], answer_by: 1 } },
  ],
])("a reader refuses what is no call: %s", async ([, event]) => {
  await expect(answerReader(event, {})).rejects.toThrow("this is not the call of a reader of Docker daemons");
});

test("a certificate without its key is an error of the configuration, which does not show the key", async () => {
  const event = { read_docker: { hosts: HOSTS, wanted: [], unfinished: [], answer_by: Date.now() + 60_000 } };
  const key = "-----BEGIN EC PRIVATE KEY-----\\nabcdef";
  await expect(answerReader(event, { DOCKER_TLS_KEY: key })).rejects.toMatchObject({
    name: "ConfigError",
    message: "DOCKER_TLS_CERT is missing: a client certificate needs its key, and a key its certificate",
  });
});

test("a call that comes when its answer was due begins nothing", async () => {
  const event = { read_docker: { hosts: HOSTS, wanted: [], unfinished: [], answer_by: Date.now() - 1 } };
  await expect(answerReader(event, {})).rejects.toThrow("the call came when its answer was due");
});
