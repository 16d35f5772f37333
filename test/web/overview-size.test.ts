/** The first page stays small in the worst case: every invariant red, and its bars alternating. */
import pMap from "p-map";
import { expect, test } from "vitest";
import { NEVER_JUDGED } from "../../shared/alerts/state.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { formatInstant } from "../../shared/time.ts";
import { commit, MINUTE_MS, NO_DEADLINE, useCanaries } from "../support/cycle.ts";
import { pageBrowsers } from "../support/page-browser.ts";

const canaryOf = useCanaries();
const { signedIn } = pageBrowsers(canaryOf);
const allOf = <T>(value: T) => Object.fromEntries(INVARIANTS.map(({ id }) => [id, value]));

test("1,000 red subjects in every invariant, with long names beyond ASCII: less than 200 kB", async () => {
  const { ask, canary } = await signedIn();
  const names = Array.from({ length: 1_000 }, (_, i) => `агент-${i}-${"я".repeat(36)}`);
  const { snapshot_time } = await canary.cycle();
  const record = (await canary.store.history.getCycle(snapshot_time, canary.now()))!;
  const lease = await canary.store.lease.acquire("another", canary.now(), 60_000);
  if ("busyUntilMs" in lease) throw new Error("the lease is another's");
  const sinceMs = canary.now() - MINUTE_MS;
  const red = Object.fromEntries(names.map((name) => [name, { sinceMs, keys: ["k"] }]));
  const states = allOf({ ...NEVER_JUDGED, status: "red" as const, sinceMs, red, checked: 1_000 });
  await commit(canary.store, lease, { ...lease.memory, states });
  const write = (i: number) => {
    const cycle = {
      ...record,
      snapshot_time: formatInstant(Date.parse(snapshot_time) - i * 5 * MINUTE_MS),
      verdicts: allOf({
        status: i % 2 ? ("red" as const) : ("unknown" as const),
        checked: 1_000,
        unseen: [],
        reason: null,
      }),
      found: allOf({
        violations: 1_000 + (i % 7),
        first_violation_id: null,
        summary: `${names.slice(0, 5).join(", ")} and 995 more`,
      }),
    };
    return canary.store.evidence.write(
      { cycle, violations: [], fullCycleAtMs: null },
      canary.now(),
      NO_DEADLINE,
    );
  };
  await pMap(
    Array.from({ length: 287 }, (_, i) => i + 1),
    write,
    { concurrency: 4 },
  );
  const { status, text } = await ask("/");
  expect(status).toBe(200);
  expect(text).toContain("more</li>");
  expect(Buffer.byteLength(text)).toBeLessThan(200_000);
});
