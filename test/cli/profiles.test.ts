/** `canary --env prod`: the file of profiles, its errors, and who wins. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadProfile, profilesPath } from "../../shared/config/profiles.ts";
import { ConfigError } from "../../shared/config/reader.ts";
import { runHere } from "../support/cli.ts";
import { useCanaries } from "../support/cycle.ts";
import { TOKEN, useServedCanaries } from "../support/served-canary.ts";

const folder = mkdtempSync(join(tmpdir(), "canary-profiles-"));
afterAll(() => rmSync(folder, { recursive: true }));
const FILE = join(folder, "profiles.json");

/** Writes the file, which only its owner may read. */
function write(profiles: object | string, mode = 0o600): { CANARY_PROFILES: string } {
  writeFileSync(FILE, typeof profiles === "string" ? profiles : JSON.stringify(profiles));
  chmodSync(FILE, mode);
  return { CANARY_PROFILES: FILE };
}
const prod = { url: "https://canary.example.com/", token: "secret-of-prod" };

/** What is wrong with the profile `prod` of that file. */
function problemsOf(profiles: object | string, name = "prod"): string[] {
  try {
    loadProfile(name, () => {}, write(profiles));
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).problems.map((line) => line.replace(FILE, "FILE"));
  }
  throw new Error("nothing was wrong");
}

test("the file is the one of CANARY_PROFILES, else that of XDG_CONFIG_HOME, else that of the home folder", () => {
  expect(profilesPath({ CANARY_PROFILES: "/a.json", XDG_CONFIG_HOME: "/x" })).toBe("/a.json");
  expect(profilesPath({ XDG_CONFIG_HOME: "/x" })).toBe("/x/trinity-canary/profiles.json");
  expect(profilesPath({})).toMatch(/\/\.config\/trinity-canary\/profiles\.json$/);
});

test("a profile has an address, and a token, the command of one, or AWS signatures", () => {
  const iam = { url: "https://abc.lambda-url.eu-west-1.on.aws", auth: "iam" };
  const staging = { url: "http://10.0.0.5:8787", tokenCommand: "pass canary", platform: prod };
  const env = write({ prod, iam, staging });
  const load = (name: string) => loadProfile(name, () => expect.unreachable(), env);
  expect(load("prod")).toMatchObject({
    url: "https://canary.example.com",
    auth: { token: "secret-of-prod" },
  });
  expect(load("iam").auth).toEqual({ region: "eu-west-1" });
  expect(load("staging")).toMatchObject({
    auth: { tokenCommand: "pass canary" },
    platform: { url: "https://canary.example.com", auth: { token: "secret-of-prod" } },
  });
});

test.each<[string, object | string, string]>([
  [
    "a field that there is not",
    { prod: { ...prod, tokn: "x" } },
    "FILE: prod.tokn is no field of it: did you mean token?",
  ],
  ["no address", { prod: { token: "x" } }, "FILE: prod.url is missing: give its address"],
  [
    "no token",
    { prod: { url: prod.url } },
    "FILE: prod.token is missing: give it, or tokenCommand, whose output is the token",
  ],
  [
    "two tokens",
    { prod: { ...prod, tokenCommand: "x" } },
    "FILE: prod has token and tokenCommand: leave one of them out",
  ],
  [
    "an address with a user",
    { prod: { ...prod, url: "https://me:hunter2@x" } },
    "FILE: prod.url is not an address: give one like https://canary.example.com",
  ],
  ["a number", { prod: { ...prod, url: 1 } }, "FILE: prod.url is not a text, or an empty one"],
  [
    "signatures without a region",
    { prod: { url: prod.url, auth: "iam" } },
    "FILE: prod.region is missing: its url does not say which region to sign for",
  ],
  [
    "a platform without a token",
    { prod: { ...prod, platform: { url: prod.url } } },
    "FILE: prod.platform.token is missing: give it, or tokenCommand, whose output is the token",
  ],
  [
    "no object",
    { prod: "https://x" },
    "FILE: prod is not an object: give it the fields url, token, tokenCommand, auth, region, platform",
  ],
  ["another name", { prdo: prod, staging: prod }, "--env prod: FILE has no such profile: did you mean prdo?"],
  [
    "no such name",
    { live: prod, staging: prod },
    "--env prod: FILE has no such profile: there are live, staging",
  ],
  ["a list", [], 'FILE is not an object: give {"prod": {"url": "https://…", "tokenCommand": "…"}}'],
])("%s: the error names the file, the field and the mend", (_, profiles, message) => {
  expect(problemsOf(profiles)).toContain(message);
});

test("a file that is not JSON is said with the place, and without a word of it", () => {
  const [problem, ...more] = problemsOf('{"prod": {"url": "https://x", "token": "hunter2" "auth"}}');
  expect(problem).toMatch(/^FILE is not JSON \(line 1 column \d+\)$/);
  expect(more).toEqual([]);
});

