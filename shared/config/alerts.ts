/** The variables of alerts, but for those of the channels. */
import { matching, oneOf, onOff, text, wholeNumber } from "./variable.ts";

export const ALERTS = {
  environment: text("CANARY_ENVIRONMENT", {
    meaning: "what this canary is called in alerts, in its log and in the dimension of its metrics",
    fallback: "local",
  }),
  statusUrl: text("CANARY_STATUS_URL", {
    meaning: "the address that an alert links to; a deployed canary links to its own status page",
    checks: [
      matching(
        /^https?:\/\/\S+$/,
        () => "is no address: give the https:// address of the status page, or leave it out",
      ),
    ],
  }),
};

export const ALERT_POLICY = {
  onRecovery: onOff("ALERT_ON_RECOVERY", {
    meaning: "`off`: nobody is told of a recovery",
    fallback: true,
  }),
  onSpread: onOff("ALERT_ON_SPREAD", {
    meaning: "`off`: nobody is told of a subject that joins what is red already",
    fallback: true,
  }),
  remindAfterHours: wholeNumber("ALERT_REMIND_HOURS", {
    meaning: "how many hours after it was last told a red is told again (0: never)",
    fallback: 24,
    range: [0, 720],
  }),
  minSeverity: oneOf("ALERT_MIN_SEVERITY", {
    meaning: "`critical`, `major` or `minor`: nobody is told of less",
    fallback: "minor",
    names: ["critical", "major", "minor"],
  }),
  blindAfterCycles: wholeNumber("ALERT_BLIND_CYCLES", {
    meaning:
      "after how many cycles in a row that could not judge an invariant, or read a source, it is told as blind",
    fallback: 3,
    range: [1, 100],
  }),
};
