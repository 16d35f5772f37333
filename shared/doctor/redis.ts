/** Redis: its release and clock, what its token may do, the heartbeat, and whether it is the platform's. */

import { randomUUID } from "node:crypto";
import type { Readings } from "../facts/facts.ts";
import { resultOf, stringsOf } from "../sources/redis/answers.ts";
import { POLL_PREFIX, SLOTS_PREFIX } from "../sources/redis/keys.ts";
import { DRAIN_TICK_KEY, openRedis, type RedisServer } from "../sources/redis/redis.ts";
import { addCommand, type RedisAnswer, send } from "../sources/redis/requests.ts";
import { plural } from "../text.ts";
import { formatDuration } from "../time.ts";
import { compareClocks } from "./clocks.ts";
import { addressText } from "./database.ts";
import { type Finding, note, ok, warning } from "./finding.ts";
import { billFinding } from "./redis-bill.ts";

const isRefused = ({ error }: RedisAnswer): boolean =>
  /NOPERM|no permissions|not allowed|forbidden/i.test(error ?? "");

/** Sends the commands in one pipeline. One that is refused does not touch the others. */
async function askAll(
  server: RedisServer,
  commands: readonly (readonly string[])[],
  signal: AbortSignal,
): Promise<RedisAnswer[]> {
  const pipeline = openRedis(server, signal).pipeline();
  for (const command of commands) addCommand(pipeline, command);
  return send(pipeline);
}

/** A key that nobody has: what is done to it changes nothing, whatever the token may do. */
const nobodysKey = (prefix: string) => `${prefix}canary-doctor-${randomUUID()}`;

/** The fields of INFO; none where it is refused. */
function infoOf(answer: RedisAnswer): ReadonlyMap<string, string> {
  const text = typeof answer.result === "string" ? answer.result : "";
  const fields = text.split(/\r?\n/).map((line) => line.split(":"));
  return new Map(
    fields.flatMap(([name, ...value]) => (name && value.length > 0 ? [[name, value.join(":")]] : [])),
  );
}

function releaseFinding(info: ReadonlyMap<string, string>): Finding {
  const version = info.get("redis_version");
  return version === undefined
    ? note("release", "Redis does not tell its release (INFO)")
    : ok("release", `Redis ${version}`);
}

/** Redis under memory pressure may drop slots and the heartbeat, which then look leaked. */
function evictionFindings(info: ReadonlyMap<string, string>): Finding[] {
  const evicted = Number(info.get("evicted_keys") ?? 0);
  if (!(evicted > 0)) return [];
  const policy = info.get("maxmemory_policy");
  return [
    warning(
      "evictions",
      `${plural(evicted, "key was", "keys were")} dropped for want of memory${policy ? ` (${policy})` : ""}: slots and the heartbeat may be among them`,
    ),
  ];
}

function keyFinding({ platformKeys, slots }: Readings, info: ReadonlyMap<string, string>): Finding[] {
  if (!platformKeys?.read) return [];
  const { hasSlotKey, hasHeartbeat } = platformKeys.value;
  if (hasSlotKey || hasHeartbeat) {
    const agents = slots?.read ? slots.value.byAgent.size : null;
    return agents === null ? [] : [ok("keys", `${plural(agents, "agent holds", "agents hold")} slots`)];
  }
  const databases = [...info].filter(([name]) => /^db\d+$/.test(name));
  const where = databases.map(([name, value]) => `${name} (${value.replace(/^keys=(\d+).*$/, "$1 keys")})`);
  return [
    warning(
      "keys",
      `no key of the platform (${SLOTS_PREFIX}*, ${DRAIN_TICK_KEY}): another Redis, another database number, or flushed${where.length > 0 ? `. This Redis has keys in ${where.join(", ")}` : ""}`,
    ),
  ];
}

/** What a month of these reads costs. Nothing is said where the slots could not be read. */
function billFindings(url: string, { slots, pullPolls }: Readings, info: ReadonlyMap<string, string>) {
  if (!slots?.read) return [];
  const held = [...slots.value.byAgent.values()];
  const keys = [...info].map(([name, value]) => (/^db\d+$/.test(name) ? /^keys=(\d+)/.exec(value)?.[1] : 0));
  return [
    billFinding(url, {
      agents: held.length,
      slots: held.reduce((sum, { length }) => sum + length, 0),
      polled: pullPolls?.read ? pullPolls.value.size : 0,
      keys: keys.reduce<number>((sum, count) => sum + Number(count ?? 0), 0),
    }),
  ];
}

