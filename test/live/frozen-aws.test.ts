/** A function is frozen between two events, and the ends of its pooled sockets are lost meanwhile: AWS still answers. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RequestOrder, Service } from "../support/aws-child.ts";
import { type LostFinProxy, startLostFinProxy } from "../support/lost-fin-proxy.ts";

const ANSWERS: Record<Service, string> = {
  dynamodb: "{}",
  patient: '{"TableNames": []}',
  secretsmanager: '{"SecretString": "{}"}',
  sns: '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>',
};
const SERVICES = Object.keys(ANSWERS) as Service[];
/** More than a request has tries. */
const POOLED = 5;
/** Longer than the canary's clients keep an idle socket. */
const FROZEN_MS = 4_500;
const FOR_EVER = 600_000;

let child: ChildProcess;
const servers: Server[] = [];
const proxies = {} as Record<Service, LostFinProxy>;

beforeAll(async () => {
  for (const service of SERVICES) {
    const server = createServer((request, response) => {
      const type = service === "sns" ? "text/xml" : "application/x-amz-json-1.1";
      request.resume().on("end", () => response.setHeader("content-type", type).end(ANSWERS[service]));
    });
    server.keepAliveTimeout = FOR_EVER;
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    servers.push(server);
    const target = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    proxies[service] = await startLostFinProxy({ target });
  }
  const env = {
    AWS_REGION: "eu-west-1",
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
    PATH: process.env.PATH,
  };
  child = fork(fileURLToPath(new URL("../support/aws-child.ts", import.meta.url)), { execArgv: [], env });
});
afterAll(async () => {
  child?.disconnect();
  for (const proxy of Object.values(proxies)) await proxy.close();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

async function send(service: Service, atOnce: number): Promise<unknown> {
  child.send({ service, url: proxies[service].url, atOnce } satisfies RequestOrder);
  const [answer] = await once(child, "message");
  return answer;
}

test("sockets that were pooled before a freeze do no harm after it", async () => {
  for (const service of SERVICES) expect([service, await send(service, POOLED)]).toEqual([service, ""]);
  child.kill("SIGSTOP");
  for (const proxy of Object.values(proxies)) proxy.loseFins();
  await setTimeout(FROZEN_MS);
  // The first request waits when the process goes on.
  const first = send("dynamodb", 1);
  child.kill("SIGCONT");
  expect(await first).toBe("");
  expect(await send("secretsmanager", 1)).toBe("");
  expect(await send("sns", 1)).toBe("");
  // Where nothing ends them, one request fails in all its tries.
  expect(await send("patient", 1)).toBe("ECONNRESET");
});
