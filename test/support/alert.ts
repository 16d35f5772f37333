/** An alert whose texts do not matter. */
import { type Alert, makeAlert } from "../../shared/alerts/alert.ts";
import type { Sender } from "../../shared/alerts/channels/channel.ts";

/** A channel that gets one alert in each message. */
export const oneByOne = (send: (alert: Alert, signal: AbortSignal) => Promise<unknown>): Sender => ({
  together: 1,
  holdsOpen: false,
  send: async ([alert], signal) => {
    await send(alert!, signal);
    return "ok";
  },
});

export const ANY_ALERT: Alert = makeAlert(
  {
    key: "k",
    kind: "broke",
    environment: "test",
    invariantId: "S-02",
    title: "t",
    severity: "critical",
    summary: "s",
    lines: [],
    runbook: null,
    context: [],
    statusUrl: null,
  },
  (text) => text,
);
