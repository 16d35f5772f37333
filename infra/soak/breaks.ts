/**
 * What is broken on purpose: each provokes one break on an agent at work, and mends it. R-01 is not here: its zombies
 * need a container, and the soak's platform has none.
 */
import { randomUUID } from "node:crypto";
import type { AgentSpec } from "../platform/agents.ts";
import { timestamp } from "../platform/clock.ts";
import { journaled } from "../platform/journal.ts";
import type { Load } from "./load.ts";
import type { Item } from "./rules.ts";
import type { Stage } from "./stage.ts";
import type { SoakChange } from "./timeline.ts";

export interface Tools {
  readonly stage: Stage;
  readonly load: Load;
  /** The agent that it falls on: held, so that the load leaves it on the roster. */
  readonly agent: AgentSpec;
  /** Waits until a cycle has begun and ended from now on. */
  cyclePasses(): Promise<void>;
}

export interface Broken {
  readonly item: Item;
  /** From when on its grace is over (unix ms). */
  readonly dueAtMs: number;
  cure(): Promise<void>;
}

/** Breaks something, and says what and how it is mended. @throws where it could not be broken; nothing is left then */
export type Provoke = (tools: Tools) => Promise<Broken>;

/** A little more than the canary's: both ends of a reading count. */
const GRACE_MS = 3_300;
const BUFFER_SECONDS = 300;
const WRONG_BY = 1_000;
/** What the platform's API lets a cap be. */
const LARGEST_CAP = 10;

const slotsKey = (agent: string) => `agent:slots:${agent}`;
const hashKey = (agent: string, id: string) => `agent:slot:${agent}:${id}`;
const longTimeoutSeconds = ({ stage }: Tools) => Math.ceil(3_600 * stage.clock.scale);

const tell = <T>({ stage }: Tools, write: () => Promise<T>, ...changes: SoakChange[]) =>
  journaled<T, SoakChange>(stage.witness, write, () => changes);

const update = ({ stage }: Tools, sql: string, args: (string | number | null)[], ...changes: SoakChange[]) =>
  stage.database.write([{ sql, args }], ([answer]) => (answer!.rowsAffected > 0 ? changes : []));

/**
 * A run of the platform's own that lasts until it is cancelled.
 * @returns its id once it has slot and session, and from when on (unix ms) neither its row nor its slot is in flight, by
 *   the instants that the platform wrote
 */
async function longRun(tools: Tools): Promise<{ id: string; oldFromMs: number }> {
  const { stage, agent } = tools;
  const { witness } = stage;
  const timeoutSeconds = longTimeoutSeconds(tools);
  const task = { runMs: timeoutSeconds * 1000, timeoutSeconds };
  for (let tries = 0; tries < 20; tries += 1) {
    const seen = witness.events.length;
    const id = await stage.platform.submit({ agent: agent.name, task });
    if (id === null) throw new Error(`agent ${agent.name} is not on the roster`);
    const event = await witness.until(
      `a session for a run of ${agent.name}`,
      (e) =>
        "executionId" in e &&
        e.executionId === id &&
        (e.what === "session" || (e.what === "row" && e.status === "skipped")),
    );
    // A backlog that is full takes nothing: then again.
    if (event.what !== "session") continue;
    // Else a cycle could see it start, and then broken: red for one thing, and right by another.
    await tools.cyclePasses();
    const writtenMs = witness.events.slice(seen).flatMap((e) => {
      if (e.what === "row" && e.executionId === id) return e.startedAtMs ?? [];
      return e.what === "slot taken" && e.executionId === id ? e.scoreSeconds * 1000 : [];
    });
    return { id, oldFromMs: Math.max(Date.now(), ...writtenMs.map((ms) => ms + GRACE_MS)) };
  }
  throw new Error(`the backlog of ${agent.name} stays full`);
}

const insertRow = (
  tools: Tools,
  row: { id: string; status: "running" | "queued"; atMs: number; session: string | null },
) => {
  const agent = tools.agent.name;
  const { id: executionId, status, atMs } = row;
  const queuedAtMs = status === "queued" ? atMs : undefined;
  return update(
    tools,
    `INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, queued_at, message, triggered_by,
     claude_session_id) VALUES (?, ?, ?, ?, ?, ?, 'echo', 'manual', ?)`,
    [
      executionId,
      `${agent}-schedule`,
      agent,
      status,
      timestamp(atMs),
      queuedAtMs === undefined ? null : timestamp(queuedAtMs),
      row.session,
    ],
    {
      what: "row",
      agent,
      executionId,
      status,
      startedAtMs: atMs,
      ...(queuedAtMs !== undefined && { queuedAtMs }),
    },
    ...(row.session === null ? [] : [{ what: "session" as const, agent, executionId }]),
  );
};

