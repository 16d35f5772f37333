/**
 * What a PostgreSQL server may send while it is asked by the simple protocol. The client trusts the lengths and counts in it:
 * where they are wrong it would loop for ever, or throw where nobody catches. So it is given no message that was not checked.
 */

/** What was sent can't be read. The text says why. */
export class UnreadableAnswer extends Error {}

/** The letter, and the length of the message without it. */
const HEADER_BYTES = 5;
const LEAST_LENGTH = 4;
/** No message that the canary asks for has a tenth of that. */
const MOST_LENGTH = 4_000_000;

/** A healthy answer for 10,000 agents has 4 MB. */
const MAX_ANSWER_BYTES = 64_000_000;
/** The client keeps some 140 bytes of memory for each value, also for an empty one, and for each row. */
const MAX_ANSWER_VALUES = 2_000_000;

const DATA_ROW = "D".charCodeAt(0);
const NOTHING = Buffer.alloc(0);

/** The letters of the messages that may come, beside rows. Copies and prepared statements are not asked for. */
const LETTERS = { "signing in": "REN", starting: "SKZEN", answering: "TCIZENSA" } as const;
/** Those that begin or end an answer. An error may also come by itself, before the server closes. */
const ANSWERS = "TCI";

interface Authentication {
  /** The kinds that may come before it; null where it may be the first. */
  readonly after: readonly (number | null)[];
  /** What it has of its own. */
  readonly data: RegExp;
}
/** Offers ways to sign in. */
const SASL = 10;
/** The kinds of authentication messages, by their numbers. The client answers each, some after much computing. */
const AUTHENTICATIONS: ReadonlyMap<number, Authentication> = new Map([
  [0, { after: [null, 3, 5, 12], data: /^$/ }],
  [3, { after: [null], data: /^$/ }],
  [5, { after: [null], data: /^.{4}$/s }],
  [SASL, { after: [null], data: /^(.+\0)?SCRAM-SHA-256\0/s }],
  // A million rounds keep the process busy for a second. Servers ask for 4,096.
  [11, { after: [SASL], data: /^r=[!-+\--~]+,s=[A-Za-z0-9+/]+={0,2},i=(1000000|[1-9]\d{0,5})$/ }],
  [12, { after: [11], data: /^v=[A-Za-z0-9+/]+={0,2}$/ }],
]);

/** @throws UnreadableAnswer where the first one asks for what the client does not have */
function isNextAuthentication(before: number | null, kind: number, data: string): boolean {
  const known = AUTHENTICATIONS.get(kind);
  if (before === null && known === undefined)
    throw new UnreadableAnswer(
      `the server asks for an authentication that the canary does not know (${kind}): have it ask for scram-sha-256 in pg_hba.conf`,
    );
  const isNext = known?.after.includes(before) === true && known.data.test(data);
  if (before === null && kind === SASL && !isNext)
    throw new UnreadableAnswer(
      "the server offers no SCRAM-SHA-256 to sign in by: have it ask for scram-sha-256 in pg_hba.conf",
    );
  return isNext;
}

/** Skips texts that end with a zero. @returns the place behind them; -1 where they are not there */
function behindTexts(body: Buffer, from: number, count: number): number {
  let at = from;
  for (let i = 0; i < count; i += 1) {
    const end = body.indexOf(0, at);
    if (end < 0) return -1;
    at = end + 1;
  }
  return at;
}

/** What a column's description has behind its name. */
const COLUMN_BYTES = 18;

/** Counts the columns that are described; null where they are not all there, or more than they. */
function columnsOf(body: Buffer): number | null {
  if (body.length < 2) return null;
  const count = body.readUInt16BE(0);
  let at = 2;
  for (let i = 0; i < count; i += 1) {
    const behind = behindTexts(body, at, 1);
    if (behind < 0) return null;
    at = behind + COLUMN_BYTES;
  }
  return at === body.length ? count : null;
}

/** Whether each field of an error or a notice is there whole. */
function hasFields(body: Buffer): boolean {
  let at = 0;
  while (at >= 0 && at < body.length && body[at] !== 0) at = behindTexts(body, at + 1, 1);
  return at >= 0 && at === body.length - 1;
}

