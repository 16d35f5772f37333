import type { Unseen } from "../facts/coverage.ts";
import { plural } from "../text.ts";
import { docker, noted } from "./commands.ts";
import { type Finding, invariant } from "./invariant.ts";
import { containerOf, RECREATE, verifyPool } from "./platform-commands.ts";
import { idleWorkers, type Pool, poolOf, pullAgentsOf } from "./pull-pools.ts";
import { byAgent, countSubjects, nameSubjects, secondsBetween, wholeOrText } from "./rules.ts";

interface Observed {
  agent_name: string;
  kind: "workers_missing" | "workers_silent";
  container_pull_mode: boolean;
  pool_size: number | null;
  busy_workers: number | null;
  idle_workers: number | null;
  /** Unix seconds; null where no worker has ever asked. */
  last_worker_poll_at: number | string | null;
  /** Since the later of that and the start of the container; null for `workers_missing`. */
  poll_silence_seconds: number | null;
  poll_silence_grace_seconds: number;
}

/** Idle workers ask for work every few seconds. */
const SILENCE_SECONDS = 300;

export const pullWorkersAlive = invariant({
  id: "B-08",
  title: "Pull workers alive",
  tier: "B",
  severity: "major",
  impact:
    "The agent takes work into its queue and never starts it: nobody notices until somebody waits, so fix it today, and get up if it has a queue (then B-02 is red too).",
  runbook:
    "Where the container runs no workers: recreate it, so that it gets the setting for pull mode. Where they are silent: look at the container's log for what ended or blocks them, and restart it.",
  safe: "A restart of the container ends every run in it, and a worker that was busy loses its work: the platform gives the run to another worker once its lease is over.",
  example: {
    agent_name: "<agent>",
    kind: "workers_silent",
    container_pull_mode: true,
    pool_size: 3,
    busy_workers: 0,
    idle_workers: 3,
    last_worker_poll_at: 1779100200,
    poll_silence_seconds: 400,
    poll_silence_grace_seconds: SILENCE_SECONDS,
  },
  otherExamples: [
    {
      agent_name: "<agent>",
      kind: "workers_missing",
      container_pull_mode: false,
      pool_size: 3,
      busy_workers: 0,
      idle_workers: 3,
      last_worker_poll_at: 1779100200,
      poll_silence_seconds: null,
      poll_silence_grace_seconds: SILENCE_SECONDS,
    },
  ],
  reads: ["roster", "executions", "pullPolls"],
  optional: ["containers"],
  offWith: ["roster", "executions", "pullPolls", "containers"],
  confirm: true,

  check({ roster, executions, pullPolls }, { times, readings }) {
    const rowsOf = byAgent([...executions.live, ...executions.unreadable]);
    const pullAgents = [...pullAgentsOf(executions, pullPolls)].filter((agent) => roster.has(agent));
    const unseen: Unseen[] = [];
    const findings: Finding<Observed>[] = [];
    for (const agent of pullAgents) {
      const pool = poolOf(
        agent,
        roster.get(agent)!,
        rowsOf.get(agent) ?? [],
        readings.containers,
        times.executions.fromMs,
      );
      const found = judged(agent, pool, pullPolls.get(agent), times.pullPolls.fromMs);
      if (found === "unseen") unseen.push({ subject: agent });
      else if (found) findings.push(found);
    }
    return { subjects: pullAgents, unseen, findings };
  },

  summarize: (findings) =>
    `the pull workers of ${plural(countSubjects(findings), "agent")} are missing or silent: ${nameSubjects(findings)}`,
  explain: ({ agent_name, kind, idle_workers, pool_size, poll_silence_seconds }) =>
    kind === "workers_missing"
      ? `${agent_name}: the container runs no pull workers`
      : `${agent_name}: ${idle_workers} of ${pool_size === null ? "unknown" : plural(pool_size, "worker")} idle, and none asked for work for ${poll_silence_seconds} s`,

  verify: ({ agent_name }) => verifyPool(agent_name),
  fix: ({ agent_name, kind }) => [
    kind === "workers_missing"
      ? RECREATE
      : noted("ends every run in the container", docker("restart", containerOf(agent_name))),
  ],
});

/**
 * Judges the workers of one agent.
 * @param polledAtSeconds when one of them last asked for work; null where that can't be read, undefined where none has
 * @param readAtMs when that was read, unix ms
 * @returns null where they are alive, or their container does not run
 */
function judged(
  agent: string,
  { container, size, busy }: Pool,
  polledAtSeconds: number | null | undefined,
  readAtMs: number,
): Finding<Observed> | "unseen" | null {
  if (container.state === "not running") return null;
  if (container.state === "unknown") return "unseen";
  const { isPullMode, startedAtMs } = container;
  const idle = size === null || busy === null ? null : idleWorkers(size, busy);
  const known = [startedAtMs, polledAtSeconds == null ? null : polledAtSeconds * 1000].filter(
    (ms) => ms !== null,
  );
  const silenceSeconds =
    known.length > 0 ? secondsBetween(Math.max(...known), readAtMs) : Number.POSITIVE_INFINITY;
  if (isPullMode) {
    if (idle === 0 || silenceSeconds <= SILENCE_SECONDS) return null;
    // What can't be read may be later than what can.
    if (idle === null || startedAtMs === null || polledAtSeconds === null) return "unseen";
  }
  return {
    subject: agent,
    keys: [agent],
    observed: {
      agent_name: agent,
      kind: isPullMode ? "workers_silent" : "workers_missing",
      container_pull_mode: isPullMode,
      pool_size: size,
      busy_workers: busy,
      idle_workers: idle,
      last_worker_poll_at: polledAtSeconds == null ? null : wholeOrText(polledAtSeconds),
      poll_silence_seconds: isPullMode ? silenceSeconds : null,
      poll_silence_grace_seconds: SILENCE_SECONDS,
    },
    signalQuery: isPullMode
      ? `agent ${agent}: ${idle}/${size} worker(s) idle but no claim attempt for ${silenceSeconds}s > ${SILENCE_SECONDS}s`
      : `agent ${agent}: its container runs without TRINITY_PULL_MODE=true`,
  };
}
