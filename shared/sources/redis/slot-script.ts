/** Reads slots by a read-only script: one command for many agents, which answers for each of them at one instant. */
import type { Redis } from "@upstash/redis";
import { SourceError } from "../../errors.ts";
import { DRAIN_PREFIX, isDrainSentinel, MAX_NAME_LENGTH } from "../../facts/facts.ts";
import {
  addSlot,
  addUnread,
  type Collected,
  failAgent,
  type HashAnswers,
  isReadableId,
  mostMembersOf,
} from "./collected.ts";
import { HASH_PREFIX, SLOTS_PREFIX } from "./keys.ts";
import { bytesOf, CHUNKS_AT_ONCE, type RedisAnswer } from "./requests.ts";
import { runScript } from "./scripts.ts";

/**
 * What a script may cost, in commands that it runs. Every other client waits meanwhile. A command in a script takes 4 to
 * 5.5 µs where its key is in no cache of the processor, so that the whole takes less than the 5 ms that are allowed. A single
 * set is read whole: one that holds more than 400 slots, which no agent should, takes longer, and 1,000 some 10 ms.
 */
const MAX_COST = 900;
/** Sets in one script: with two slots each they cost as much as a script may. */
export const MAX_SETS = 160;
/** Their names, in JSON. */
const MAX_BYTES = 500_000;
/** How many members of a set are read at first. Few agents may hold as many slots. */
const FIRST_MEMBERS = 32;

/**
 * KEYS: sets of slots. ARGV: what it may cost, the most members of a set, what a hash's life is asked by, and whether a set
 * with more members is read up to there ("cut") or left for later ("leave").
 *
 * It answers for as many of the sets as it may, one after the other, in fields: a letter, and with "=" and "!" a text as
 * `length:text`. A set is one of these:
 * - "!" and an error
 * - "+": it is left for later
 * - "=" and the number of members that follow, the size of the set (0 where all follow), and for each member its id, its
 *   score, its life and its timeout. Of a text that is no number only the beginning is sent; "-" is none.
 *
 * Numbers are written by %d, each length once, and the fields are joined at the end. Otherwise this took as long as the commands.
 */
const SCRIPT = `
local cost, most, life, isCut = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4] == 'cut'
local call, sub, format = redis.pcall, string.sub, string.format
local lengths = setmetatable({}, { __index = function(known, length)
  local text = format('%d:', length)
  known[length] = text
  return text
end })
local out, last = { '#' }, 1
local function put(kind, text)
  out[last + 1], out[last + 2], out[last + 3] = kind, lengths[#text], text
  last = last + 3
end
local function putLetter(kind)
  last = last + 1
  out[last] = kind
end
local function putAnswer(answer)
  local kind = type(answer)
  if kind == 'number' then put('=', format('%d', answer))
  elseif kind == 'string' then put('=', sub(answer, 1, 40))
  elseif kind == 'table' then put('!', sub(answer.err or 'no text', 1, 200))
  else putLetter('-') end
end
for i, key in ipairs(KEYS) do
  local flat = call('ZRANGE', key, 0, most, 'WITHSCORES')
  local count = flat.err and 0 or #flat / 2
  local isMore = count > most
  if isMore then count = isCut and most or 0 end
  cost = cost - 1 - count * 2.25
  if cost < 0 and i > 1 then break end
  if flat.err then
    put('!', sub(flat.err, 1, 200))
  elseif isMore and not isCut then
    putLetter('+')
  else
    put('=', format('%d', count))
    putAnswer(isMore and call('ZCARD', key) or 0)
    local prefix = '${HASH_PREFIX}' .. sub(key, ${SLOTS_PREFIX.length + 1}) .. ':'
    for n = 1, 2 * count, 2 do
      local id = flat[n]
      put('=', sub(id, 1, ${4 * MAX_NAME_LENGTH + 1}))
      put('=', flat[n + 1])
      if sub(id, 1, ${DRAIN_PREFIX.length}) == '${DRAIN_PREFIX}' then
        putLetter('-')
        putLetter('-')
      else
        local hash = prefix .. id
        putAnswer(call(life, hash))
        putAnswer(call('HGET', hash, 'timeout_seconds'))
      end
    end
  end
end
return table.concat(out)
`;

/** The fields of an answer, whose characters are bytes. The present one is valid until the next. */
class Fields {
  /** The letter of the present field. */
  kind = "";
  text = "";
  readonly #packed: string;
  #at = 1;

  constructor(packed: unknown) {
    if (typeof packed !== "string" || packed[0] !== "#")
      throw new SourceError("the answer to EVAL_RO is not that of the script");
    this.#packed = packed;
  }

  get hasMore(): boolean {
    return this.#at < this.#packed.length;
  }

