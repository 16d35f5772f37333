import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { withDeadline } from "../../shared/deadline.ts";
import { describeError, SourceError } from "../../shared/errors.ts";

describe("a deadline", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const never = () => new Promise<never>(() => {});
  const failure = (work: Promise<unknown>): Promise<Error> =>
    work.then(
      () => Promise.reject(new Error("it was to fail")),
      (error) => error,
    );

  test("gives what came in time", async () => {
    expect(await withDeadline(1000, async () => 7)).toBe(7);
  });

  test("passes on the failure that came in time", async () => {
    const error = new TypeError("fetch failed");
    expect(await failure(withDeadline(1000, () => Promise.reject(error)))).toBe(error);
    const thrown = withDeadline(1000, () => {
      throw error;
    });
    expect(await failure(thrown)).toBe(error);
  });

  test("cuts work that ignores its signal", async () => {
    const cut = failure(withDeadline(1000, never));
    await vi.advanceTimersByTimeAsync(999);
    expect(await Promise.race([cut, "waiting"])).toBe("waiting");
    await vi.advanceTimersByTimeAsync(1);
    expect(await cut).toEqual(new SourceError("no answer within 1000 ms"));
  });

  test("aborts work that heeds its signal, and its own error replaces that of the work", async () => {
    const heeding = (signal: AbortSignal) =>
      new Promise<never>((_, reject) => {
        signal.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
      });
    const cut = failure(withDeadline(1000, heeding));
    await vi.advanceTimersByTimeAsync(1000);
    expect(await cut).toEqual(new SourceError("no answer within 1000 ms"));
  });

  test("aborts the signal when the work is done, so that nothing of it goes on", async () => {
    let seen: AbortSignal | undefined;
    await withDeadline(1000, async (signal) => {
      seen = signal;
      expect(signal.aborted).toBe(false);
    });
    expect(seen?.aborted).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("what fails after the cut troubles nobody", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const late = (): Promise<never> =>
      new Promise((_, reject) => setTimeout(() => reject(new Error("too late")), 5000));
    const cut = failure(withDeadline(1000, late));
    await vi.advanceTimersByTimeAsync(6000);
    expect(await cut).toBeInstanceOf(SourceError);
    vi.useRealTimers();
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  test("an end of the whole ends the part, with the whole's reason", async () => {
    const whole = new AbortController();
    const cut = failure(withDeadline(1000, never, whole.signal));
    whole.abort(new SourceError("no answer within 500 ms"));
    expect(await cut).toEqual(new SourceError("no answer within 500 ms"));
  });

  test("where the whole has ended already, the part does not wait", async () => {
    const over = AbortSignal.abort(new SourceError("no answer within 500 ms"));
    expect(await failure(withDeadline(1000, never, over))).toEqual(
      new SourceError("no answer within 500 ms"),
    );
  });

  test("a part that ended leaves nothing behind on the whole", async () => {
    const whole = new AbortController();
    const removed = vi.spyOn(whole.signal, "removeEventListener");
    await withDeadline(1000, async () => 7, whole.signal);
    expect(removed).toHaveBeenCalledOnce();
  });
});

describe("what an operator reads of an error", () => {
  const withCode = (code: string, message = "x") => Object.assign(new Error(message), { code });

  test.each([
    "ECONNREFUSED",
    "ETIMEDOUT",
    "ENOTFOUND",
    "UND_ERR_CONNECT_TIMEOUT",
    "CERT_HAS_EXPIRED",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "SELF_SIGNED_CERT_IN_CHAIN",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "ERR_TLS_CERT_ALTNAME_INVALID",
  ])("a failure of the network is named by its code: %s", (code) => {
    expect(describeError(withCode(code, "connect to https://user:pw@host"))).toBe(code);
  });

  test("the code of the cause below fetch's own words", () => {
    const error = new TypeError("fetch failed", {
      cause: new Error("socket", { cause: withCode("ECONNRESET") }),
    });
    expect(describeError(error)).toBe("ECONNRESET");
  });

  test("a text for the operator is kept, also of a cause", () => {
    expect(describeError(new SourceError("the token was refused (401)"))).toBe("the token was refused (401)");
    expect(describeError(new Error("x", { cause: new SourceError("no such table") }))).toBe("no such table");
  });

  test.each([
    "request to https://canary:hunter2@db.example.com/v2?token=hunter2 failed",
    "libsql://db.example.com?authToken=hunter2",
    "bad reply (redis+tls://:hunter2@r:6379)",
    "HTTPS://HUNTER:hunter2@DB.EXAMPLE.COM refused",
  ])("no address and no credential of it: %s", (message) => {
    const text = describeError(new Error(message));
    expect(text).not.toMatch(/hunter2|example\.com|:6379/i);
    expect(text).toContain("(address)");
  });

  test("a code of the application is not taken for one of the network", () => {
    expect(describeError(withCode("SQLITE_ERROR", "no such table: runs"))).toBe("no such table: runs");
  });

  test("one line, which is whole: who prints it takes secrets out, and then cuts it", () => {
    expect(describeError(new Error("first\n  second\tthird"))).toBe("first second third");
    expect(describeError(new Error("x".repeat(5000)))).toHaveLength(5000);
  });

  test.each([
    ["a text", "a text"],
    [undefined, "undefined"],
    [null, "null"],
    [42, "42"],
  ])("something that is no error was thrown: %j", (thrown, text) => {
    expect(describeError(thrown)).toBe(text);
  });

  test("causes that go round in a circle end", () => {
    const error = new Error("round");
    error.cause = error;
    expect(describeError(error)).toBe("round");
  });
});