/** Gives an execution a slot, past the capacity manager. */
async function plantSlot(tools: Tools, executionId: string, scoreMs: number): Promise<void> {
  const { redis } = tools.stage;
  const agent = tools.agent.name;
  const timeoutSeconds = tools.agent.executionTimeoutSeconds;
  const ttlSeconds = timeoutSeconds + BUFFER_SECONDS;
  const scoreSeconds = scoreMs / 1000;
  await tell(tools, () => redis.zadd(slotsKey(agent), scoreSeconds, executionId), {
    what: "slot taken",
    agent,
    executionId,
    scoreSeconds,
  });
  await tell(
    tools,
    () => redis.hset(hashKey(agent, executionId), { timeout_seconds: String(timeoutSeconds) }),
    { what: "hash written", agent, executionId, timeoutSeconds },
  );
  await tell(tools, () => redis.expire(hashKey(agent, executionId), ttlSeconds), {
    what: "hash expires",
    agent,
    executionId,
    ttlSeconds,
  });
}

async function removeSlot(tools: Tools, executionId: string): Promise<void> {
  const { redis } = tools.stage;
  const agent = tools.agent.name;
  await tell(tools, () => redis.zrem(slotsKey(agent), executionId), {
    what: "slot given back",
    agent,
    executionId,
  });
  await tell(tools, () => redis.del(hashKey(agent, executionId)), {
    what: "hash removed",
    agent,
    executionId,
  });
}

const item = (invariant: string, { agent }: Tools, key = agent.name): Item => ({
  invariant,
  subject: agent.name,
  key,
});

/** A run has ended and nobody gave its slot back. */
const leakedSlot: Provoke = async (tools) => {
  const id = `leaked-${randomUUID()}`;
  await plantSlot(tools, id, Date.now() - 10_000);
  return {
    item: item("S-01", tools, `redis:${id}`),
    dueAtMs: Date.now(),
    cure: () => removeSlot(tools, id),
  };
};

/** A run goes on without its slot. */
const lostSlot: Provoke = async (tools) => {
  const { id, oldFromMs } = await longRun(tools);
  const agent = tools.agent.name;
  await tell(tools, () => tools.stage.redis.zrem(slotsKey(agent), id), {
    what: "slot given back",
    agent,
    executionId: id,
  });
  return {
    item: item("S-01", tools, `sql:${id}`),
    dueAtMs: oldFromMs,
    cure: async () => void (await tools.stage.platform.cancel(id)),
  };
};

/** More runs than the cap allows were started past the capacity manager. */
const overbooking: Provoke = async (tools) => {
  const agent = tools.agent.name;
  // Whatever the cap has grown to: all that runs now may end meanwhile.
  const ids = Array.from({ length: LARGEST_CAP + 1 }, () => `extra-${randomUUID()}`);
  for (const id of ids) {
    await insertRow(tools, { id, status: "running", atMs: Date.now(), session: "session" });
    await plantSlot(tools, id, Date.now());
  }
  return {
    item: item("S-02", tools),
    dueAtMs: Date.now(),
    async cure() {
      for (const id of ids) {
        await update(
          tools,
          "UPDATE schedule_executions SET status = 'cancelled', completed_at = ? WHERE id = ?",
          [timestamp(Date.now()), id],
          { what: "row", agent, executionId: id, status: "cancelled" },
        );
        await removeSlot(tools, id);
      }
    },
  };
};

/** @param spoil makes the life of a slot's hash wrong */
const wrongLife =
  (spoil: (tools: Tools, id: string) => Promise<unknown>): Provoke =>
  async (tools) => {
    const { id, oldFromMs } = await longRun(tools);
    await spoil(tools, id);
    return {
      item: item("S-03", tools, id),
      dueAtMs: oldFromMs,
      cure: async () => void (await tools.stage.platform.cancel(id)),
    };
  };

const shortLife = wrongLife((tools, id) => {
  const agent = tools.agent.name;
  return tell(tools, () => tools.stage.redis.expire(hashKey(agent, id), 30), {
    what: "hash expires",
    agent,
    executionId: id,
    ttlSeconds: 30,
  });
});
const noExpiry = wrongLife((tools, id) => {
  const agent = tools.agent.name;
  return tell(tools, () => tools.stage.redis.persist(hashKey(agent, id)), {
    what: "hash persists",
    agent,
    executionId: id,
  });
});
const missingHash = wrongLife((tools, id) => {
  const agent = tools.agent.name;
  return tell(tools, () => tools.stage.redis.del(hashKey(agent, id)), {
    what: "hash removed",
    agent,
    executionId: id,
  });
});

async function backdate(tools: Tools, id: string, seconds: number): Promise<void> {
  const startedAtMs = Date.now() - seconds * 1000;
  await update(
    tools,
    "UPDATE schedule_executions SET started_at = ? WHERE id = ?",
    [timestamp(startedAtMs), id],
    {
      what: "row backdated",
      agent: tools.agent.name,
      executionId: id,
      startedAtMs,
    },
  );
}

