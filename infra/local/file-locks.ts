/** The locks that processes hold on a file, as the kernel lists them. */
import { readFileSync, statSync } from "node:fs";

/**
 * Lists the locks on the file (Linux only).
 * @returns who holds each, and whether it lets others read
 */
export function locksOn(path: string): { pid: number; kind: "READ" | "WRITE" }[] {
  const { ino } = statSync(path);
  // 1: POSIX  ADVISORY  READ 4711 fe:00:2310180 1073741826 1073742335
  const line = /^\d+: POSIX\s+ADVISORY\s+(READ|WRITE) (-?\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /gm;
  return [...readFileSync("/proc/locks", "utf8").matchAll(line)]
    .filter(([, , , inode]) => Number(inode) === ino)
    .map(([, kind, pid]) => ({ pid: Number(pid), kind: kind as "READ" | "WRITE" }));
}
