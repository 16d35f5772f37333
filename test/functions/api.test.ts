/** The entry point of the function URL, in this process: when a changed secret takes effect. */
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { type AwsStub, mockClient } from "aws-sdk-client-mock";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

const START_MS = Date.parse("2026-11-23T10:00:00.000Z");
const MINUTE_MS = 60_000;
const ONE = "token-1-of-this-function-url";
const TWO = "token-2-of-this-function-url";
const DOMAIN = "id.lambda-url.eu-west-1.on.aws";
const ENV = {
  CANARY_SECRET_ID: "canary",
  STATE_TABLE: "canary",
  AWS_REGION: "eu-west-1",
  AWS_ACCESS_KEY_ID: "local",
  AWS_SECRET_ACCESS_KEY: "local",
  CYCLE_FUNCTION: "canary-cycle",
};

// biome-ignore lint/suspicious/noExplicitAny: the stub is generic in the service's inputs and outputs
let service: AwsStub<any, any, any>;
let nowMs: number;
let logged: string[];
/** The lines from which CloudWatch makes metrics. */
let metrics: string[];
interface Answer {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly cookies?: string[];
}
/** An event as a function URL sends it: cookies outside of the headers, a form in base64. */
let send: (path: string, parts: { headers?: object; cookies?: string[]; form?: object }) => Promise<Answer>;
/** Sends a request with a token and returns the status. */
let ask: (token: string) => Promise<number>;