  /** Goes to the next field. */
  next(): this {
    const [packed, at] = [this.#packed, this.#at];
    this.kind = packed[at] ?? "";
    this.text = "";
    this.#at += 1;
    if (this.kind === "-" || this.kind === "+") return this;
    const colon = packed.indexOf(":", at);
    const end = colon + 1 + Number(packed.slice(at + 1, colon));
    if (colon < 0 || !(end <= packed.length))
      throw new SourceError("the answer to EVAL_RO ends in the middle");
    this.text = packed.slice(colon + 1, end);
    this.#at = end;
    return this;
  }

  /** The next field as the answer to a command. */
  nextAnswer(): RedisAnswer {
    const { kind, text } = this.next();
    if (kind === "-") return { result: null };
    return kind === "=" ? { result: utf8(text) } : { error: utf8(text), result: null };
  }
}

const NOT_ASCII = /[\x80-\xff]/;
const utf8 = (bytes: string) => (NOT_ASCII.test(bytes) ? Buffer.from(bytes, "latin1").toString() : bytes);

interface Pass {
  readonly most: number;
  readonly isCut: boolean;
}

/** Takes what the script says of one agent. Returns whether the set is left for later. */
function takeSet(collected: Collected, agent: string, fields: Fields, { most }: Pass): boolean {
  const { kind, text } = fields.next();
  if (kind === "+") return true;
  if (kind !== "=") {
    failAgent(collected, agent, new SourceError(utf8(text)));
    return false;
  }
  const count = Number(text);
  const size = fields.nextAnswer();
  let unreadable = 0;
  for (let n = 0; n < count; n += 1) {
    const id = utf8(fields.next().text);
    const score = fields.next().text;
    const hash: HashAnswers = [fields.nextAnswer(), fields.nextAnswer()];
    if (!isReadableId(id)) unreadable += 1;
    else addSlot(collected, { agent, id }, score, isDrainSentinel(id) ? null : hash);
  }
  if (unreadable > 0) addUnread(collected, agent, { unreadable, beyond: 0 });
  if (size.error !== undefined) {
    // It may not be counted: there is at least one more.
    collected.unavailable.push(`redis.slots[${agent}]: ${size.error}`);
    addUnread(collected, agent, { unreadable: 0, beyond: 1 });
  } else if (Number(size.result) > 0)
    addUnread(collected, agent, { unreadable: 0, beyond: Math.max(1, Number(size.result) - most) });
  return false;
}

/** As many agents from there on as one script is given. */
function nextSlice(agents: readonly string[], from: number): string[] {
  let bytes = 0;
  const slice: string[] = [];
  for (const agent of agents.slice(from, from + MAX_SETS)) {
    bytes += bytesOf(agent) + SLOTS_PREFIX.length + 3;
    if (bytes > MAX_BYTES && slice.length > 0) break;
    slice.push(agent);
  }
  return slice;
}

/** Asks for these agents, each time from where the last script ended. Returns those whose sets are left for later. */
async function readInTurn(
  redis: Redis,
  collected: Collected,
  agents: readonly string[],
  pass: Pass,
): Promise<string[]> {
  const later: string[] = [];
  for (let from = 0; from < agents.length; ) {
    const keys = nextSlice(agents, from).map((agent) => SLOTS_PREFIX + agent);
    const limits = [MAX_COST, pass.most, collected.lifeCommand, pass.isCut ? "cut" : "leave"].map(String);
    const fields = new Fields(await runScript(redis, SCRIPT, keys, limits));
    const end = from + keys.length;
    const before = from;
    for (; fields.hasMore && from < end; from += 1)
      if (takeSet(collected, agents[from]!, fields, pass)) later.push(agents[from]!);
    if (from === before) throw new SourceError("the answer to EVAL_RO is empty");
  }
  return later;
}

/** Asks for the agents in a few rows side by side. */
async function readAll(redis: Redis, collected: Collected, agents: readonly string[], pass: Pass) {
  const rows = Math.min(CHUNKS_AT_ONCE, Math.ceil(agents.length / MAX_SETS));
  const size = Math.ceil(agents.length / Math.max(1, rows));
  const later = await Promise.all(
    Array.from({ length: rows }, (_, i) =>
      readInTurn(redis, collected, agents.slice(i * size, (i + 1) * size), pass),
    ),
  );
  return later.flat();
}

/**
 * Reads the slots of these agents into `collected`.
 * @throws ScriptRefused where the server runs no script; then nothing of `collected` is to be used
 */
export async function readByScript(
  redis: Redis,
  collected: Collected,
  agents: readonly string[],
): Promise<void> {
  const crowded = await readAll(redis, collected, agents, { most: FIRST_MEMBERS, isCut: false });
  const most = mostMembersOf(crowded);
  await readAll(redis, collected, crowded, { most, isCut: true });
}
