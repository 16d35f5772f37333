/** A real Docker daemon over TLS with client certificates, and images made from this machine's programs. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, readFile, symlink, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { AGENT_LABEL, containerName } from "../platform/names.ts";
import { endOf, freePort, until } from "./ports.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const run = promisify(execFile);

export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Makes a CA and two certificates as operators do. Gives the paths for a server and a client of 127.0.0.1. */
export async function makeCertificates(
  folder: string,
): Promise<{ server: Certificates; client: Certificates }> {
  await run(fileURLToPath(new URL("../docker-certificates.sh", import.meta.url)), [folder, "127.0.0.1"]);
  const path = (name: string) => join(folder, name);
  const ca = path("ca.pem");
  return {
    server: { ca, cert: path("server-cert.pem"), key: path("server-key.pem") },
    client: { ca, cert: path("cert.pem"), key: path("key.pem") },
  };
}

export interface Dockerd {
  /** The variables that a canary needs to reach it over TLS. */
  readonly env: {
    DOCKER_HOSTS: string;
    DOCKER_TLS_CA: string;
    DOCKER_TLS_CERT: string;
    DOCKER_TLS_KEY: string;
  };
  /** `unix:///…`, for a canary on the same machine. */
  readonly socket: string;
  readonly certificates: Certificates;
  /** Runs the docker command line against this daemon, and gives its output. */
  docker(...args: string[]): Promise<string>;
  /** Runs a container of an agent in the background. */
  runAgent(agent: string, image: Image, script: string): Promise<void>;
  close(): Promise<void>;
}

/** Named after the tools in the image that R-01 can use. */
const IMAGES = [
  "procps",
  "busybox-ps",
  "no-ps",
  "odd-ps",
  "silent-ps",
  "short-ps",
  "hanging-ps",
  "endless-ps",
  "hanging-sh",
  "bare",
] as const;
export type Image = (typeof IMAGES)[number];

/** Makes these images from a file system of BusyBox, and from procps' `ps` with its libraries. */
async function importImages(
  folder: string,
  images: readonly Image[],
  docker: Dockerd["docker"],
): Promise<void> {
  const root = join(folder, "rootfs");
  for (const name of ["bin", "proc", "tmp", "dev"]) await mkdir(join(root, name), { recursive: true });
  await copyFile("/bin/busybox", join(root, "bin/busybox"));
  for (const name of ["sh", "sleep"]) await symlink("busybox", join(root, "bin", name));
  const script = (name: string, text: string) =>
    writeFile(join(root, "bin", name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  await script("claude", "exit 0");
  const ps = join(root, "bin/ps");
  const save = async (image: Image) => {
    if (!images.includes(image)) return;
    const archive = join(folder, "rootfs.tar");
    await run("tar", ["-C", root, "-cf", archive, "."]);
    await docker("import", archive, image);
  };
  await save("no-ps");
  await symlink("busybox", ps);
  await save("busybox-ps");
  await unlink(ps);
  for (const [image, text] of [
    ["odd-ps", "echo \"ps: invalid option -- 'e'\" >&2; exit 1"],
    ["silent-ps", "exit 0"],
    // Lists nobody but itself.
    ["short-ps", 'echo "STAT PID COMMAND"; echo "R 4711 ps"'],
    ["hanging-ps", "sleep 600"],
    ["endless-ps", 'while echo "STAT PID COMMAND"; do :; done'],
  ] as const) {
    await script("ps", text);
    await save(image);
  }
  await unlink(ps);
  await unlink(join(root, "bin/sh"));
  await writeFile(join(root, "bin/sh"), "#!/bin/busybox sh\nsleep 600\n", { mode: 0o755 });
  await save("hanging-sh");
  await unlink(join(root, "bin/sh"));
  await symlink("busybox", join(root, "bin/sh"));
  await copyFile("/usr/bin/ps", ps);
  const { stdout } = await run("ldd", ["/usr/bin/ps"]);
  for (const library of stdout.match(/\/\S+/g) ?? []) {
    await mkdir(join(root, dirname(library)), { recursive: true });
    await copyFile(library, join(root, library));
  }
  await save("procps");
  // Neither ps nor a shell: R-01 has nothing to look with.
  await run("rm", ["-rf", root]);
  await mkdir(join(root, "bin"), { recursive: true });
  await copyFile("/bin/busybox", join(root, "bin/sleep"));
  await save("bare");
}

/** Starts dockerd on that address and a socket in the folder, without a network for its containers. */
function spawnDaemon(folder: string, host: string, socket: string, tls: Certificates): ChildProcess {
  const path = (name: string) => join(folder, name);
  return spawn(
    "dockerd",
    [
      ["--data-root", path("data"), "--exec-root", path("exec"), "-p", path("pid")],
      ["-H", host, "-H", socket],
      ["--tlsverify", "--tlscacert", tls.ca, "--tlscert", tls.cert, "--tlskey", tls.key],
      ["--iptables=false", "--bridge=none"],
    ].flat(),
    { stdio: "ignore" },
  );
}

/**
 * Starts dockerd on a free port of the loopback.
 * @param images those that it has. Default: all
 */
export async function startDockerd(images: readonly Image[] = IMAGES): Promise<Dockerd> {
  const folder = await temporaryFolder();
  const { server, client } = await makeCertificates(folder.path);
  const host = `tcp://127.0.0.1:${await freePort()}`;
  const socket = `unix://${join(folder.path, "docker.sock")}`;
  const daemon = spawnDaemon(folder.path, host, socket, server);
  const exited = once(daemon, "exit");
  const docker = async (...args: string[]) => (await run("docker", ["-H", socket, ...args])).stdout.trim();
  const close = async () => {
    const ids = await docker("ps", "-aq").catch(() => "");
    if (ids) await docker("rm", "-f", ...ids.split("\n")).catch(() => {});
    daemon.kill("SIGTERM");
    await exited;
    await folder.remove();
  };
  try {
    await until(() => docker("version"), endOf(daemon));
    await importImages(folder.path, images, docker);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    env: {
      DOCKER_HOSTS: host,
      DOCKER_TLS_CA: client.ca,
      DOCKER_TLS_CERT: client.cert,
      DOCKER_TLS_KEY: await readFile(client.key, "utf8"),
    },
    socket,
    certificates: server,
    docker,
    async runAgent(agent, image, script) {
      const command =
        image === "bare" || image === "hanging-sh" ? ["/bin/sleep", "600"] : ["sh", "-c", script];
      const label = `${AGENT_LABEL.name}=${AGENT_LABEL.value}`;
      const options = ["-d", "--network", "none", "--name", containerName(agent), "-l", label];
      await docker("run", ...options, image, ...command);
    },
    close,
  };
}
