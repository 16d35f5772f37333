import { expect, test } from "vitest";
import { lookedFor } from "../../../shared/sources/sql/looked-for.ts";
import { placeText } from "../../../shared/sources/sql/schema.ts";
import { SQLITE } from "../../../shared/sources/sqlite/dialect.ts";

const of = (fact: Parameters<typeof lookedFor>[0]) =>
  Object.fromEntries(lookedFor(fact, SQLITE).map((place) => [placeText(place), place.isNeeded]));

test("a table or a column without which there is no such fact is needed", () => {
  expect(of("sessions")).toMatchObject({
    "table schedule_executions": true,
    "column schedule_executions.claude_session_id": true,
  });
});

test("what a fact goes without is looked for, and not needed", () => {
  expect(of("executions")).toMatchObject({
    "table schedule_executions": true,
    "column schedule_executions.lease_expires_at": false,
    "table agent_schedules": false,
    "column agent_schedules.timeout_seconds": false,
  });
  expect(of("orphans")).toMatchObject({ "table agent_ownership": true, "table agent_reports": false });
});
