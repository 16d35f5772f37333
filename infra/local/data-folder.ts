/** The folder for the platform's database. */
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalError } from "./local-error.ts";
import type { OnClose } from "./on-close.ts";

/** Gives the folder for the database. @throws LocalError where a named one can't be used */
export async function dataFolder(named: string | undefined, onClose: OnClose): Promise<string> {
  if (named === undefined) {
    const folder = await mkdtemp(join(tmpdir(), "canary-"));
    onClose(() => rm(folder, { recursive: true, force: true }));
    return folder;
  }
  const found = await stat(named).catch(() => null);
  if (!found?.isDirectory())
    throw new LocalError(`--data ${named} is not a folder: make it first, or leave --data out`);
  // Permissions prove nothing: on some file systems they allow root to write, and writing still fails.
  const probe = join(named, ".canary-probe");
  const isWritable = await writeFile(probe, "").then(
    () => rm(probe).then(() => true),
    () => false,
  );
  if (!isWritable)
    throw new LocalError(`--data ${named} can't be written to: name another folder, or leave --data out`);
  const database = join(named, "trinity.db");
  if (await stat(database).catch(() => null))
    throw new LocalError(
      `${database} exists: the embedded platform starts empty, so move it away or name another folder`,
    );
  return named;
}
