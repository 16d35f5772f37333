import { type Roster, type Zombies, zombieKey } from "../facts/facts.ts";
import { listed, plural } from "../text.ts";
import { docker, noted } from "./commands.ts";
import { type Finding, invariant } from "./invariant.ts";
import { askAgent, LOCAL_DAEMON, onDaemon, showLiveRows } from "./platform-commands.ts";
import { nameAgents } from "./rules.ts";

interface Observed {
  agent_name: string;
  zombie_count: number;
  zombie_pids: number[];
  container_id: string;
  docker_host: string;
}

const processKey = (containerId: string, pid: number) => `${containerId}/${pid}`;

export const noZombieClaude = invariant({
  id: "R-01",
  title: "No zombie claude",
  tier: "A",
  severity: "critical",
  impact:
    "Zombies pile up until the agent's container can start no process, and then every run of it fails: get up if there are hundreds, or if the number grows with each cycle.",
  runbook:
    "Restart the container to clear them when no run is in it, and see that its first process waits for its children.",
  safe: "A restart ends every run in the container: wait for a moment without one, or let the platform run them again.",
  example: {
    agent_name: "<agent>",
    zombie_count: 1,
    zombie_pids: [4711],
    container_id: "<container>",
    docker_host: LOCAL_DAEMON,
  },
  reads: ["roster", "zombies", "zombieSightings"],
  // A zombie is a normal state for the milliseconds before its parent waits: look twice.
  confirm: true,

  check(
    { roster, zombies, zombieSightings: { dwellSeconds, firstSeenMs, othersSinceMs } },
    { times, unlisted },
  ) {
    const isAgents = ({ agent }: { readonly agent: string }) => roster.has(agent);
    const containers = zombies.containers.filter(isAgents);
    const unseenContainers = zombies.unseenContainers.filter(isAgents);
    const strangers = strangersAmong(zombies, roster);
    const findings: Finding<Observed>[] = [];
    for (const container of containers) {
      const { agent, containerId, daemon } = container;
      const zombiePids = container.zombiePids.filter((pid) => {
        const sinceMs = firstSeenMs.get(zombieKey(container, pid)) ?? othersSinceMs ?? times.zombies.fromMs;
        return times.zombies.fromMs - sinceMs >= dwellSeconds * 1000;
      });
      if (zombiePids.length === 0) continue;
      findings.push({
        subject: agent,
        keys: zombiePids.map((pid) => processKey(containerId, pid)),
        observed: {
          agent_name: agent,
          zombie_count: zombiePids.length,
          zombie_pids: zombiePids,
          container_id: containerId,
          docker_host: daemon,
        },
        signalQuery: signalQuery(agent, zombiePids.length),
      });
    }
    const reason = whyUnlisted(roster, zombies, unlisted.roster);
    const seenElsewhere = new Set(containers.map((c) => c.agent));
    return {
      subjects: seenElsewhere,
      // An agent can have two containers: the one that was read still counts.
      unseen: unseenContainers.map(({ agent, containerId }) =>
        seenElsewhere.has(agent) ? { subject: agent, key: containerId } : { subject: agent },
      ),
      findings,
      ...(strangers.length > 0 && {
        notes: [
          `docker.roster: ${plural(strangers.length, "running container")} of no agent on the roster: ${listed(strangers, 5)}`,
        ],
      }),
      ...(reason !== null && {
        unlisted: reason,
        sawKey: (key: string) => containers.some((c) => key.startsWith(`${c.containerId}/`)),
      }),
    };
  },

  summarize(findings) {
    const count = findings.reduce((n, f) => n + f.observed.zombie_count, 0);
    return `${plural(count, "zombie claude process", "zombie claude processes")} across ${nameAgents(findings)}`;
  },
  explain: ({ agent_name, zombie_count, zombie_pids }) =>
    `${agent_name}: ${plural(zombie_count, "zombie")}, pid ${zombie_pids.join(", ")}`,

  verify: ({ agent_name, container_id, docker_host }) => [
    docker(...onDaemon(docker_host), "exec", container_id, "ps", "-eo", "pid,ppid,stat,etime,comm"),
    showLiveRows(agent_name),
    askAgent(agent_name),
  ],
  fix: ({ container_id, docker_host }) => [
    noted("ends every run in the container", docker(...onDaemon(docker_host), "restart", container_id)),
  ],

  narrow(finding, keep) {
    const { agent_name: agent, container_id: containerId } = finding.observed;
    const zombiePids = finding.observed.zombie_pids.filter((pid) => keep.has(processKey(containerId, pid)));
    return {
      ...finding,
      keys: finding.keys.filter((key) => keep.has(key)),
      observed: { ...finding.observed, zombie_pids: zombiePids, zombie_count: zombiePids.length },
      signalQuery: signalQuery(agent, zombiePids.length),
    };
  },
});

/** The names of running containers that no agent on the roster has, sorted. */
const strangersAmong = ({ containers, unseenContainers }: Zombies, roster: Roster): string[] =>
  [...containers, ...unseenContainers]
    .map(({ agent }) => agent)
    .filter((agent) => !roster.has(agent))
    .sort();

/**
 * Says why more agents' containers may run than were listed; null where none do.
 * @param hiddenAgents why the roster may have more agents than are known
 */
function whyUnlisted(roster: Roster, zombies: Zombies, hiddenAgents: string | undefined): string | null {
  if (zombies.unseenDaemons.length > 0) return `not read: ${zombies.unseenDaemons.join(", ")}`;
  if (hiddenAgents !== undefined && strangersAmong(zombies, roster).length > 0)
    return `${hiddenAgents}: a container may be that agent's`;
  if (roster.size === 0) return "the roster is empty: no container is known to be an agent's";
  const isRunning = [...zombies.containers, ...zombies.unseenContainers].some(({ agent }) =>
    roster.has(agent),
  );
  return isRunning ? null : `no running container of ${plural(roster.size, "agent")}`;
}

function signalQuery(agent: string, count: number): string {
  return `docker exec agent-${agent} sh -c "ps -eo stat,comm | grep '^Z.*claude' | wc -l" = ${count}`;
}
