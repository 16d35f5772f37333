/** Sends a test to the channels, and says what each answered. Nothing of it is remembered. */
import { withDeadline } from "../deadline.ts";
import { formatInstant } from "../time.ts";
import { type Alert, type Channel, dedupKeyOf, makeAlert } from "./alert.ts";
import type { Sender, Senders } from "./channels/channel.ts";
import { linksOf } from "./links.ts";

/** What one channel made of a test. */
export interface ChannelTest {
  readonly channel: Channel;
  /** It confirmed that it has the alert. */
  readonly ok: boolean;
  /** What it answered, without secrets. */
  readonly answer: string;
}

export interface AlertTest {
  /** The names of the channels that there are. */
  readonly channels: readonly Channel[];
  readonly results: readonly ChannelTest[];
}

interface TestSource {
  readonly alerts: {
    readonly senders: Senders;
    readonly environment: string;
    readonly statusUrl: string | null;
  };
  readonly redact: (text: string) => string;
  readonly now: () => number;
}

const POST_DEADLINE_MS = 5_000;

function testAlert({ alerts, redact, now }: TestSource, action: Alert["action"]): Alert {
  const { environment, statusUrl } = alerts;
  const [atMs, at] = [now(), formatInstant(now())];
  return makeAlert(
    {
      key: `${at}/test/${action}`,
      kind: "test",
      action,
      atMs,
      dedupKey: `${dedupKeyOf(environment, null)}/test`,
      environment,
      invariantId: null,
      title: "A test of this channel",
      severity: "minor",
      summary: "Somebody tried whether alerts arrive here. Nothing is wrong.",
      lines: [],
      runbook: null,
      context: [`sent ${at}`],
      statusUrl,
      links: { invariant: null, runbook: null, status: linksOf(statusUrl).status },
    },
    redact,
  );
}

const wordsOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

async function tryChannel(source: TestSource, channel: Channel, sender: Sender): Promise<ChannelTest> {
  const send = (action: Alert["action"]) =>
    withDeadline(POST_DEADLINE_MS, (signal) => sender.send([testAlert(source, action)], signal));
  const result = (ok: boolean, answer: string) => ({ channel, ok, answer: source.redact(answer) });
  let opened: string;
  try {
    opened = await send("trigger");
  } catch (error) {
    return result(false, wordsOf(error));
  }
  if (!sender.holdsOpen) return result(true, opened);
  try {
    // Nothing is left open by a test.
    return result(true, `${opened}, resolved: ${await send("resolve").catch(() => send("resolve"))}`);
  } catch (error) {
    return result(false, `${opened}, but the test is open still: ${wordsOf(error)}`);
  }
}

/**
 * Sends one test alert to each channel, whatever its limits and the silences are.
 * @param only the name of the one channel to try; left out: all
 * @returns no result where there is no such channel
 */
export async function testAlerts(source: TestSource, only?: Channel): Promise<AlertTest> {
  const { senders } = source.alerts;
  const chosen = Object.entries(senders).filter(([name]) => only === undefined || name === only);
  const results = await Promise.all(chosen.map(([name, sender]) => tryChannel(source, name, sender)));
  return { channels: Object.keys(senders), results };
}
