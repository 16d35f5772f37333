/** An image for agents' containers, made from this machine's programs, so that no registry is needed. */
import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type Docker from "dockerode";

const run = promisify(execFile);

/** A shell to start processes with, and procps, as in Trinity's own agent image. */
const PROGRAMS = ["sh", "sleep", "chmod", "ps"] as const;

/** The tag names the process, so that no environment removes the image of another. */
const [REPOSITORY, TAG] = ["trinity-canary-agent", `of-${process.pid}`];

/** The command of an agent's idle container. */
export const IDLE = ["sleep", "86400"] as const;

/** This machine can't make the image; the message says what it lacks. */
export class AgentImageError extends Error {
  override readonly name = "AgentImageError";
}

/** Finds the paths of the program and of the libraries that it is linked with. */
async function filesOf(program: string): Promise<{ path: string; libraries: string[] }> {
  const { stdout: path } = await run("sh", ["-c", `command -v ${program}`]).catch(() => {
    throw new AgentImageError(`there is no ${program} on this machine to put into an agent's container`);
  });
  // ldd fails for a static program.
  const { stdout } = await run("ldd", [path.trim()]).catch(() => ({ stdout: "" }));
  return { path: path.trim(), libraries: stdout.match(/\/\S+/g) ?? [] };
}

async function fill(root: string): Promise<void> {
  for (const folder of ["bin", "proc", "tmp", "dev"]) await mkdir(join(root, folder));
  for (const program of PROGRAMS) {
    const { path, libraries } = await filesOf(program);
    await copyFile(path, join(root, "bin", program));
    for (const library of libraries) {
      await mkdir(join(root, dirname(library)), { recursive: true });
      await copyFile(library, join(root, library));
    }
  }
}

/**
 * Puts the image on the daemon.
 * @returns its name, and the function that removes it, unless a container uses it
 * @throws AgentImageError where this machine lacks a program that the image needs
 */
export async function importAgentImage(docker: Docker): Promise<{ image: string; remove(): Promise<void> }> {
  if (process.platform !== "linux")
    throw new AgentImageError("an agent's container is made of this machine's programs, which needs Linux");
  const folder = await mkdtemp(join(tmpdir(), "canary-image-"));
  const [root, archive] = [join(folder, "root"), join(folder, "root.tar")];
  try {
    await mkdir(root);
    await fill(root);
    await run("tar", ["-C", root, "-cf", archive, "."]);
    const progress = await docker.importImage(createReadStream(archive), { repo: REPOSITORY, tag: TAG });
    await new Promise<void>((resolve, reject) =>
      docker.modem.followProgress(progress, (error) => (error ? reject(error) : resolve())),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const image = `${REPOSITORY}:${TAG}`;
  return {
    image,
    async remove() {
      await docker
        .getImage(image)
        .remove()
        .catch(() => {});
    },
  };
}
