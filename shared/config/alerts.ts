/** The variables of alerts, except those of the channels. */
import { headerToken, oneOf, onOff, text, webAddress, wholeNumber } from "./variable.ts";

export const ALERTS = {
  environment: text(
    "CANARY_ENVIRONMENT",
    "what this canary is called in alerts, in its log and in the dimension of its metrics",
    { fallback: "local" },
  ),
  statusUrl: text(
    "CANARY_STATUS_URL",
    "the address that an alert links to; a deployed canary links to its own status page",
    {
      checks: [webAddress("give the https:// address of the status page, or leave it out")],
    },
  ),
  runbooksUrl: text(
    "RUNBOOKS_URL",
    "where the runbooks are that alerts and pages link to: `{id}` in it becomes the invariant's id, and without it `/S-02.md` is put behind it. Not set: the status page has them",
    {
      checks: [webAddress("give the https:// address of a copy of docs/runbooks, or leave it out")],
    },
  ),
  heartbeatUrl: text(
    "HEARTBEAT_URL",
    "an address that is asked (GET) after each full cycle, with `/fail` behind its path where the cycle did not count: a watcher outside of the account then sees a dead canary. A secret: anyone who has it can say that the canary lives",
    {
      secret: true,
      checks: [headerToken, webAddress("give the https:// address that the watcher shows, or leave it out")],
    },
  ),
};

export const ALERT_POLICY = {
  onRecovery: onOff(
    "ALERT_ON_RECOVERY",
    "`off`: no message for a recovery. What is open at the webhook, PagerDuty or EventBridge is closed there all the same",
    { fallback: true },
  ),
  onSpread: onOff("ALERT_ON_SPREAD", "`off`: no alert for a subject that joins an open red", {
    fallback: true,
  }),
  remindAfterHours: wholeNumber(
    "ALERT_REMIND_HOURS",
    "how many hours after its last alert an open red gets another one (0: never)",
    { fallback: 24, range: [0, 720] },
  ),
  minSeverity: oneOf(
    "ALERT_MIN_SEVERITY",
    "`critical`, `major` or `minor`: no alert for anything less severe. A channel with a limit of its own keeps to that one",
    {
      fallback: "minor",
      names: ["critical", "major", "minor"],
    },
  ),
  blindAfterCycles: wholeNumber(
    "ALERT_BLIND_CYCLES",
    "after how many cycles in a row in which an invariant could not be judged, or a source not be read, an alert says so",
    { fallback: 3, range: [1, 100] },
  ),
};
