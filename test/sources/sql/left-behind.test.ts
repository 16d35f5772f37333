/** A database that the platform has left, as after a migration, is heard of in the first cycle that sees runs hold slots. */
import { expect, test } from "vitest";
import type { Readings, Slot } from "../../../shared/facts/facts.ts";
import { databaseIsThePlatforms } from "../../../shared/invariants/h-02-database-is-the-platforms.ts";
import { evaluate } from "../../../shared/verdict/evaluate.ts";
import { NOW_MS, readingsOf, secondsAgo, slotsOf } from "../../support/facts.ts";
import { BACKENDS, memoryPlatform } from "../../support/sql-facts.ts";

const at = (seconds: number) => new Date(NOW_MS - seconds * 1000).toISOString().replace("Z", "000Z");
const slot = (id: string, score: number): Slot => ({
  id,
  score,
  ttlSeconds: 3_000,
  expiresAtSeconds: null,
  timeoutSeconds: 3_600,
});

/** What Redis says of the platform, which goes on elsewhere. */
const ELSEWHERE = slotsOf({
  ruby: [slot("new-1", secondsAgo(20)), slot("new-2", secondsAgo(10))],
  cornelius: [slot("new-3", secondsAgo(5))],
});

test.each(BACKENDS)("left behind in %s", async (backend) => {
  const platform = await memoryPlatform(backend);
  for (const agent_name of ["ruby", "cornelius"]) await platform.insert("agent_ownership", { agent_name });
  const judged = async () => {
    const { readings } = await platform.readAll(NOW_MS);
    const all: Readings = { ...readingsOf({ slots: ELSEWHERE }), ...readings };
    return evaluate(databaseIsThePlatforms, all);
  };
  // As it was when the platform was stopped: finished runs, one that ran, one that waited, one that was to be retried.
  const migrated = 400;
  for (let i = 0; i < 100; i += 1)
    await platform.addRun({
      id: `old-${i}`,
      started_at: at(migrated + 60 + i),
      completed_at: at(migrated + i),
    });
  await platform.addRun({ id: "ran", status: "running", started_at: at(migrated) });
  await platform.addRun({
    id: "waited",
    status: "queued",
    started_at: at(migrated),
    queued_at: at(migrated),
  });
  await platform.addRun({
    id: "retried",
    status: "pending_retry",
    started_at: at(migrated + 30),
    completed_at: at(migrated + 10),
    retry_scheduled_at: at(-60),
  });
  expect(await judged()).toMatchObject({
    status: "red",
    findings: [
      { observed: { slot_count: 3, newest_row_at: at(migrated).replace("000Z", "Z"), behind_seconds: 395 } },
    ],
  });

  // The platform writes here after all: any row of it says so, whatever became of the run.
  await platform.addRun({
    id: "parked",
    agent_name: "cornelius",
    status: "pending_retry",
    started_at: at(90),
  });
  expect((await judged()).status).not.toBe("red");
  platform.client.close();
});
