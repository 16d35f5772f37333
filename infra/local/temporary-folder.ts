import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Makes a new folder; `remove` deletes it with its contents. */
export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "canary-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
