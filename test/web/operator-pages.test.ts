/** What an operator reads at night and in the morning after: agents, episodes, commands, cycles, runbooks. */
import fc from "fast-check";
import pMap from "p-map";
import { describe, expect, test } from "vitest";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { Markdown } from "../../shared/web/ui/markdown.tsx";
import { agentPath, withoutNames } from "../../shared/web/ui/texts.ts";
import {
  HOUR_MS,
  live,
  MINUTE_MS,
  NO_DEADLINE,
  runningRow,
  type ScriptedCanary,
  slot,
  useCanaries,
} from "../support/cycle.ts";
import { rosterOf, slotsOf } from "../support/facts.ts";
import { pageBrowsers, rowsIn, textOf } from "../support/page-browser.ts";

const canaryOf = useCanaries();
const { signedIn, browserOf } = pageBrowsers(canaryOf);
const leak = (...agents: string[]) => ({
  slots: slotsOf(Object.fromEntries(agents.map((name) => [name, [slot(`exec-of-${name}`)]]))),
});
/** The record of a cycle that has just been run. */
async function recordOf(canary: ScriptedCanary) {
  const { snapshot_time } = await canary.cycle();
  return (await canary.store.history.getCycle(snapshot_time, canary.now()))!;
}
const headingIn = (html: string) => textOf(/<h1>(.*?)<\/h1>/s.exec(html)?.[1] ?? "").trim();
const sectionIn = (html: string, heading: string) =>
  textOf(html.split(`<h2>${heading}</h2>`)[1]?.split("<h2>")[0] ?? "");
const unescaped = (html: string) =>
  html
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");

describe("at 3 a.m., on the first page", () => {
  test("red comes first, the worst of it at the top, and each row says how severe it is", async () => {
    const checks = { severities: { "S-01": "minor", "S-02": "critical" } } as const;
    const { ask, canary } = await signedIn({ canary: await canaryOf({ checks }) });
    const slots = ["e-1", "e-2", "e-3", "e-4"].map((id) => slot(id));
    canary.set({ slots: slotsOf({ alpha: slots }), sessions: new Set(["r-1"]) });
    canary.set({ executions: live(runningRow("r-1", "beta")) });
    await canary.cycle();
    const { text } = await ask("/");
    const shown = rowsIn(text);
    expect(shown.slice(0, 2)).toEqual([
      ["S-02", "red"],
      ["S-01", "red"],
    ]);
    expect(text).toMatch(/<span class="severity minor">minor<\/span><\/p><h3><a href="\/invariants\/S-01">/);
    const greens = shown
      .filter(([, state]) => state === "green")
      .map(([id]) => INVARIANTS.find((i) => i.id === id)!.severity);
    expect(greens).toEqual(
      [...greens].sort(
        (a, b) => ["critical", "major", "minor"].indexOf(a) - ["critical", "major", "minor"].indexOf(b),
      ),
    );
  });

  test("the names stand once, as links to the agents, and not in the sentence before them too", async () => {
    const { ask, canary } = await signedIn();
    canary.set(leak("alpha", "beta"));
    await canary.cycle();
    const row = (await ask("/")).text.split('id="S-01"')[1]!.split('<li class="row')[0]!;
    expect(row).toContain('<a href="/agents/alpha"><bdi dir="auto">alpha</bdi></a>');
    expect(row.match(/>[^<]*alpha/g)).toHaveLength(1);
  });

  test("a cycle's outcome has the words of the heading, also where something is silenced", async () => {
    const { ask, canary, submit } = await signedIn();
    canary.set({ ...leak("alpha"), platformSettings: { maxParallelTasksCeiling: 0 } });
    await canary.cycle();
    await submit("/silences", { invariant: "S-01", length: "2h", reason: "x", back: "/" });
    const { location } = await submit("/run-cycle", { back: "/" });
    const { text } = await ask(location!);
    expect(headingIn(text)).toContain("1 silenced");
    expect(textOf(text)).toContain(`The cycle is done: ${headingIn(text)}.`);
  });

  test("a subject that there is not is refused with the nearest name, in the form as it was typed", async () => {
    const { ask, canary, submit } = await signedIn();
    canary.set({ ...leak("ruby"), roster: rosterOf({ ruby: {} }) });
    await canary.cycle();
    const form = { invariant: "S-01", subject: "rubi", length: "8h", reason: "resizing", back: "/" };
    const { status, text } = await submit("/silences", form);
    expect(status).toBe(422);
    expect(textOf(text)).toMatch(/It was not silenced\. .*ruby/);
    expect(text).toContain('<details id="silence" open');
    expect(text).toContain('value="rubi"');
    expect((await ask("/")).text).toContain('<details id="silence">');
  });

  test("each part of a strip leads to its cycles, and says in words what they found", async () => {
    const { ask, canary } = await signedIn();
    await canary.cycle();
    canary.advance(3 * HOUR_MS);
    canary.set(leak("alpha"));
    const { snapshot_time } = await canary.cycle();
    const row = (await ask("/")).text.split('id="S-01"')[1]!.split("</li>")[0]!;
    const links = [...row.matchAll(/<a href="(\/cycles\?until=[^"]+)" title="([^"]+)">/g)];
    expect(links.map(([, , title]) => title)).toEqual([
      "S-01, 10:05–10:05 UTC: 1 green, 23 missing",
      "S-01, 13:10–13:10 UTC: 1 red, 23 missing",
    ]);
    const list = await ask(links[1]![1]!);
    expect(
      /href="(\/cycles\/[^"]+)"/.exec(list.text.split("<main")[1]!.split('class="facts cycles"')[1]!)?.[1],
    ).toBe(`/cycles/${snapshot_time}`);
  });
});

