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
  dynamodb: '{"TableNames": []}',
  secretsmanager: '{"SecretString": "{}"}',
  sns: '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>',
};
const SERVICES = Object.keys(ANSWERS) as Service[];
/** More than a request has tries. */
const POOLED = 5;
const IDLE_MS = 100;
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
  child = fork(fileURLToPath(new URL("../support/aws-child.ts", import.meta.url)), { execArgv: [] });
});
afterAll(async () => {
  child?.disconnect();
  for (const proxy of Object.values(proxies)) await proxy.close();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

async function send(service: Service, idleMs: number, atOnce: number): Promise<unknown> {
  child.send({ service, url: proxies[service].url, atOnce, idleMs } satisfies RequestOrder);
  const [answer] = await once(child, "message");
  return answer;
}

/** Freezes the process for longer than a socket may be idle, and sends one request at once when it goes on. */
async function sendAfterFreeze(service: Service, idleMs: number): Promise<unknown> {
  child.kill("SIGSTOP");
  proxies[service].loseFins();
  await setTimeout(3 * IDLE_MS);
  const answer = send(service, idleMs, 1);
  child.kill("SIGCONT");
  return answer;
}

test("pooled sockets that nothing ends are dead after the freeze: one request fails in all its tries", async () => {
  expect(await send("dynamodb", FOR_EVER, POOLED)).toBe("");
  expect(await sendAfterFreeze("dynamodb", FOR_EVER)).toBe("ECONNRESET");
});

test.each(SERVICES)("%s answers, time and again", async (service) => {
  for (let freeze = 0; freeze < 3; freeze += 1) {
    expect(await send(service, IDLE_MS, POOLED)).toBe("");
    expect(await sendAfterFreeze(service, IDLE_MS)).toBe("");
  }
});