/** A sweep runs every 60 to 75 s. */
const SWEEP_IS_DEAD_SECONDS = 120;

function heartbeatFinding({ drainTick }: Readings, nowMs: number): Finding[] {
  if (!drainTick?.read) return [];
  const { atSeconds } = drainTick.value;
  if (atSeconds === null)
    return [warning("heartbeat", `${DRAIN_TICK_KEY} was never written: see B-02 in docs/invariants.md`)];
  const ageSeconds = Math.max(0, Math.floor(nowMs / 1000 - atSeconds));
  const text = `the last sweep finished ${formatDuration(ageSeconds * 1000)} ago`;
  return [(ageSeconds > SWEEP_IS_DEAD_SECONDS ? warning : ok)("heartbeat", text)];
}

const scriptFinding = (scripts: string): Finding =>
  scripts === "allowed"
    ? ok("EVAL_RO", "allowed: the slots of hundreds of agents are read by one command")
    : note("EVAL_RO", `${scripts}: each agent and each slot is read by commands of its own (MULTI)`);

function commandFindings([evalRo, expireTime, poll]: readonly RedisAnswer[]): Finding[] {
  const how = (answer: RedisAnswer) =>
    answer.error === undefined ? "allowed" : isRefused(answer) ? "refused" : "unknown to this server";
  const life = how(expireTime!);
  return [
    life === "allowed"
      ? ok("EXPIRETIME", "allowed: the life of a slot needs no clock of ours (S-03)")
      : note("EXPIRETIME", `${life}: the life of a slot is measured by TTL and this machine's clock (S-03)`),
    scriptFinding(how(evalRo!)),
    ...(isRefused(poll!)
      ? [
          warning(
            "pull workers",
            `${POLL_PREFIX}* may not be read: when they asked for work is not known (B-08)`,
          ),
        ]
      : []),
  ];
}

/** Writes to a key that does not exist: Redis checks the right first, and then there is nothing to change. */
async function rightFinding(server: RedisServer, signal: AbortSignal): Promise<Finding> {
  const answers = await askAll(
    server,
    [
      ["del", nobodysKey(SLOTS_PREFIX)],
      ["zrem", nobodysKey(SLOTS_PREFIX), "nobody"],
    ],
    signal,
  );
  if (answers.some(({ error }) => error === undefined))
    return warning(
      "rights",
      "the token may write (DEL, ZREM), which the canary never does: give it a read-only one",
    );
  if (answers.every(isRefused)) return ok("rights", "the token may not write");
  return note(
    "rights",
    `whether the token may write can't be told: ${answers.find((a) => !isRefused(a))!.error}`,
  );
}

/** Examines Redis. @throws where it does not answer */
export async function examineRedis(
  server: RedisServer,
  readings: Readings,
  now: () => number,
  signal: AbortSignal,
): Promise<Finding[]> {
  const fromMs = now();
  const [time, info, who, ...commands] = await askAll(
    server,
    [
      ["time"],
      ["info"],
      ["acl", "whoami"],
      ["eval_ro", "return 1", "0"],
      ["expiretime", DRAIN_TICK_KEY],
      ["get", nobodysKey(POLL_PREFIX)],
    ],
    signal,
  );
  const between = { fromMs, toMs: now() };
  const fields = infoOf(info!);
  const user = typeof who!.result === "string" ? who!.result : null;
  return [
    ok("address", addressText(server.url)),
    releaseFinding(fields),
    ...keyFinding(readings, fields),
    ...heartbeatFinding(readings, now()),
    ...evictionFindings(fields),
    ...commandFindings(commands),
    ...billFindings(server.url, readings, fields),
    await rightFinding(server, signal),
    ...(user === null ? [] : [note("user", user)]),
    clockFinding(time!, between),
  ];
}

function clockFinding(
  time: RedisAnswer,
  between: { readonly fromMs: number; readonly toMs: number },
): Finding {
  try {
    const [seconds, micros] = stringsOf(resultOf(time)).map(Number);
    return compareClocks(seconds! * 1000 + micros! / 1000, between);
  } catch {
    return note("clock", "Redis does not tell its time (TIME)");
  }
}
