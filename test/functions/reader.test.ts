/** The reader's bundle as Lambda runs it, invoked as the cycle function does, with a secret that holds the certificate. */
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { bundleFunction } from "../../infra/aws/bundle.ts";
import { type StubDaemons, startStubDaemons } from "../../infra/local/stub-daemons.ts";
import { lambdaReader } from "../../shared/sources/docker/lambda-reader.ts";
import { readByReaders } from "../../shared/sources/docker/readers.ts";
import { ACCOUNT, REGION } from "../support/built-functions.ts";
import { type LambdaProcess, startLambda } from "../support/lambda-runtime.ts";
import { type InvokeFault, type LambdaService, startLambdaService } from "../support/lambda-service.ts";
import { temporaryFolder } from "../support/live.ts";
import { type Secret, type SecretsManager, startSecretsManager } from "../support/secrets-manager.ts";

const ARN = `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:Reader-a1B2c3`;
const NAME = "trinity-canary-prod-reader-0123abcd";

describe("two daemons behind a function", () => {
  let stubs: StubDaemons;
  let secrets: SecretsManager;
  let lambda: LambdaService;
  let reader: LambdaProcess;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  const secret: Secret = { value: "{}", fault: "none" };
  let certificate: Record<string, string>;

  beforeAll(async () => {
    folder = await temporaryFolder();
    [stubs, secrets, lambda] = await Promise.all([
      startStubDaemons({ daemons: 2, containers: 2 }),
      startSecretsManager({ [ARN]: secret }),
      startLambdaService(),
      bundleFunction("functions/reader.ts", folder.path),
    ]);
    const files = Object.entries(stubs.env).map(async ([name, path]) => [name, await readFile(path, "utf8")]);
    certificate = Object.fromEntries(await Promise.all(files));
    secret.value = JSON.stringify(certificate);
    reader = await startLambda(
      {
        name: NAME,
        asset: folder.path,
        handler: "index.handler",
        environment: { CANARY_SECRET_ID: ARN },
        timeoutSeconds: 300,
        memoryMb: 512,
      },
      { AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url },
    );
    lambda.add(NAME, reader.invoke);
    for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]) vi.stubEnv(name, "local");
  }, 120_000);
  afterAll(async () => {
    vi.unstubAllEnvs();
    for (const part of [reader, lambda, secrets, stubs]) await part?.close();
    await folder?.remove();
  });

  const read = (name = NAME, deadlineMs = 60_000) =>
    readByReaders({
      hosts: stubs.hosts,
      wanted: new Set(["zombies", "containers"]),
      unfinished: [],
      deadlineMs,
      signal: new AbortController().signal,
      daemonsEach: 5,
      callReader: lambdaReader({ name, region: REGION, endpoint: lambda.url }),
    });
  /** Why each daemon is unread, once. */
  const whyUnread = async (...how: Parameters<typeof read>) => {
    const outcomes = await read(...how);
    return [...new Set(outcomes.map((one) => ("unread" in one ? one.unread : "read")))];
  };

  test("one call reads both, with the certificate of its secret, of which nothing is printed", async () => {
    const outcomes = await read();
    for (const [n, outcome] of outcomes.entries())
      expect(outcome).toMatchObject({
        host: stubs.hosts[n],
        running: [{ isPullMode: true, poolSize: 3 }, { isPullMode: true }],
        processes: expect.arrayContaining([expect.objectContaining({ agent: `d${n}-c0`, zombiePids: [9] })]),
        unfinished: null,
      });
    expect(lambda.events.map(({ name }) => name)).toEqual([NAME]);
    expect(new Set(secrets.asked)).toEqual(new Set([ARN]));
    const [, keyLine = ""] = certificate.DOCKER_TLS_KEY!.split("\n");
    expect(keyLine.length).toBeGreaterThan(20);
    expect(reader.output()).not.toContain(keyLine);
  });

  test.for<[InvokeFault, string]>([
    ["throttled", "its reader: it was not started: Lambda runs as many functions as it may"],
    ["denied", "its reader: Lambda answered HTTP 403"],
    ["http 500", "its reader: Lambda answered HTTP 500"],
    ["timed out", "its reader: it did not end within its time limit"],
    ["crashed", "its reader: it failed (Runtime.ExitError): its log says more"],
    ["too large", "its reader: it failed (Function.ResponseSizeTooLarge): its log says more"],
    ["odd", "the answer of its reader is not that of a reader"],
  ])("%s: the daemons are unread, and a line says why", async ([fault, why]) => {
    lambda.fault = fault;
    expect(await whyUnread()).toEqual([why]);
    lambda.fault = "none";
  });

  test("one that does not answer is late", async () => {
    lambda.fault = "hangs";
    expect(await whyUnread(NAME, 100)).toEqual(["its reader: no answer within 97 ms"]);
    lambda.fault = "none";
  });

  test("a secret that holds anything else is refused, and its values are in no line", async () => {
    secret.value = JSON.stringify({ ...certificate, UPSTASH_REDIS_REST_TOKEN: "TokenOfTheTest0123456789" });
    expect(await whyUnread()).toEqual(["its reader: its configuration can't be used: its log says more"]);
    expect(reader.output()).toContain("UPSTASH_REDIS_REST_TOKEN");
    expect(reader.output()).not.toContain("TokenOfTheTest0123456789");
    secret.value = JSON.stringify(certificate);
    expect(await whyUnread()).toEqual(["read"]);
  });
});
