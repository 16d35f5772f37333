/** The command line against a function URL that asks for AWS signatures. AWS's own signer checks each. */
import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import { beforeEach, describe, expect, test } from "vitest";
import { serve } from "../../infra/local/serve.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { createApp } from "../../shared/web/app.ts";
import { runCanary } from "../support/cli.ts";
import { useCanaries } from "../support/cycle.ts";

const KEYS = {
  AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
  AWS_SECRET_ACCESS_KEY: "secret-of-the-test",
  AWS_SESSION_TOKEN: "session",
};

const hash = (secret?: string | Uint8Array) => {
  const made = secret === undefined ? createHash("sha256") : createHmac("sha256", secret);
  return {
    update: (data: string | Uint8Array) => void made.update(data),
    digest: async () => new Uint8Array(made.digest()),
    reset() {},
  };
};
const signer = new SignatureV4({
  service: "lambda",
  region: "eu-west-1",
  applyChecksum: false,
  credentials: {
    accessKeyId: KEYS.AWS_ACCESS_KEY_ID,
    secretAccessKey: KEYS.AWS_SECRET_ACCESS_KEY,
    sessionToken: KEYS.AWS_SESSION_TOKEN,
  },
  sha256: function Sha256(secret?: string | Uint8Array) {
    return hash(secret);
  } as never,
});

/** Whether the request has the signature that AWS's signer makes for it. */
async function isSigned(request: Request): Promise<boolean> {
  const given = request.headers.get("authorization") ?? "";
  const names = /SignedHeaders=([^,]+)/.exec(given)?.[1]?.split(";") ?? [];
  const url = new URL(request.url);
  const date = request.headers.get("x-amz-date");
  if (date === null) return false;
  const headers = Object.fromEntries(
    names.map((name) => [name, name === "host" ? url.host : request.headers.get(name)!]),
  );
  const expected = await signer.sign(
    {
      method: request.method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers,
      body: new Uint8Array(await request.clone().arrayBuffer()),
    },
    {
      signingDate: new Date(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z")),
      signableHeaders: new Set(names),
    },
  );
  const signatureOf = (text: string | undefined) => /Signature=(\w+)/.exec(text ?? "")?.[1];
  return (
    signatureOf(given) !== undefined && signatureOf(given) === signatureOf(expected.headers.authorization)
  );
}

const canary = (env: Record<string, string>, ...args: string[]) =>
  runCanary({ AWS_EC2_METADATA_DISABLED: "true", ...env }, args);

describe("a function URL with auth iam", () => {
  const canaryOf = useCanaries();
  let url: Awaited<ReturnType<typeof serve>>;
  let remote: Record<string, string>;
  beforeEach(async () => {
    const { deps } = await canaryOf();
    const app = createApp({
      canary: deps,
      runCycle: (request) => runCycle(deps, request),
      adminToken: null,
      logError: () => {},
    });
    // Like the function URL: an unsigned request never reaches the function.
    const fetch = async (request: Request) =>
      (await isSigned(request))
        ? app.fetch(request, { event: { requestContext: { authorizer: { iam: {} } } } })
        : Response.json({ Message: "Forbidden" }, { status: 403 });
    url = await serve({ fetch }, 0);
    remote = { CANARY_URL: url.url, CANARY_AUTH: "iam", AWS_REGION: "eu-west-1" };
    return url.close;
  });

  test("is called with the AWS credentials at hand, with a body and with a query", async () => {
    const env = { ...remote, ...KEYS };
    expect(await canary(env, "cycle")).toMatchObject({ code: 0, err: "" });
    expect(await canary(env, "violations", "--since", "2026-11-23T10:00:00Z")).toMatchObject({
      code: 0,
      err: "",
    });
  });

  test("says so where there are no credentials, or wrong ones", async () => {
    const none = await canary(remote, "status");
    expect(none).toMatchObject({ code: 254, err: expect.stringContaining("no AWS credentials were found") });
    const wrong = await canary({ ...remote, ...KEYS, AWS_SECRET_ACCESS_KEY: "another" }, "status");
    expect(wrong).toMatchObject({ code: 254, err: expect.stringContaining("may not call it") });
  });

  test("a caller with a token learns that a signature is needed", async () => {
    const { CANARY_URL } = remote;
    const refused = await canary({ CANARY_URL: CANARY_URL!, CANARY_TOKEN: "token" }, "status");
    expect(refused).toMatchObject({ code: 254, err: expect.stringContaining("CANARY_AUTH=iam") });
  });

  test("lets nothing in that it has not checked: a right-looking header is no signature", async () => {
    const { deps } = await canaryOf();
    const app = createApp({
      canary: deps,
      runCycle: (request) => runCycle(deps, request),
      adminToken: null,
      logError: () => {},
    });
    const headers = { authorization: "AWS4-HMAC-SHA256 Credential=x" };
    for (const path of ["/healthz", "/api/canary/status"])
      expect((await app.request(path, { headers })).status).toBe(401);
  });
});
