/** Read tokens as a variable and as a setting: names and hashes, and never a token. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { parseEnvironment, variablesOf } from "../../infra/environments.ts";
import { API, API_SECRET_NAMES, loadAccess } from "../../shared/config/api.ts";
import { ConfigError } from "../../shared/config/reader.ts";

const ADMIN_TOKEN = "correct-horse-battery-staple";
const hashOf = (token: string) => createHash("sha256").update(token).digest("hex");
const [ADA, GRAFANA] = [hashOf("ada's token of 24 or more"), hashOf("grafana's token of 24 or more")];

const load = (READ_TOKENS: string, more = {}) => loadAccess({ ADMIN_TOKEN, READ_TOKENS, ...more }).readTokens;
function problemsOf(work: () => unknown): readonly string[] {
  try {
    work();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

test("any number of names with hashes; spaces, a comma at the end and upper case do no harm", () => {
  expect(load("")).toEqual([]);
  expect(load(` ada:${ADA.toUpperCase()} , grafana.prod@ops : ${GRAFANA},`)).toEqual([
    { name: "ada", sha256: ADA },
    { name: "grafana.prod@ops", sha256: GRAFANA },
  ]);
  const many = Array.from({ length: 500 }, (_, i) => `reader-${i}:${hashOf(String(i))}`);
  expect(load(many.join(","))).toHaveLength(500);
  expect(API.readTokens.format(load(many.join(",")))).toBe(many.join(","));
});

test.for<[string, string, RegExp]>([
  [
    "a token in place of its hash",
    "ada:hunter2-hunter2-hunter2-hunter2",
    /no hash for ada: give the SHA-256 .* `printf/,
  ],
  ["a hash that was cut", `ada:${ADA.slice(1)}`, /no hash for ada/],
  ["a hash alone", ADA, /an entry 1 without a usable name: give name:sha256/],
  ["a name with a space", `grafana:${GRAFANA},ada l:${ADA}`, /an entry 2 without a usable name/],
  ["no name", `:${ADA}`, /an entry 1 without a usable name/],
  ["one name twice", `ada:${ADA},ada:${GRAFANA}`, /names ada twice: give each token a name of its own/],
  ["one token for two", `ada:${ADA},bob:${ADA}`, /one hash for ada and bob: give each a token of its own/],
  ["the admin's name", `admin:${ADA}`, /names admin, which is the name of the admin token/],
  ["the admin token", `ada:${hashOf(ADMIN_TOKEN)}`, /gives ada the admin token/],
])("%s: an error that says what to give, without the value", ([, value, problem]) => {
  const problems = problemsOf(() => load(value));
  expect(problems).toEqual([expect.stringMatching(problem)]);
  expect(problems[0]).toMatch(/^READ_TOKENS /);
  expect(problems.join()).not.toMatch(/hunter2|[0-9a-f]{40}/);
});

test("with signatures there are no tokens, of readers neither", () => {
  expect(problemsOf(() => load(`ada:${ADA}`, { API_AUTH: "iam" }))).toEqual([
    expect.stringMatching(/^READ_TOKENS can't be with API_AUTH=iam/),
  ]);
  expect(load("", { API_AUTH: "iam" })).toEqual([]);
});

const SMALL = {
  libsqlUrl: "https://db.example.com",
  redisUrl: "none",
  dockerHosts: "none",
  queueCountsUrl: "none",
  functionUrl: { auth: "bearer" },
  removal: "delete",
};

test("an environment's setting becomes the API function's variable, and not the cycle function's", () => {
  const settings = parseEnvironment("small", {
    ...SMALL,
    readTokens: { ada: ADA, grafana: GRAFANA.toUpperCase() },
  });
  expect(variablesOf("small", settings, "api").READ_TOKENS).toBe(`ada:${ADA},grafana:${GRAFANA}`);
  expect(variablesOf("small", settings, "cycle").READ_TOKENS).toBeUndefined();
  expect(variablesOf("small", parseEnvironment("small", SMALL), "api").READ_TOKENS).toBeUndefined();
});

test.for<[string, object, RegExp]>([
  ["a token in place of its hash", { ada: "hunter2" }, /^small\.readTokens\.ada: give the SHA-256/],
  ["a name with a comma", { "a,b": ADA }, /^small\.readTokens\.a,b: .*letters, digits/],
  ["one token for two", { ada: ADA, bob: ADA }, /^small\.readTokens has one hash for ada and bob/],
  [
    "more than a function's variables hold",
    Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`reader-${i}`, hashOf(String(i))])),
    /^small\.readTokens: 60 tokens make some \d{4} bytes .* put them into the API's secret, as READ_TOKENS$/,
  ],
])("%s in the settings: the field, and what to give", ([, readTokens, problem]) => {
  const problems = problemsOf(() => parseEnvironment("small", { ...SMALL, readTokens }));
  expect(problems).toEqual([expect.stringMatching(problem)]);
  expect(problems.join()).not.toContain("hunter2");
});

test("not with signatures; and what does not fit may be in the API's secret", () => {
  const iam = { ...SMALL, functionUrl: { auth: "iam", callers: [] }, readTokens: { ada: ADA } };
  expect(problemsOf(() => parseEnvironment("small", iam))).toEqual([
    expect.stringMatching(/^small\.readTokens can't be with functionUrl\.auth iam/),
  ]);
  expect(API_SECRET_NAMES).toEqual(["ADMIN_TOKEN", "READ_TOKENS"]);
});
