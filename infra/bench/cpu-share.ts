/** A part of one core for a process, as Lambda gives it by memory: a quota of the kernel's control groups. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

/** The memory at which a function has one whole core. */
const WHOLE_CORE_MB = 1_769;
/** Lambda's: a process that has used up its part waits for the next of these. */
const PERIOD_US = 20_000;
const ROOT = "/sys/fs/cgroup";

/** The part of a core that a function of this memory has, at most 1. */
export const shareOf = (memoryMb: number): number => Math.min(1, memoryMb / WHOLE_CORE_MB);

/** The heap that Lambda gives Node in a function of this memory. */
export const heapOptions = (memoryMb: number): string[] => [
  `--max-old-space-size=${Math.floor(memoryMb * 0.9)}`,
  `--max-semi-space-size=${Math.max(1, Math.floor(memoryMb * 0.05))}`,
];

export interface CpuShare {
  /** A process whose id is written to this file has the share, and so have its threads. */
  readonly group: string;
  close(): Promise<void>;
}

/** Where a group is made, and which of its files bounds it: of the first version of control groups, or of the second. */
function groupsIn(root: string, share: number) {
  const quotaUs = Math.round(share * PERIOD_US);
  const first = join(root, "cpu");
  if (existsSync(join(first, "cpu.cfs_quota_us")))
    return {
      folder: first,
      bounds: { "cpu.cfs_period_us": `${PERIOD_US}`, "cpu.cfs_quota_us": `${quotaUs}` },
    };
  const controllers = join(root, "cgroup.controllers");
  if (!existsSync(controllers) || !/\bcpu\b/.test(readFileSync(controllers, "utf8"))) return null;
  writeFileSync(join(root, "cgroup.subtree_control"), "+cpu");
  return { folder: root, bounds: { "cpu.max": `${quotaUs} ${PERIOD_US}` } };
}

/**
 * Makes a control group with that share of one core.
 * @returns null where this machine has no controller of the CPU, or does not let this process use it
 */
export function openShare(share: number, root = ROOT): CpuShare | null {
  try {
    const groups = groupsIn(root, share);
    if (groups === null) return null;
    const folder = join(groups.folder, `canary-bench-${process.pid}-${Math.round(share * 1000)}`);
    mkdirSync(folder);
    for (const [name, value] of Object.entries(groups.bounds)) writeFileSync(join(folder, name), value);
    return { group: join(folder, "cgroup.procs"), close: () => removeGroup(folder) };
  } catch {
    return null;
  }
}

/** The kernel takes a moment to forget the last process. */
async function removeGroup(folder: string): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1)
    try {
      return rmdirSync(folder);
    } catch {
      await setTimeout(20);
    }
}
