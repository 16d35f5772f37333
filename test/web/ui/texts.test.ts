/** Commands to copy: a shell sends any name exactly, and executes no part of it. */
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { plainJson } from "../../../shared/text.ts";
import { curl, plain } from "../../../shared/web/ui/texts.ts";

const NAMES = [
  "ruby",
  "it's",
  '"quoted"',
  "$(touch /tmp/owned) `id` $HOME",
  "; rm -rf / #",
  "a\nb",
  "\\",
  "-x",
  "!history",
  "שלום",
  "a\u202eb",
  "'\\''",
];

/** Runs the command in a POSIX shell with a token, and returns the arguments of curl. */
function wordsOf(command: string): string[] {
  const script = `curl() { for word in "$@"; do printf '%s\\037' "$word"; done; }\n${command}`;
  const env = { PATH: process.env.PATH, CANARY_TOKEN: "t0ken" };
  return execFileSync("sh", ["-c", script], { env, encoding: "utf8" }).split("\u001f").slice(0, -1);
}

test.each(NAMES)("a silence of %j", (subject) => {
  const body = { invariant_id: "S-02", subject, reason: subject };
  const words = wordsOf(
    curl({ origin: "https://canary.example.com", formToken: "t" }, "POST", "/api/canary/silences", body),
  );
  expect(words.slice(0, 6)).toEqual([
    "-X",
    "POST",
    "-H",
    "Authorization: Bearer t0ken",
    "-H",
    "Content-Type: application/json",
  ]);
  expect(JSON.parse(words[7]!)).toEqual(body);
  expect(words.slice(8)).toEqual(["https://canary.example.com/api/canary/silences"]);
});

test("an address with what a shell would take for its own is one word", () => {
  const words = wordsOf(
    curl(
      { origin: "https://a'$(id).example.com", formToken: "t" },
      "GET",
      "/api/canary/violations?limit=1000&tier=A",
    ),
  );
  expect(words.at(-1)).toBe("https://a'$(id).example.com/api/canary/violations?limit=1000&tier=A");
});

test("what can't be seen is shown as its code, and JSON stays the same JSON", () => {
  expect(plain("a\u202eb\u0000c\u200bd")).toBe("a\\u202eb\\u0000c\\u200bd");
  expect(plain("naïve שלום 👩\u200d🚀")).toBe("naïve שלום 👩\u200d🚀");
  const value = { "k\u202e": ["\u2066x\u0007", { n: 1 }] };
  expect(plainJson(value)).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/u);
  expect(JSON.parse(plainJson(value))).toEqual(value);
});

test("where AWS signatures are asked for, the command signs with the shell's credentials", () => {
  const command = curl(
    { origin: "https://canary.example.com", formToken: null },
    "GET",
    "/api/canary/status",
  );
  expect(command).toContain('--aws-sigv4 "aws:amz:$AWS_REGION:lambda"');
  expect(command).not.toContain("CANARY_TOKEN");
});