/** Reads four bytes as a signed number. There are many of them, and Node's own function looks more closely. */
const int32At = (bytes: Buffer, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;

/** Whether a row has that many values, and is as long as they say. */
function isRow(bytes: Buffer, from: number, end: number, columns: number): boolean {
  if (end - from < 2 || bytes.readUInt16BE(from) !== columns) return false;
  let at = from + 2;
  for (let i = 0; i < columns; i += 1) {
    if (at + 4 > end) return false;
    const length = int32At(bytes, at);
    if (length < -1) return false;
    at += length === -1 ? 4 : 4 + length;
  }
  return at === end;
}

/** Whether what is in a message adds up, by its letter. Authentications, descriptions and rows have more to them. */
const SOUND: Readonly<Record<string, (body: Buffer) => boolean>> = {
  S: (body) => behindTexts(body, 0, 2) === body.length,
  K: (body) => body.length === 8,
  N: hasFields,
  E: hasFields,
  A: (body) => behindTexts(body, 4, 2) === body.length,
  C: (body) => behindTexts(body, 0, 1) === body.length,
  I: (body) => body.length === 0,
  Z: (body) => /^[ITE]$/.test(body.toString("latin1")),
};

/** Which messages have come, and so which may come next. */
function conversation() {
  let phase: keyof typeof LETTERS = "signing in";
  let authentication: number | null = null;
  /** Of the rows that come; null where none may. */
  let columns: number | null = null;
  /** How many texts have no answer yet, and whether there is something of the first one's. */
  let due = 0;
  let isAnswered = false;

  function isAuthentication(body: Buffer): boolean {
    if (body.length < 4) return false;
    const before = authentication;
    authentication = body.readUInt32BE(0);
    if (authentication === 0) phase = "starting";
    return isNextAuthentication(before, authentication, body.toString("latin1", 4));
  }
  function isDescription(body: Buffer): boolean {
    const isExpected = columns === null;
    columns = columnsOf(body);
    return isExpected && columns !== null;
  }
  /** The server is ready for the next text, or, for the first time, for any. */
  function isEnd(): boolean {
    const isExpected = phase === "starting" || (isAnswered && due > 0 && columns === null);
    if (phase === "answering") due -= 1;
    phase = "answering";
    isAnswered = false;
    return isExpected;
  }
  function isSound(letter: string, body: Buffer): boolean {
    if (letter === "R") return isAuthentication(body);
    if (letter === "T") return isDescription(body);
    if (letter === "Z" && !isEnd()) return false;
    if ("CIE".includes(letter)) {
      columns = null;
      isAnswered = true;
    }
    return SOUND[letter]!(body);
  }
  return {
    ask(texts: number) {
      due = texts;
    },
    mayCome(code: number): boolean {
      if (code === DATA_ROW) return columns !== null;
      const letter = String.fromCharCode(code);
      return LETTERS[phase].includes(letter) && (due > 0 || !ANSWERS.includes(letter));
    },
    /** @returns how many values it brings, at least one; null where what is in it does not add up */
    valuesOf(bytes: Buffer, at: number, end: number): number | null {
      const from = at + HEADER_BYTES;
      if (bytes[at] === DATA_ROW) return isRow(bytes, from, end, columns!) ? columns! + 1 : null;
      const letter = String.fromCharCode(bytes[at]!);
      return isSound(letter, bytes.subarray(from, end)) ? (columns ?? 0) + 1 : null;
    },
  };
}

export interface Frames {
  /** So many texts are sent, each of which gets an answer. All these together may be as large as any. */
  ask(texts: number): void;
  /**
   * Takes what the server sends, in whatever pieces.
   * @returns the messages that are whole now
   * @throws UnreadableAnswer where a message is none, or too much was sent
   */
  take(chunk: Buffer): Buffer;
}

function wrongMessage(code: number, length: number, why: string): UnreadableAnswer {
  const letter = String.fromCharCode(code);
  const named = /\w/.test(letter) ? letter : `byte ${code}`;
  return new UnreadableAnswer(
    `what the server sends is no PostgreSQL protocol (${named} of ${length} bytes: ${why})`,
  );
}

/** Checks what a server sends on one connection, from its beginning on. */
export function frames(): Frames {
  const { ask, mayCome, valuesOf } = conversation();
  let bytesLeft = MAX_ANSWER_BYTES;
  let valuesLeft = MAX_ANSWER_VALUES;
  let isGreeted = false;
  /** What is not whole yet, and how many bytes of it say more than these. */
  let parts: Buffer[] = [];
  let partsBytes = 0;
  let needed = HEADER_BYTES;

  function refuse(code: number, length: number, why: string): never {
    throw isGreeted
      ? wrongMessage(code, length, why)
      : new UnreadableAnswer("what answers there is no PostgreSQL");
  }

  /** @returns the place behind the message; null where its end is not there yet */
  function endOf(bytes: Buffer, at: number): number | null {
    const code = bytes[at]!;
    const length = int32At(bytes, at + 1);
    if (!mayCome(code)) refuse(code, length, "nothing of the kind may come there");
    if (length < LEAST_LENGTH || length > MOST_LENGTH) refuse(code, length, "none has that length");
    const end = at + 1 + length;
    if (end > bytes.length) return null;
    const values = valuesOf(bytes, at, end) ?? refuse(code, length, "what is in it does not add up");
    isGreeted = true;
    valuesLeft -= values;
    if (valuesLeft < 0) throw new UnreadableAnswer(`the answer has more than ${MAX_ANSWER_VALUES} values`);
    return end;
  }

  return {
    ask(texts) {
      ask(texts);
      bytesLeft = MAX_ANSWER_BYTES;
      valuesLeft = MAX_ANSWER_VALUES;
    },
    take(chunk) {
      bytesLeft -= chunk.length;
      if (bytesLeft < 0)
        throw new UnreadableAnswer(`the answer is larger than ${MAX_ANSWER_BYTES / 1_000_000} MB`);
      parts.push(chunk);
      partsBytes += chunk.length;
      if (partsBytes < needed) return NOTHING;
      const bytes = parts.length === 1 ? chunk : Buffer.concat(parts, partsBytes);
      let at = 0;
      needed = HEADER_BYTES;
      while (bytes.length - at >= HEADER_BYTES) {
        const end = endOf(bytes, at);
        if (end === null) {
          needed = 1 + int32At(bytes, at + 1);
          break;
        }
        at = end;
      }
      parts = at < bytes.length ? [bytes.subarray(at)] : [];
      partsBytes = bytes.length - at;
      return bytes.subarray(0, at);
    },
  };
}