beforeEach(async () => {
  for (const [name, value] of Object.entries(ENV)) vi.stubEnv(name, value);
  service = mockClient(SecretsManagerClient);
  nowMs = START_MS;
  vi.spyOn(Date, "now").mockImplementation(() => nowMs);
  logged = [];
  for (const method of ["warn", "error"] as const)
    vi.spyOn(console, method).mockImplementation((line) => void logged.push(line));
  metrics = [];
  vi.spyOn(process.stdout, "write").mockImplementation((line) => {
    metrics.push(String(line));
    return true;
  });
  // Each test needs fresh module state.
  vi.resetModules();
  const { handler } = await import("../../functions/api.ts");
  send = async (path, { headers, cookies, form }) => {
    const method = form ? "POST" : "GET";
    const event = {
      version: "2.0",
      rawPath: path,
      rawQueryString: "",
      headers: {
        host: DOMAIN,
        ...(form && { "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin" }),
        ...headers,
      },
      ...(cookies && { cookies }),
      ...(form && { body: Buffer.from(String(new URLSearchParams({ ...form }))).toString("base64") }),
      requestContext: { domainName: DOMAIN, http: { method, path } },
      isBase64Encoded: form !== undefined,
    };
    return (await handler(event as never, { awsRequestId: "request-1" } as never)) as Answer;
  };
  ask = async (token) =>
    (await send("/openapi.json", { headers: { authorization: `Bearer ${token}` } })).statusCode;
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const holds = (SecretString: string) => service.on(GetSecretValueCommand).resolves({ SecretString });
const holdsToken = (ADMIN_TOKEN: string) => holds(JSON.stringify({ ADMIN_TOKEN }));
const reads = () => service.commandCalls(GetSecretValueCommand).length;

test("requests with the right token read the secret once a minute", async () => {
  holdsToken(ONE);
  for (let seconds = 0; seconds < 60; seconds += 5) {
    nowMs = START_MS + seconds * 1000;
    expect(await ask(ONE)).toBe(200);
  }
  expect(reads()).toBe(1);
  nowMs = START_MS + MINUTE_MS;
  expect(await ask(ONE)).toBe(200);
  expect(reads()).toBe(2);
});

test("a new token is let in at its first request, and the old one no more from then on", async () => {
  holdsToken(ONE);
  expect(await ask(ONE)).toBe(200);
  holdsToken(TWO);
  nowMs += 2_000;
  expect(await ask(ONE)).toBe(200);
  expect(await ask(TWO)).toBe(200);
  expect(await ask(ONE)).toBe(401);
});

test("an old token that nobody replaces by the new one is let in for a minute at most", async () => {
  holdsToken(ONE);
  await ask(ONE);
  holdsToken(TWO);
  nowMs += MINUTE_MS - 1;
  expect(await ask(ONE)).toBe(200);
  nowMs += 1;
  expect(await ask(ONE)).toBe(401);
});

test("who guesses tokens does not make the function read the secret for each guess", async () => {
  holdsToken(ONE);
  await ask(ONE);
  for (let i = 0; i < 100; i += 1) {
    nowMs += 100;
    expect(await ask(`guess-${i}`)).toBe(401);
  }
  // Ten seconds went by.
  expect(reads()).toBeLessThanOrEqual(1 + 5);
});

test.for([
  ["no JSON", "ADMIN_TOKEN=token-1"],
  ["without the admin token", "{}"],
  ["with a token that no header can carry", '{"ADMIN_TOKEN": "two words are not one token"}'],
  ["with a token that could be guessed", '{"ADMIN_TOKEN": "hunter2"}'],
])("a secret that is %s and is fixed: let in two seconds later, not a minute", async ([, broken]) => {
  holds(broken!);
  expect(await ask(ONE)).toBe(503);
  holdsToken(ONE);
  nowMs += 1_999;
  expect(await ask(ONE)).toBe(503);
  expect(reads()).toBe(1);
  nowMs += 1;
  expect(await ask(ONE)).toBe(200);
  // Then it is read once a minute again.
  nowMs += MINUTE_MS - 1;
  expect(await ask(ONE)).toBe(200);
  expect(reads()).toBe(2);
  expect(logged.join("\n")).toContain("request-1 configuration: ");
  expect(logged.join("\n")).not.toMatch(/token-1|two words|hunter2/);
});

test("a secret that was good and is broken closes the API, and is not what opens it", async () => {
  holdsToken(ONE);
  expect(await ask(ONE)).toBe(200);
  holds("no JSON");
  nowMs += MINUTE_MS;
  expect(await ask(ONE)).toBe(503);
  holdsToken(ONE);
  nowMs += 2_000;
  expect(await ask(ONE)).toBe(200);
});

describe("the status page behind a function URL", () => {
  /** Signs in with a token and returns the cookie. */
  async function cookieOf(token: string): Promise<string> {
    const { statusCode, headers, cookies } = await send("/sign-in", { form: { token } });
    expect([statusCode, headers.location]).toEqual([303, "/"]);
    expect(cookies).toEqual([expect.stringMatching(/^__Host-canary=.*; HttpOnly; Secure; SameSite=Strict$/)]);
    return cookies![0]!.split(";")[0]!;
  }
  /** Requests a page that reads no state. Returns 404 for an authorized viewer, 303 to the sign-in otherwise. */
  const look = async (cookie: string) => (await send("/invariants/X-99", { cookies: [cookie] })).statusCode;

  test("a session is let in, and ends when the token is rotated, within a minute", async () => {
    holdsToken(ONE);
    const cookie = await cookieOf(ONE);
    expect(await look(cookie)).toBe(404);
    holdsToken(TWO);
    nowMs += MINUTE_MS;
    expect(await look(cookie)).toBe(303);
  });

  test("one that began with the new token, before this function heard of it, is let in at its first request", async () => {
    holdsToken(TWO);
    const cookie = await cookieOf(TWO);
    holdsToken(ONE);
    nowMs += MINUTE_MS;
    expect(await look("none=1")).toBe(303);
    holdsToken(TWO);
    nowMs += 2_000;
    expect(await look(cookie)).toBe(404);
  });
});

test.each(["CYCLE_FUNCTION", "STATE_TABLE"])(
  "without %s it says what is missing, and answers nobody",
  async (name) => {
    vi.stubEnv(name, "");
    holdsToken(ONE);
    expect(await ask(ONE)).toBe(503);
    expect(logged.join("\n")).toContain(`request-1 configuration: ${name} is missing`);
  },
);

test("it needs no variable of a source, and one that can't be used does not close it", async () => {
  vi.stubEnv("DOCKER_HOSTS", "not an address");
  holdsToken(ONE);
  expect(await ask(ONE)).toBe(200);
});

test("a wrong token that was the right one a moment ago is not counted, a wrong one is", async () => {
  holdsToken(ONE);
  await ask(ONE);
  holdsToken(TWO);
  nowMs += 2_000;
  expect(await ask(TWO)).toBe(200);
  expect(metrics).toEqual([]);
  expect(await ask("token-3-of-this-function-url")).toBe(401);
  expect(metrics.map((line) => JSON.parse(line))).toMatchObject([
    { WrongTokens: 1, environment: "local", service: "trinity-canary" },
  ]);
});