describe("an agent", () => {
  test("its page says what breaks, what to type with its names, whether that is safe, and what it holds", async () => {
    const { ask, canary } = await signedIn();
    canary.set(leak("alpha"));
    await canary.cycle();
    await canary.cycle();
    const { status, text } = await ask("/agents/alpha");
    expect(status).toBe(200);
    const words = unescaped(textOf(text));
    for (const part of [
      "alpha red On the roster, 1 of 3 slots, 0 running, 0 queued as seen at 10:10",
      "S-01 Slot–row bijection critical since 10:05 ( 5 min ), 2 cycles",
      INVARIANTS.find(({ id }) => id === "S-01")!.impact,
      "ZREM agent:slots:alpha exec-of-alpha",
      "Is that safe?",
      "Execution Acquired Expires in exec-of-alpha 09:50",
      "none is running or queued",
    ])
      expect(words).toContain(part);
    expect(text).toContain('href="/runbooks/S-01"');
    expect(text).toContain('href="/invariants/S-01?subject=alpha#silence"');
  });

  test("once it has recovered its page keeps the episode: since when, until when, how long, how many cycles", async () => {
    const { ask, canary } = await signedIn();
    canary.set(leak("alpha"));
    await canary.cycle();
    await canary.cycle();
    canary.set(leak());
    await canary.cycle();
    const words = textOf((await ask("/agents/alpha")).text);
    expect(words).toContain("alpha green On the roster");
    expect(words).toMatch(/ended S-01 10:05 – 10:15 , 10 min, 2 cycles critical, recovered/);
    const invariant = (await ask("/invariants/S-01")).text;
    expect(sectionIn(invariant, "Earlier episodes")).toMatch(/ended alpha 10:05 – 10:15 , 10 min, 2 cycles/);
    expect(invariant).not.toContain("Red now");
  });

  test("each link of its page and of its invariant leads somewhere, also where a cycle has to wait for its lease", async () => {
    const { ask, canary, logged } = await signedIn();
    canary.stateCalls("lease.acquire", async (...args: Parameters<typeof canary.store.lease.acquire>) => {
      canary.advance(1_234);
      return canary.store.lease.acquire(...args);
    });
    canary.set(leak("alpha"));
    await canary.cycle();
    canary.set({ slots: slotsOf({ alpha: [slot("e-1"), slot("e-2")] }) });
    await canary.cycle();
    canary.set(leak("beta"));
    await canary.cycle();
    for (const path of ["/agents/alpha", "/invariants/S-01"]) {
      const { text } = await ask(path);
      const main = text.split("<main")[1]!;
      const hrefs = new Set([...main.matchAll(/ href="([^"#]+)/g)].map(([, href]) => unescaped(href!)));
      expect([...hrefs].filter((href) => href.startsWith("/cycles/")).length).toBeGreaterThan(1);
      for (const href of hrefs) {
        const first = await ask(href);
        const { status } = first.location?.startsWith("/cycles/") ? await ask(first.location) : first;
        expect([path, href, status]).toEqual([path, href, 200]);
      }
    }
    // What a cycle's start leads to is that cycle, and not the one after it.
    expect((await ask(`/cycles/${new Date(canary.now() + 1).toISOString()}`)).status).toBe(404);
    expect(logged).toEqual([]);
  });

  test("of one that appeared after the last full cycle nobody knows yet whether it is on the roster", async () => {
    const { ask, canary } = await signedIn();
    await canary.cycle();
    canary.set({ ...leak("gamma"), roster: rosterOf({ alpha: {}, gamma: {} }) });
    await canary.cycle("S-01");
    expect(textOf((await ask("/agents/gamma")).text)).toContain("Whether it is on the roster is not known");
    await canary.cycle();
    expect(textOf((await ask("/agents/gamma")).text)).toContain("On the roster");
  });

  test("one that is gone from the roster keeps its page; a name that never was has none", async () => {
    const { ask, canary } = await signedIn();
    canary.set(leak("beta"));
    await canary.cycle();
    canary.set({ ...leak(), roster: rosterOf({ alpha: {} }) });
    await canary.cycle();
    expect(textOf((await ask("/agents/beta")).text)).toMatch(
      /gone Not on the roster.*critical, gone from the roster/,
    );
    const never = await ask("/agents/rubi");
    expect([never.status, headingIn(never.text)]).toEqual([404, "There is no such agent"]);
  });

  test.each([".", "..", "a/b", "a?b#c", "%2e", "100%", "é", "a b", "<b>", "\ud800x", "agents", "-"])(
    "a link to the agent %j leads to that agent",
    async (name) => {
      const { ask, canary } = await signedIn();
      canary.set(leak(name));
      await canary.cycle();
      const { text } = await ask("/agents");
      const [, href = ""] = /<ul class="facts agents">.*?<a href="([^"]+)"/s.exec(text) ?? [];
      // A browser resolves the address as URL does.
      const url = new URL(unescaped(href), "https://canary.example.com");
      const page = await ask(url.pathname + url.search);
      expect([page.status, unescaped(headingIn(page.text))]).toEqual([200, name.replace("\ud800", "\ufffd")]);
    },
  );

  test("in the list what is red comes first, and a part of a name finds it, in any case", async () => {
    const { ask, canary } = await signedIn();
    canary.set({ ...leak("zulu"), roster: rosterOf({ alpha: {}, beta: {}, zulu: {} }) });
    await canary.cycle();
    const namesIn = (html: string) => [...html.matchAll(/href="\/agents\/([^"]+)"/g)].map(([, name]) => name);
    expect(namesIn((await ask("/agents")).text)).toEqual(["zulu", "alpha", "beta"]);
    const filtered = await ask("/agents?q=ET");
    expect(namesIn(filtered.text)).toEqual(["beta"]);
    expect(textOf(filtered.text)).toContain("1 agent of 3, 0 red");
    expect(textOf((await ask("/agents?q=%3Cb%3E")).text)).toContain(
      "No agent's name has that.".replace("'", "&#39;"),
    );
    expect((await ask("/agents?page=9999")).status).toBe(200);
  });
});

test("an address with a time that is none, and a badge with a parameter, are refused by name", async () => {
  const { ask, canary } = await signedIn();
  await canary.cycle();
  for (const address of ["/cycles?until=yesterday", "/cycles?since=x", "/invariants/S-01?before=1"]) {
    const { status, text } = await ask(address);
    const [, name] = /\?(\w+)=/.exec(address)!;
    expect([address, status]).toEqual([address, 422]);
    expect(textOf(text)).toContain(`${name}: give an ISO 8601 time`);
  }
  expect((await ask("/badge.svg")).status).toBe(200);
  const badge = await ask("/badge.svg?style=flat");
  expect([badge.status, JSON.parse(badge.text).detail]).toEqual([
    422,
    "unknown query parameter: style; this route takes none",
  ]);
});

describe("the morning after", () => {
  test("all cycles can be paged through, each once, back and forth, and each leads to its neighbours", async () => {
    const { ask, canary, signIn } = await signedIn();
    const { snapshot_time: _time, ...cycle } = await recordOf(canary);
    canary.advance(40 * HOUR_MS);
    // More than a page's worth close together, and a gap of most of a day before them.
    const times = [
      _time,
      ...Array.from({ length: 120 }, (_, i) => canary.now() - (120 - i) * 5 * MINUTE_MS),
    ].map((time) => new Date(time).toISOString());
    await pMap(
      times.slice(1),
      (snapshot_time) =>
        canary.store.evidence.write(
          { cycle: { ...cycle, snapshot_time }, violations: [], fullCycleAtMs: null },
          canary.now(),
          NO_DEADLINE,
        ),
      { concurrency: 4 },
    );
    await signIn();
    const cyclesIn = (html: string) =>
      [...(html.split('class="facts cycles"')[1] ?? "").matchAll(/href="\/cycles\/([^"?]+)"/g)].map(
        ([, time]) => time!,
      );
    const linkIn = (html: string, rel: string) =>
      new RegExp(`<a href="([^"]+)" rel="${rel}"`).exec(html)?.[1];
    const seen: string[] = [];
    const pages: string[] = [];
    for (let path: string | undefined = "/cycles"; path && pages.length < 10; ) {
      const { text }: { text: string } = await ask(path);
      pages.push(path);
      seen.push(...cyclesIn(text));
      path = linkIn(text, "next");
      if (cyclesIn(text).length === 0) break;
    }
    expect(seen).toEqual([...times].reverse());
    const back: string[] = [];
    for (let path = linkIn((await ask(pages.at(-2)!)).text, "prev"); path; ) {
      const { text }: { text: string } = await ask(path);
      back.unshift(...cyclesIn(text));
      path = linkIn(text, "prev");
    }
    expect(back.length).toBeGreaterThan(0);
    expect(seen.slice(0, back.length)).toEqual(back);

    const middle = (await ask(`/cycles/${times[5]}`)).text;
    expect([linkIn(middle, "prev"), linkIn(middle, "next")]).toEqual([
      `/cycles/${times[4]}`,
      `/cycles/${times[6]}`,
    ]);
    expect(linkIn((await ask(`/cycles/${times[0]}`)).text, "prev")).toBeUndefined();
    expect(linkIn((await ask(`/cycles/${times.at(-1)}`)).text, "next")).toBeUndefined();
  });

  test("a week of durations, latencies and red subjects is drawn, and said in numbers", async () => {
    const { ask, canary } = await signedIn();
    canary.set(leak("alpha", "beta"));
    await canary.cycle();
    const { text } = await ask("/cycles");
    expect(text).toContain('aria-label="Red subjects: red at most 2"');
    expect(text).toMatch(/aria-label="Duration of a cycle: cycle at most [\d,]+ ms"/);
    expect(text).toMatch(/aria-label="Latency of each source: docker at most \d+ ms, queue_counts/);
    expect(textOf(text)).toContain("Day red: median, highest");
    expect(textOf(text)).toContain("2026-11-23 2, 2");
    // An older page of the list needs no plots.
    expect((await ask("/cycles?until=2026-11-23T10:30Z")).text).not.toContain("<figure");
  });

  test("an invariant's episodes go on for pages, and an address that names no place in them is no error of ours", async () => {
    const { ask, canary, logged } = await signedIn();
    for (let i = 0; i < 22; i += 1) {
      canary.set(leak("alpha"));
      await canary.cycle("S-01");
      canary.set(leak());
      await canary.cycle("S-01");
    }
    const first = (await ask("/invariants/S-01")).text;
    const older = /<a href="([^"]+episodes=[^"]+)">/.exec(first)?.[1] ?? "no link";
    const second = (await ask(unescaped(older))).text;
    const count = (html: string) => html.match(/<li class="episode">/g)?.length;
    expect([count(first), count(second)]).toEqual([20, 2]);
    expect((await ask("/invariants/S-01?episodes=made-up")).status).toBe(404);
    expect((await ask("/agents/alpha?episodes=%00")).status).toBe(404);
    expect(logged.filter((line) => !line.includes("cursor"))).toEqual([]);
  });
});

describe("on every page", () => {
  const PATHS = ["/", "/invariants/S-02", "/agents", "/agents/alpha", "/cycles", "/runbooks/S-01"];

  test("what is blind is said with its causes, and how much can't be judged", async () => {
    const { ask, canary } = await signedIn();
    const { snapshot_time } = await canary.cycle();
    canary.unread("slots", "redis: ETIMEDOUT");
    await canary.cycle();
    for (const path of [...PATHS, `/cycles/${snapshot_time}`])
      expect([path, textOf((await ask(path)).text)]).toEqual([
        path,
        expect.stringMatching(
          /Blind since 10:10: redis \(ETIMEDOUT\)\. \d+ of \d+ invariants can.*t be judged/,
        ),
      ]);
  });

  test("a reader sees all of it, who they are, and nothing that changes something", async () => {
    const token = "a-reader-s-token-that-is-long-enough";
    const sha256 = (await import("node:crypto")).createHash("sha256").update(token).digest("hex");
    const { ask, canary, signIn } = await browserOf({ readTokens: [{ name: "night-shift", sha256 }] });
    canary.set(leak("alpha"));
    await canary.cycle();
    await signIn(token);
    for (const path of PATHS) {
      const { status, text } = await ask(path);
      expect([path, status]).toEqual([path, 200]);
      expect(textOf(text)).toContain("Signed in as night-shift");
      expect([
        path,
        [...text.matchAll(/<form method="post" action="([^"]+)"/g)].map(([, action]) => action),
      ]).toEqual([path, ["/sign-out"]]);
      expect(text).not.toContain("#silence");
    }
  });

  test("no count has its plural in brackets", async () => {
    const { ask, canary } = await signedIn();
    canary.set(leak("alpha"));
    const { snapshot_time } = await canary.cycle();
    // The words of an invariant come from its own file.
    for (const path of ["/agents", "/cycles", `/cycles/${snapshot_time}`, "/"])
      expect([path, textOf((await ask(path)).text).match(/(violation|cycle|episode)\(s\)/)]).toEqual([
        path,
        null,
      ]);
  });
});

describe("runbooks", () => {
  test("each invariant has one, its page leads there, and commands can be copied from it", async () => {
    const { ask } = await signedIn();
    for (const { id, title } of INVARIANTS) {
      const { status, text } = await ask(`/runbooks/${id}`);
      expect([id, status, unescaped(headingIn(text))]).toEqual([id, 200, `${id} ${title}`]);
      expect(text).toContain("<pre data-copy");
      expect(text).not.toContain("&lt;!--");
    }
    expect((await ask("/invariants/S-01")).text).toContain('href="/runbooks/S-01"');
    expect((await ask("/runbooks/X-99")).status).toBe(404);
    expect((await ask("/runbooks/..%2f..%2fpackage")).status).toBe(404);
  });

  const render = (text: string) =>
    String(Markdown({ text, linkTo: (target) => (target.startsWith("https://") ? target : null) }));

  test("Markdown becomes what it says", () => {
    const html = render(
      [
        "# One `code`",
        "",
        "A **bold** word and",
        "a [link](https://a.example/x) and [none](../up.md).",
        "",
        "- first",
        "  goes on",
        "- second",
        "  1. within",
        "",
        "| a | b |",
        "| --- | --- |",
        "| 1 \\| 2 | `x` |",
        "",
        "```sh",
        "echo <b> # not a heading",
        "```",
      ].join("\n"),
    );
    expect(html).toBe(
      '<div class="prose"><h1>One <code>code</code></h1>' +
        '<p>A <b>bold</b> word and a <a href="https://a.example/x">link</a> and none.</p>' +
        "<ul><li>first goes on</li><li>second<ol><li>within</li></ol></li></ul>" +
        '<table><thead><tr><th scope="col">a</th><th scope="col">b</th></tr></thead>' +
        '<tbody><tr><td data-of="a">1 | 2</td><td data-of="b"><code>x</code></td></tr></tbody></table>' +
        '<pre data-copy="true">echo &lt;b&gt; # not a heading</pre></div>',
    );
  });

  test("whatever stands in it, no markup of its own reaches the page, and it ends", () => {
    const part = fc.constantFrom(
      "<script>",
      '"',
      "'",
      "`",
      "**",
      "*",
      "[x](javascript:1)",
      '[a](https://b/"onx)',
      "\n",
      "# ",
      "- ",
      "1. ",
      "| ",
      "```",
      "  ",
      "a",
      "<!--",
      "&lt;",
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 60 }), (parts) => {
        const html = render(parts.join(""));
        const tags = [...html.matchAll(/<(\/?)([^\s>]+)([^>]*)>/g)];
        for (const [, , name, attributes] of tags) {
          expect([
            "div",
            "h1",
            "h2",
            "h3",
            "p",
            "ul",
            "ol",
            "li",
            "pre",
            "code",
            "b",
            "em",
            "a",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
          ]).toContain(name);
          expect(attributes).toMatch(
            /^(| class="prose"| scope="col"| data-copy="true"| data-of="[^"]*"| href="https:\/\/[^"]*")$/,
          );
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("texts", () => {
  test.each([
    ["2 slots too many across 1 agent: ruby", ["ruby"], "2 slots too many across 1 agent"],
    ["3 of 3 agents: a, b and 1 more", ["a", "b", "c"], "3 of 3 agents"],
    ["0 rows and 2 slots in redis:agent:slots", ["ruby"], "0 rows and 2 slots in redis:agent:slots"],
    ["the clock is ahead: 3 s", ["ruby"], "the clock is ahead: 3 s"],
    ["across 1 agent: a: b", ["a: b"], "across 1 agent"],
  ])("%j without %j is %j", (summary, names, rest) => {
    expect(withoutNames(summary, names)).toBe(rest);
  });

  test("every name makes an address of its own that a browser leaves as it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (name) => {
        const url = new URL(agentPath(name), "https://canary.example.com");
        const part = url.pathname.slice("/agents/".length);
        expect(url.searchParams.get("name") ?? decodeURIComponent(part)).toBe(name);
      }),
    );
  });
});

test("browsers that ask for an icon of the old address get one, signed in or not", async () => {
  const { ask } = await browserOf();
  const { status, location } = await ask("/favicon.ico");
  expect([status, (await ask(location!)).headers.get("content-type")]).toEqual([301, "image/svg+xml"]);
});