/** A run is past its timeout and the buffer, and nobody ends it. */
const endlessRun: Provoke = async (tools) => {
  const { id } = await longRun(tools);
  await backdate(tools, id, longTimeoutSeconds(tools) + BUFFER_SECONDS + 100);
  return {
    item: item("E-01", tools, id),
    dueAtMs: Date.now(),
    cure: async () => void (await tools.stage.platform.cancel(id)),
  };
};

/** A run was never dispatched. */
const noSession: Provoke = async (tools) => {
  const { id } = await longRun(tools);
  await update(tools, "UPDATE schedule_executions SET claude_session_id = NULL WHERE id = ?", [id], {
    what: "session lost",
    agent: tools.agent.name,
    executionId: id,
  });
  await backdate(tools, id, 90);
  return {
    item: item("E-05", tools, id),
    dueAtMs: Date.now(),
    cure: async () => void (await tools.stage.platform.cancel(id)),
  };
};

/** A finished run, seen as such, is running again. */
const backToLife: Provoke = async (tools) => {
  const { witness, platform } = tools.stage;
  const agent = tools.agent.name;
  const { id } = await longRun(tools);
  await platform.cancel(id);
  // Its slot goes with it, some milliseconds later.
  if (!witness.events.some((e) => e.what === "slot given back" && e.executionId === id))
    await witness.until(`the slot of ${id}`, (e) => e.what === "slot given back" && e.executionId === id);
  await tools.cyclePasses();
  const setStatus = (status: "running" | "cancelled", completedAt: string | null) =>
    update(
      tools,
      "UPDATE schedule_executions SET status = ?, completed_at = ? WHERE id = ?",
      [status, completedAt, id],
      { what: "row", agent, executionId: id, status },
    );
  await setStatus("running", null);
  return {
    item: item("E-02", tools, id),
    dueAtMs: Date.now(),
    cure: async () => void (await setStatus("cancelled", timestamp(Date.now()))),
  };
};

/** The agent is deleted, and all that names it stays. */
const halfDeleted: Provoke = async (tools) => {
  const { platform } = tools.stage;
  const agent = tools.agent.name;
  await update(tools, "DELETE FROM agent_ownership WHERE agent_name = ?", [agent], {
    what: "roster row lost",
    agent,
  });
  return {
    item: item("L-03", tools),
    dueAtMs: Date.now(),
    async cure() {
      await tell(tools, () => platform.agents.remove(agent), { what: "agent removed", agent });
      await platform.agents.create(tools.agent);
    },
  };
};

/** The queue accessor counts what is not there. */
const wrongAccessor: Provoke = async (tools) => {
  const { accessorOff } = tools.stage;
  const agent = tools.agent.name;
  const set = (by: number) =>
    tell(
      tools,
      async () => {
        if (by === 0) accessorOff.delete(agent);
        else accessorOff.set(agent, by);
      },
      { what: "accessor wrong", agent, by },
    );
  await set(WRONG_BY);
  return { item: item("B-01", tools), dueAtMs: Date.now(), cure: () => set(0) };
};

/**
 * The sweep hangs while a row waits beside free slots. The agent is one of its own: on a busy one each run that ends
 * drains the queue. The heartbeat and the row are set back by what would else be a minute and a half of waiting.
 */
const hungSweep: Provoke = async (busy) => {
  const { stage, load } = busy;
  const tools = { ...busy, agent: { ...busy.agent, name: `idle-${randomUUID().slice(0, 8)}` } };
  const agent = tools.agent.name;
  await stage.platform.agents.create(tools.agent);
  await load.sweeps.hang();
  const atSeconds = Date.now() / 1000 - 90;
  await insertRow(tools, { id: randomUUID(), status: "queued", atMs: atSeconds * 1000, session: null });
  await tell(tools, () => stage.redis.set("canary:drain_tick_at", String(atSeconds)), {
    what: "drain tick",
    atSeconds,
  });
  return {
    item: item("B-02", tools),
    dueAtMs: Date.now(),
    async cure() {
      load.sweeps.resume();
      await stage.witness.until("a sweep", (event) => event.what === "drain tick");
      await stage.platform.agents.remove(agent);
    },
  };
};

/** By name, with what each breaks. */
export const BREAKS: Readonly<Record<string, Provoke>> = {
  "leaked slot": leakedSlot,
  "lost slot": lostSlot,
  overbooking,
  "short-lived slot": shortLife,
  "slot that never expires": noExpiry,
  "slot without its hash": missingHash,
  "endless run": endlessRun,
  "back to life": backToLife,
  "no session": noSession,
  "half-deleted agent": halfDeleted,
  "wrong accessor": wrongAccessor,
  "hung sweep": hungSweep,
};
