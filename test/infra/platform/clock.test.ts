/** The platform's own time. */
import { describe, expect, test } from "vitest";
import { scaledClock, timestamp } from "../../../infra/platform/clock.ts";

describe("a scaled clock", () => {
  test("a day passes in a moment, and instants stay those of the wall clock", async () => {
    const clock = scaledClock(864_000);
    const before = Date.now();
    const elapsedMs = clock.elapsed();
    await clock.sleep(86_400_000);
    expect(clock.elapsed() - elapsedMs).toBeGreaterThan(80_000_000);
    expect(clock.now() - before).toBeLessThan(60_000);
  });

  test("a jump moves what is written, back and forth, and no wait", async () => {
    const clock = scaledClock();
    const elapsedMs = clock.elapsed();
    clock.jump(7_200_000);
    expect(clock.now() - Date.now()).toBeGreaterThan(7_100_000);
    expect(clock.elapsed() - elapsedMs).toBeLessThan(60_000);
    clock.jump(-10_800_000);
    expect(clock.now() - Date.now()).toBeLessThan(-3_500_000);
  });

  test("a wait that is cut ends with the reason, also where it was cut before", async () => {
    const clock = scaledClock();
    const controller = new AbortController();
    const sleeping = clock.sleep(3_600_000, controller.signal);
    const reason = new Error("stopped");
    controller.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
    for (const ms of [1, 0, -1]) await expect(clock.sleep(ms, controller.signal)).rejects.toBe(reason);
  });

  test("a wait of months is not taken for none", async () => {
    const controller = new AbortController();
    const sleeping = scaledClock().sleep(2 ** 33, controller.signal);
    let isOver = false;
    void sleeping.then(
      () => {
        isOver = true;
      },
      () => {},
    );
    await scaledClock().sleep(20);
    expect(isOver).toBe(false);
    controller.abort();
  });

  test("a scale that is none is refused", () => {
    for (const scale of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => scaledClock(scale)).toThrow(`the scale is ${scale}: give a number above 0`);
  });

  test("an instant is written in UTC with microseconds", () => {
    expect(timestamp(Date.UTC(2026, 4, 18, 10, 30, 0, 123))).toBe("2026-05-18T10:30:00.123000Z");
  });
});
