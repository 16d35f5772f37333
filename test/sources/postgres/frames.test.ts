/** What a server sends is handed on unchanged, message by message, or refused; in whatever pieces it comes. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { frames } from "../../../shared/sources/postgres/frames.ts";
import {
  authentication,
  columns,
  complaint,
  complete,
  greeting,
  message,
  parameter,
  ready,
  row,
  transaction,
} from "../../support/postgres-messages.ts";

const CONVERSATION = [...greeting(), ...transaction(), ...transaction()];
const QUESTIONS = 8;
const GREETED = Buffer.concat(greeting());

/** @returns what is handed on of these pieces, and why the rest is not */
function taken(pieces: readonly Buffer[]): { readonly passed: Buffer; readonly error: string | null } {
  const { take, ask } = frames();
  ask(QUESTIONS);
  const passed: Buffer[] = [];
  try {
    for (const piece of pieces) passed.push(take(piece));
  } catch (error) {
    return { passed: Buffer.concat(passed), error: (error as Error).message };
  }
  return { passed: Buffer.concat(passed), error: null };
}

/** Cuts bytes at these places. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end));
}
const cuts = fc.array(fc.nat(), { maxLength: 40 });

test("a sound conversation is handed on whole, cut wherever", () => {
  const bytes = Buffer.concat(CONVERSATION);
  const inBytes = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
  expect(taken(inBytes)).toEqual({ passed: bytes, error: null });
  fc.assert(
    fc.property(cuts, (places) => {
      expect(taken(pieces(bytes, places))).toEqual({ passed: bytes, error: null });
    }),
  );
});

test("each piece that is handed on ends with a message", () => {
  const bytes = Buffer.concat(CONVERSATION);
  const ends = new Set(CONVERSATION.map((_, i) => Buffer.concat(CONVERSATION.slice(0, i + 1)).length));
  fc.assert(
    fc.property(cuts, (places) => {
      const { take, ask } = frames();
      ask(QUESTIONS);
      let passed = 0;
      for (const piece of pieces(bytes, places)) {
        passed += take(piece).length;
        expect(passed === 0 || ends.has(passed)).toBe(true);
      }
    }),
  );
});

test("what is corrupt is refused for the same reason in whatever pieces it comes, and what came before it is handed on", () => {
  const sound = Buffer.concat(CONVERSATION);
  const change = fc.record({ at: fc.nat({ max: sound.length - 1 }), byte: fc.nat({ max: 255 }) });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 5 }), cuts, (changes, places) => {
      const bytes = Buffer.from(sound);
      for (const { at, byte } of changes) bytes[at] = byte;
      const whole = taken([bytes]);
      const cut = taken(pieces(bytes, places));
      expect(cut.error).toBe(whole.error);
      expect(bytes.subarray(0, cut.passed.length).equals(cut.passed)).toBe(true);
    }),
  );
});

const SASL = authentication(10, "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
const ROW = Buffer.concat([GREETED, columns(["a", "b"])]);
const NO_PROTOCOL = /^what the server sends is no PostgreSQL protocol \(/;

test.each<[string, Buffer[]]>([
  ["a password in the clear", [authentication(3)]],
  ["a hashed one", [authentication(5, "salt")]],
  ["SCRAM", [SASL, authentication(11, "r=a!b,s=c2FsdA==,i=4096"), authentication(12, "v=c2ln")]],
])("%s may be asked for", (_, asked) => {
  const bytes = Buffer.concat([...asked, ...greeting()]);
  expect(taken([bytes])).toEqual({ passed: bytes, error: null });
});

test.each<[string, RegExp, Buffer[]]>([
  ["HTTP", /^what answers there is no PostgreSQL$/, [Buffer.from("HTTP/1.1 400 Bad Request\r\n")]],
  ["an authentication that nobody knows", /does not know \(7\): .*scram-sha-256/, [authentication(7)]],
  ["a server that proves nothing after SCRAM", NO_PROTOCOL, [SASL, authentication(0)]],
  ["a second challenge", NO_PROTOCOL, [SASL, ...[1, 2].map(() => authentication(11, "r=a,s=c2Fs,i=1"))]],
  ["a second password", NO_PROTOCOL, [authentication(3), authentication(3)]],
  ["no mechanism that the client has", /offers no SCRAM-SHA-256 /, [authentication(10, "OAUTHBEARER\0\0")]],
  ["rows before the greeting ends", NO_PROTOCOL, [authentication(0), columns(["a"])]],
  ["a greeting after the greeting", NO_PROTOCOL, [GREETED, authentication(0)]],
  ["an end without an answer", NO_PROTOCOL, [GREETED, ready()]],
  [
    "more answers than questions",
    NO_PROTOCOL,
    [GREETED, ...Array.from({ length: QUESTIONS + 1 }, () => Buffer.concat([complete("SET"), ready()]))],
  ],
  ["a second description", NO_PROTOCOL, [ROW, columns(["a"])]],
  ["an end amid rows", NO_PROTOCOL, [ROW, ready()]],
  [
    "a value of a negative length",
    NO_PROTOCOL,
    [ROW, message("D", [Buffer.from([0, 2, 255, 255, 255, 254])])],
  ],
  [
    "a value that ends behind its row",
    NO_PROTOCOL,
    [ROW, message("D", [Buffer.from([0, 2, 0, 0, 0, 9, 0])])],
  ],
  ["a row with something behind its values", NO_PROTOCOL, [ROW, row(["1", "2", "3"], 2)]],
  ["a description with something behind it", NO_PROTOCOL, [GREETED, columns(["a", "b"], 1)]],
  ["a parameter without a value", NO_PROTOCOL, [GREETED, message("S", [Buffer.from("a\0")])]],
  ["a notice without an end", NO_PROTOCOL, [GREETED, message("N", [Buffer.from("Mx\0")])]],
  ["a message that would fill the memory", NO_PROTOCOL, [GREETED, message("C", [], 2 ** 31 - 1)]],
])("%s is refused", (_, why, sent) => {
  expect(taken([Buffer.concat(sent)]).error).toMatch(why);
});

test("what is refused is named by its letter and its length, or by its byte", () => {
  const why = (sent: Buffer) => taken([GREETED, sent]).error;
  expect(why(message("C", [Buffer.from("SELECT 1")]))).toBe(
    "what the server sends is no PostgreSQL protocol (C of 12 bytes: what is in it does not add up)",
  );
  expect(why(message("\x1b"))).toContain("(byte 27 of 4 bytes: nothing of the kind may come there)");
});

test("errors, notices and settings may come at any time, and no message at all is an answer", () => {
  const bytes = Buffer.concat([
    ...[complaint("N", { M: "a notice" }), ...greeting(), parameter("TimeZone", "UTC"), complaint("N", {})],
    ...[columns(["a"]), row(["1"]), complaint("E", { S: "ERROR", C: "57014", M: "cancelled" }), ready("E")],
    ...[message("I"), ready("I"), complaint("E", { S: "FATAL", C: "57P01", M: "shutdown" })],
  ]);
  expect(taken([bytes])).toEqual({ passed: bytes, error: null });
});

test("an answer of many values or bytes is refused before it fills the memory, and the next question has the same room", () => {
  const empty = row(Array.from({ length: 1_000 }, () => ""));
  const rows = Buffer.concat(Array.from({ length: 100 }, () => empty));
  const { take, ask } = frames();
  ask(1);
  take(Buffer.concat([GREETED, columns(Array.from({ length: 1_000 }, () => "c"))]));
  const fill = () => {
    for (let i = 0; i < 30; i += 1) take(rows);
  };
  expect(fill).toThrow("the answer has more than 2000000 values");
  ask(1);
  expect(() => take(rows)).not.toThrow();
  const large = Buffer.concat([complete("X".repeat(1_000_000))]);
  expect(() => {
    for (let i = 0; i < 64; i += 1) take(large);
  }).toThrow("the answer is larger than 64 MB");
});
