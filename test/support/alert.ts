/** An alert whose texts do not matter. */
import { type Alert, makeAlert } from "../../shared/alerts/alert.ts";

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