test("a name like __proto__ is no profile", () => {
  expect(problemsOf({ prod }, "__proto__")).toEqual([
    "--env __proto__: FILE has no such profile: there are prod",
  ]);
  expect(problemsOf({ prod }, "pro\u001b[2Jd")[0]).not.toContain("\u001b");
});

test.each([
  [0o600, prod, []],
  [0o644, prod, ["FILE holds a token and may be read by others: chmod 600 it, or use tokenCommand"]],
  [0o644, { url: prod.url, tokenCommand: "pass canary" }, []],
  [0o666, { url: prod.url, tokenCommand: "pass canary" }, ["FILE may be changed by others: chmod 600 it"]],
])(
  "a file with mode %o is warned about where a secret or a command is not safe in it",
  (mode, profile, warnings) => {
    const said: string[] = [];
    loadProfile("prod", (line) => said.push(line.replace(FILE, "FILE")), write({ prod: profile }, mode));
    expect(said).toEqual(warnings);
  },
);

describe("a canary that is served", () => {
  const canaryOf = useCanaries();
  const served = useServedCanaries();
  let url: string;
  beforeAll(async () => {
    const { deps, cycle } = await canaryOf();
    await cycle();
    url = (await served(deps)).CANARY_URL;
  });

  test("is found by --env, before or after the command; the profile wins over CANARY_URL", async () => {
    const elsewhere = { CANARY_URL: "http://127.0.0.1:1", CANARY_TOKEN: "token-of-another" };
    const env = { ...write({ prod: { url, token: TOKEN } }), ...elsewhere };
    for (const args of [
      ["--env", "prod", "status"],
      ["status", "--env", "prod"],
    ])
      expect(await runHere(env, args)).toMatchObject({
        code: 0,
        err: "",
        out: expect.stringContaining("green"),
      });
    expect(await runHere(env, ["status"])).toMatchObject({
      code: 254,
      err: expect.stringMatching(/^CANARY_URL does not answer/),
    });
  });

  test("gets what the command prints, and never the token of CANARY_TOKEN", async () => {
    const command = { prod: { url, tokenCommand: `printf '%s\\n' ${TOKEN}` } };
    expect(await runHere(write(command), ["status", "--env", "prod"])).toMatchObject({ code: 0, err: "" });
    const missing = { ...write({ prod: { url } }), CANARY_TOKEN: TOKEN };
    expect((await runHere(missing, ["status", "--env", "prod"])).err).toContain("prod.token is missing");
  });

  test.each([
    ["exit 3", "failed (exit code 3)"],
    ["true", "printed nothing"],
    ["echo two words", "printed more than a token"],
  ])("a tokenCommand like `%s` is said with its place", async (tokenCommand, what) => {
    const { code, err, out } = await runHere(write({ prod: { url, tokenCommand } }), [
      "status",
      "--env",
      "prod",
    ]);
    expect([code, out]).toEqual([254, ""]);
    expect(err).toContain(`${FILE}: prod.tokenCommand ${what}`);
  });

  test("that refuses the token: the entry is named, and not CANARY_TOKEN, and which token will do", async () => {
    const env = write({ prod: { url, token: "wrong" } });
    const refused = `${FILE}: prod.token was refused: give the canary's admin token`;
    const { err } = await runHere(env, ["status", "--env", "prod"]);
    expect(err).toBe(`${refused}, or one that may only read\n`);
    expect((await runHere(env, ["cycle", "--env", "prod"])).err).toBe(`${refused}\n`);
  });
});

test("the fleet takes the platform of the profile, and doctor no environment", async () => {
  const env = write({ prod, staging: { ...prod, platform: { url: "http://127.0.0.1:1", token: "t" } } });
  const none = await runHere(env, ["fleet", "status", "--env", "prod"]);
  expect(none).toMatchObject({
    code: 254,
    err: expect.stringContaining(`${FILE}: prod.platform is missing`),
  });
  const dead = await runHere(env, ["fleet", "status", "--env", "staging"]);
  expect(dead).toMatchObject({ code: 2, out: expect.stringContaining("the fleet on http://127.0.0.1:1") });
  const doctor = await runHere(env, ["doctor", "--env", "prod"]);
  expect(doctor).toMatchObject({ code: 254, err: expect.stringContaining("leave --env out") });
});

test("without the file, --env says what to make", async () => {
  mkdirSync(join(folder, "empty"));
  const { err, code } = await runHere({ XDG_CONFIG_HOME: join(folder, "empty") }, [
    "status",
    "--env",
    "prod",
  ]);
  expect(code).toBe(254);
  expect(err).toMatch(/^--env prod: there is no .*profiles\.json: make it with \{"prod"/);
});
