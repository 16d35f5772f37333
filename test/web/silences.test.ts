/** The cap on silences, against callers who come at once. */
import { expect, test } from "vitest";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { dynamoStore } from "../../shared/store/store.ts";
import { formatInstant } from "../../shared/time.ts";
import { createApp } from "../../shared/web/app.ts";
import { HOUR_MS, patientClient, useCanaries } from "../support/cycle.ts";

const canaryOf = useCanaries();
const TOKEN = "correct-horse-battery-staple";
const FUNCTIONS = 8;
const POSTS = 24;

test("45 silences, and 24 more at once from each of 8 functions: five are taken, the others hear why not", async () => {
  const { deps, client, table, store, now } = await canaryOf();
  const clients = await Promise.all(Array.from({ length: FUNCTIONS }, () => patientClient(client)));
  const apps = clients.map((own) =>
    createApp({
      canary: { ...deps, store: dynamoStore(own, table) },
      runCycle: (request) => runCycle(deps, request),
      adminToken: TOKEN,
      logError: () => {},
    }),
  );
  const silence = (n: number, subject: string) =>
    apps[n]!.request("/api/canary/silences", {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify({
        invariant_id: "S-01",
        subject,
        until: formatInstant(now() + HOUR_MS),
        reason: "moving house",
      }),
    });
  for (let i = 0; i < 45; i += 1) expect((await silence(0, `before-${i}`)).status).toBe(201);

  const answers = await Promise.all(
    apps.flatMap((_, n) => Array.from({ length: POSTS }, (_, i) => silence(n, `agent-${n}-${i}`))),
  );
  const { silences } = await store.lease.read();
  for (const own of clients) own.destroy();
  const count = (status: number) => answers.filter((answer) => answer.status === status).length;
  expect({ stored: silences.length, taken: count(201), refused: count(409) }).toEqual({
    stored: 50,
    taken: 5,
    refused: FUNCTIONS * POSTS - 5,
  });
  const refused = answers.find((answer) => answer.status === 409)!;
  expect(await refused.json()).toMatchObject({
    code: "too_many_silences",
    detail: "there are 50 silences: end one first",
  });
});
