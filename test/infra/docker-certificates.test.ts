/** The certificates that operators make, tried between a server that requires them and a client. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { connect, createServer, type TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { temporaryFolder } from "../support/live.ts";

const SCRIPT = fileURLToPath(new URL("../../infra/docker-certificates.sh", import.meta.url));
const FILES = ["ca-key.pem", "ca.pem", "cert.pem", "key.pem", "server-cert.pem", "server-key.pem"];
const MODES = {
  "ca-key.pem": "400",
  "ca.pem": "444",
  "cert.pem": "444",
  "key.pem": "400",
  "server-cert.pem": "444",
  "server-key.pem": "400",
};

let temporary: { path: string; remove(): Promise<void> };
beforeEach(async () => {
  temporary = await temporaryFolder();
});
afterEach(() => temporary.remove());

const at = (...path: string[]) => join(temporary.path, ...path);
const pem = (folder: string, name: string) => readFileSync(at(folder, name), "utf8");

function make(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(SCRIPT, args, { encoding: "utf8" });
  return { status, stdout, stderr };
}

interface Client {
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
}
const clientOf = (folder: string): Client & { cert: string; key: string } => ({
  ca: pem(folder, "ca.pem"),
  cert: pem(folder, "cert.pem"),
  key: pem(folder, "key.pem"),
});

/** The answer of a server with this folder's certificates that requires a client's, or why it did not answer. */
async function ask(folder: string, client: Client, host = "127.0.0.1"): Promise<string> {
  const server = createServer(
    {
      ca: pem(folder, "ca.pem"),
      cert: pem(folder, "server-cert.pem"),
      key: pem(folder, "server-key.pem"),
      requestCert: true,
      // This server says why it refuses a client; a daemon only hangs up.
      rejectUnauthorized: false,
    },
    (socket) => socket.end(socket.authorized ? "welcome" : `refused: ${socket.authorizationError}`),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket: TLSSocket = connect({
    port,
    host: "127.0.0.1",
    ...client,
    ...(host !== "127.0.0.1" && { servername: host }),
  });
  try {
    return await new Promise<string>((resolve, reject) => {
      let answer = "";
      socket.on("data", (bytes) => {
        answer += bytes;
      });
      socket.once("end", () => resolve(answer));
      socket.once("error", reject);
    });
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    socket.destroy();
    server.close();
  }
}

/** With CANARY_REQUIRE_LIVE its absence is an error. */
const lacksOpenssl =
  spawnSync("openssl", ["version"]).status !== 0 && process.env.CANARY_REQUIRE_LIVE !== "1";

describe.skipIf(lacksOpenssl)("docker-certificates.sh", () => {
  test("daemon and canary know each other, by address and by name; the keys are their owner's", async () => {
    const { status, stdout } = make(at("made"), "127.0.0.1", "docker.example.com");
    expect(status).toBe(0);
    expect(await ask("made", clientOf("made"))).toBe("welcome");
    expect(await ask("made", clientOf("made"), "docker.example.com")).toBe("welcome");
    expect(await ask("made", clientOf("made"), "other.example.com")).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
    const modes = readdirSync(at("made")).map((name) => [
      name,
      (statSync(at("made", name)).mode & 0o777).toString(8),
    ]);
    expect(Object.fromEntries(modes)).toEqual(MODES);
    for (const said of [
      "server-cert.pem",
      "DOCKER_TLS_CA",
      "DOCKER_TLS_CERT",
      "DOCKER_TLS_KEY",
      "ca-key.pem",
    ])
      expect(stdout).toContain(said);
  });

  test("a daemon lets nobody in without a certificate, with one of another CA, or with a daemon's own", async () => {
    make(at("made"), "127.0.0.1");
    make(at("other"), "127.0.0.1");
    const { ca, cert, key } = clientOf("made");
    expect(await ask("made", { ca })).toBe("refused: UNABLE_TO_GET_ISSUER_CERT");
    expect(await ask("made", { ...clientOf("other"), ca })).toBe("refused: UNABLE_TO_VERIFY_LEAF_SIGNATURE");
    const ofServer = { cert: pem("made", "server-cert.pem"), key: pem("made", "server-key.pem") };
    expect(await ask("made", { ca, ...ofServer })).toBe("refused: INVALID_PURPOSE");
    // The canary does not connect to a daemon of another CA.
    expect(await ask("other", { ca, cert, key })).toMatch(/UNABLE_TO_VERIFY|SELF_SIGNED|CERT_/);
  });

  test("what is there is never overwritten, not even where a part is missing", () => {
    make(at("made"), "127.0.0.1");
    const before = FILES.map((name) => pem("made", name));
    const again = make(at("made"), "127.0.0.1");
    expect(again).toMatchObject({
      status: 1,
      stdout: "",
      stderr: expect.stringContaining("is there already"),
    });
    expect(FILES.map((name) => pem("made", name))).toEqual(before);
    for (const name of FILES.filter((file) => file !== "key.pem")) rmSync(at("made", name));
    expect(make(at("made"), "127.0.0.1").status).toBe(1);
    expect(readdirSync(at("made"))).toEqual(["key.pem"]);
  });

  test("a renewed client, or server, is of the same CA, so that the other side needs nothing new", async () => {
    make(at("made"), "127.0.0.1");
    const old = clientOf("made");
    const oldServer = pem("made", "server-cert.pem");
    expect(make("--renew-client", at("made")).status).toBe(0);
    const renewed = clientOf("made");
    expect(renewed.ca).toBe(old.ca);
    expect(renewed.cert).not.toBe(old.cert);
    expect(renewed.key).not.toBe(old.key);
    expect(pem("made", "server-cert.pem")).toBe(oldServer);
    expect(await ask("made", renewed)).toBe("welcome");

    expect(make("--renew-server", at("made"), "127.0.0.1", "new.example.com").status).toBe(0);
    expect(await ask("made", renewed, "new.example.com")).toBe("welcome");
    expect(readdirSync(at("made")).sort()).toEqual(FILES);
  });

  const ALL_NAMES = ["127.0.0.1", "::1", "docker.example.com"];

  test("the daemons' certificate keeps its names where none are given, and takes new ones beside them", async () => {
    make(at("made"), ...ALL_NAMES);
    const old = pem("made", "server-cert.pem");
    expect(make("--renew-server", at("made")).status).toBe(0);
    expect(pem("made", "server-cert.pem")).not.toBe(old);
    expect(await ask("made", clientOf("made"))).toBe("welcome");
    expect(await ask("made", clientOf("made"), "docker.example.com")).toBe("welcome");

    const more = make(
      "--renew-server",
      at("made"),
      "new.example.com",
      "Docker.example.com",
      "0:0::1",
      "127.0.0.1",
    );
    expect(more).toMatchObject({ status: 0, stdout: expect.stringContaining("restart dockerd") });
    for (const host of ["127.0.0.1", "docker.example.com", "new.example.com"])
      expect(await ask("made", clientOf("made"), host)).toBe("welcome");
  });

  test("a renewal that would drop a daemon's name is refused with that name, and changes nothing", () => {
    make(at("made"), ...ALL_NAMES);
    const before = FILES.map((name) => pem("made", name));
    const { status, stdout, stderr } = make("--renew-server", at("made"), "127.0.0.1", "new.example.com");
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain("is also for 0:0:0:0:0:0:0:1 docker.example.com: give all names");
    expect(stderr).toContain("DOCKER_HOSTS (dockerHosts)");
    expect(FILES.map((name) => pem("made", name))).toEqual(before);
    expect(readdirSync(at("made")).sort()).toEqual(FILES);
  });

  test("without the daemons' certificate there are no names to keep: they have to be given", () => {
    make(at("made"), "127.0.0.1");
    rmSync(at("made", "server-cert.pem"));
    expect(make("--renew-server", at("made"))).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("to take the names from: give those that stand in DOCKER_HOSTS"),
    });
    expect(make("--renew-server", at("made"), "new.example.com").status).toBe(0);
  });

  test("without the CA's key nothing is renewed, and a key of another CA changes nothing", () => {
    make(at("made"), "127.0.0.1");
    make(at("other"), "127.0.0.1");
    const cert = pem("made", "cert.pem");
    rmSync(at("made", "ca-key.pem"));
    expect(make("--renew-client", at("made"))).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("ca-key.pem: bring it back"),
    });
    spawnSync("cp", [at("other", "ca-key.pem"), at("made", "ca-key.pem")]);
    expect(make("--renew-client", at("made"))).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("nothing was changed"),
    });
    expect(pem("made", "cert.pem")).toBe(cert);
    expect(readdirSync(at("made")).sort()).toEqual(FILES);
  });

  test.for([
    [[], "no folder"],
    [["folder"], "no name of a daemon"],
    [["folder", "tcp://10.0.0.5:2376"], "without tcp:// and port"],
    [["folder", "10.0.0.256"], "10.0.0.256 is neither"],
    [["folder", "10.0.0"], "10.0.0 is neither"],
    [["folder", "a.example.com,IP:10.0.0.5"], "is neither"],
    [["--renew", "folder"], "no option --renew"],
    [["--renew-client"], "no folder"],
    [["--renew-client", "folder", "10.0.0.5"], "nothing else"],
    [["--renew-server"], "no folder"],
  ] as const)("%j is refused with the fix, and nothing is made", ([args, fix]) => {
    const { status, stdout, stderr } = spawnSync(SCRIPT, args, { cwd: temporary.path, encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain(fix);
    expect(stderr).toContain("usage:");
    expect(readdirSync(temporary.path)).toEqual([]);
  });
});
