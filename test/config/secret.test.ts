import {
  GetSecretValueCommand,
  SecretsManagerClient,
  SecretsManagerServiceException,
} from "@aws-sdk/client-secrets-manager";
import { type AwsStub, mockClient } from "aws-sdk-client-mock";
import { beforeEach, describe, expect, test } from "vitest";
import { ConfigError } from "../../shared/config/reader.ts";
import { parseSecret, secretReader } from "../../shared/config/secret.ts";
import { SECRET_NAMES } from "../../shared/variables.ts";

const ID = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:Canary-a1B2c3";
const START_MS = Date.parse("2026-11-23T10:00:00.000Z");
const MINUTE_MS = 60_000;

/** An error as the SDK throws it for the service's answer. */
const answered = (name: string, httpStatusCode: number, message = "no") =>
  new SecretsManagerServiceException({
    name,
    message,
    $fault: httpStatusCode >= 500 ? "server" : "client",
    $metadata: { httpStatusCode },
  });
const network = (code: string) => Object.assign(new Error(`connect ${code} 10.0.0.7:443`), { code });

describe("reading the secret", () => {
  // biome-ignore lint/suspicious/noExplicitAny: the stub is generic in the service's inputs and outputs
  let service: AwsStub<any, any, any>;
  let nowMs: number;
  let warnings: string[];
  let read: (maxAgeMs: number) => Promise<string>;
  beforeEach(() => {
    service = mockClient(SecretsManagerClient);
    nowMs = START_MS;
    warnings = [];
    read = secretReader(new SecretsManagerClient({ region: "eu-west-1" }), ID, {
      now: () => nowMs,
      warn: (line) => warnings.push(line),
    });
  });
  const holds = (SecretString: string) => service.on(GetSecretValueCommand).resolves({ SecretString });
  const fails = (error: Error) => service.on(GetSecretValueCommand).rejects(error);
  const asked = () => service.commandCalls(GetSecretValueCommand).length;

  test("the value is kept for as long as the caller allows, and read again from then on", async () => {
    holds("first");
    expect(await read(MINUTE_MS)).toBe("first");
    expect(service.commandCalls(GetSecretValueCommand)[0]!.args[0].input).toEqual({ SecretId: ID });
    holds("second");
    nowMs += MINUTE_MS - 1;
    expect(await read(MINUTE_MS)).toBe("first");
    expect(asked()).toBe(1);
    nowMs += 1;
    expect(await read(MINUTE_MS)).toBe("second");
    expect(await read(MINUTE_MS)).toBe("second");
    expect(asked()).toBe(2);
  });

  test("an age of zero reads it each time, and a caller who wants it fresher gets it fresher", async () => {
    holds("first");
    for (let i = 1; i <= 3; i += 1) {
      await read(0);
      expect(asked()).toBe(i);
    }
    nowMs += 2_000;
    holds("second");
    expect(await read(MINUTE_MS)).toBe("first");
    expect(await read(2_000)).toBe("second");
  });

  test("the time that a read takes counts to the value's age", async () => {
    service.on(GetSecretValueCommand).callsFake(async () => {
      nowMs += 3_000;
      return { SecretString: "slow" };
    });
    await read(5_000);
    nowMs += 2_000;
    await read(5_000);
    expect(asked()).toBe(2);
  });

  const PASSING: [string, Error][] = [
    ["throttled", answered("ThrottlingException", 400, "Rate exceeded")],
    ["a server's error", answered("InternalServiceError", 500)],
    ["unavailable", answered("ServiceUnavailable", 503)],
    ["a timeout", Object.assign(new Error("socket hang up after 3000 ms"), { name: "TimeoutError" })],
    ["no way to it", network("ECONNREFUSED")],
    ["no address", network("ENOTFOUND")],
  ];
  test.for(PASSING)("%s, with a value at hand: it goes on with it, and warns", async ([, error]) => {
    holds("kept");
    await read(0);
    fails(error);
    nowMs += 10 * MINUTE_MS;
    expect(await read(0)).toBe("kept");
    expect(warnings).toEqual([
      expect.stringContaining(`the secret ${ID} could not be read (${error.name}: `),
    ]);
    expect(warnings[0]).toContain("going on with what was read before");
    holds("rotated");
    expect(await read(0)).toBe("rotated");
    expect(warnings).toHaveLength(1);
  });

  test.for(PASSING)("%s, with nothing at hand: an error with the way to look", async ([, error]) => {
    fails(error);
    await expect(read(0)).rejects.toThrow(ConfigError);
    await expect(read(0)).rejects.toThrow(/could not be read .*check the function's way to Secrets Manager/);
    expect(warnings).toEqual([]);
    holds("there");
    expect(await read(0)).toBe("there");
  });

  test("while Secrets Manager is down, not every request waits for it", async () => {
    holds("kept");
    await read(MINUTE_MS);
    nowMs += MINUTE_MS;
    service.on(GetSecretValueCommand).callsFake(async () => {
      nowMs += 6_000;
      throw network("ETIMEDOUT");
    });
    for (let i = 0; i < 5; i += 1) expect(await read(MINUTE_MS)).toBe("kept");
    expect(asked()).toBe(2);
    expect(warnings).toHaveLength(1);
    nowMs += MINUTE_MS;
    await read(MINUTE_MS);
    expect(asked()).toBe(3);
  });

  test.for([
    ["no such secret", answered("ResourceNotFoundException", 400, "can't find the specified secret")],
    ["no right to it", answered("AccessDeniedException", 400, "not authorized")],
    ["a key that is disabled", answered("DecryptionFailure", 400)],
    ["marked for deletion", answered("InvalidRequestException", 400)],
  ] as [string, Error][])("%s is an error, even with a value at hand", async ([, error]) => {
    holds("kept");
    await read(0);
    fails(error);
    await expect(read(0)).rejects.toThrow(ConfigError);
    await expect(read(0)).rejects.toThrow(
      new RegExp(`the secret ${ID} could not be read \\(${error.name}: .*role may read it`),
    );
    expect(warnings).toEqual([]);
  });

  test("binary is an error, even with a value at hand", async () => {
    holds("kept");
    await read(0);
    service.on(GetSecretValueCommand).resolves({ SecretBinary: Buffer.from("bytes") });
    await expect(read(0)).rejects.toThrow(`the secret ${ID} is binary: give a JSON text like`);
  });

  test("neither the value nor an address is in a warning or an error", async () => {
    holds("ValueOfTheSecret");
    await read(0);
    fails(new Error("connect to https://user:hunter22@10.0.0.7/ failed"));
    await read(0);
    fails(answered("AccessDeniedException", 400));
    const { message } = await read(0).then(
      () => expect.unreachable(),
      (error: Error) => error,
    );
    expect([...warnings, message].join("\n")).not.toMatch(/ValueOfTheSecret|hunter22|10\.0\.0\.7/);
  });
});

describe("the secret's value", () => {
  test("is an object of texts, named like the variables", () => {
    const whole = Object.fromEntries(SECRET_NAMES.map((name) => [name, `value of ${name}`]));
    expect(parseSecret(JSON.stringify(whole), ID, SECRET_NAMES)).toEqual(whole);
    expect(parseSecret("{}", ID, SECRET_NAMES)).toEqual({});
  });

  const HIDDEN = "Sup3rSecretValue";
  test.for([
    ["nothing", "", "is not JSON: give an object like"],
    ["text", HIDDEN, "is not JSON: give an object like"],
    ["lines of a shell", `ADMIN_TOKEN=${HIDDEN}`, "is not JSON: give an object like"],
    ["JSON with a comma too many", `{"ADMIN_TOKEN": "${HIDDEN}",}`, "is not JSON: give an object like"],
    ["JSON cut off", `{"ADMIN_TOKEN": "${HIDDEN}`, "is not JSON: give an object like"],
    ["a list", `["${HIDDEN}"]`, "is not a JSON object: give one like"],
    ["a text in quotes", `"${HIDDEN}"`, "is not a JSON object: give one like"],
    ["a number", "40961237", "is not a JSON object: give one like"],
    ["null", "null", "is not a JSON object: give one like"],
    [
      "a number as token",
      `{"ADMIN_TOKEN": 40961237}`,
      "has a ADMIN_TOKEN that is not a text: put it in quotes",
    ],
    ["no token", `{"ADMIN_TOKEN": null}`, "has a ADMIN_TOKEN that is not a text: put it in quotes"],
    [
      "a token in an object",
      `{"ADMIN_TOKEN": {"value": "${HIDDEN}"}}`,
      "has a ADMIN_TOKEN that is not a text",
    ],
    [
      "a name that is nearly right",
      `{"ADMIN_TOKE": "${HIDDEN}", "REDIS_TOKEN": "${HIDDEN}"}`,
      "has ADMIN_TOKE, REDIS_TOKEN, which means nothing: it may hold LIBSQL_AUTH_TOKEN, ",
    ],
    [
      "name and value taken for one another",
      `{"xoxb-${HIDDEN}": "ADMIN_TOKEN"}`,
      "has a name that is none, which means nothing",
    ],
    ["a variable that is no secret", `{"PATH": "${HIDDEN}"}`, "has PATH, which means nothing"],
    ["a name of the prototype", `{"__proto__": "${HIDDEN}"}`, "has a name that is none, which means nothing"],
  ] as const)("%s is refused, by its name and with the fix", ([, text, says]) => {
    let message = "";
    try {
      parseSecret(text, ID, SECRET_NAMES);
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      ({ message } = error as Error);
    }
    expect(message).toContain(`the secret ${ID} ${says}`);
    expect(message).not.toContain(HIDDEN);
    expect(message).not.toContain("40961237");
  });
});
