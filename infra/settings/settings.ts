/** What can be set of an environment: the schema of its entry. */
import { z } from "zod";
import { ALERTS } from "../../shared/config/alerts.ts";
import { API } from "../../shared/config/api.ts";
import { FunctionUrl, ReadTokens, readersOf } from "./access.ts";
import { AlertSettings, ChannelSettings } from "./alerts.ts";
import { CheckSettings } from "./checks.ts";
import { CYCLE_SETTINGS } from "./cycle.ts";
import { checkRules } from "./rules.ts";
import { flagOf, matching, oneOf, wholeNumber, writes } from "./schemas.ts";
import { SOURCE_SETTINGS } from "./sources.ts";

const LOG_DAYS = [1, 3, 7, 14, 30, 60, 90, 180, 365] as const;

const Fields = z.strictObject(
  {
    /** Where it is deployed. Left out: the account of the current credentials. */
    account: matching(/^\d{12}$/, "give an account's twelve digits, as a string").optional(),
    region: matching(/^[a-z]{2}(-[a-z]+)+-\d$/, "give a region such as eu-west-1").optional(),
    /** Minutes from one cycle to the next. Three must fit into the fifteen after which a canary counts as dead. */
    everyMinutes: wholeNumber(1, 5, "minutes between cycles").default(5),

    ...SOURCE_SETTINGS,

    memoryMb: wholeNumber(256, 10_240, "the functions' memory in MB").default(512),
    cycleTimeoutSeconds: wholeNumber(10, 240, "the cycle function's time limit in seconds").default(90),
    apiTimeoutSeconds: wholeNumber(10, 240, "the API function's time limit in seconds").default(90),
    /** How many requests the API answers at once. Left out: as many as the account allows, shared with the cycles. */
    apiConcurrency: wholeNumber(1, 1000, "how many requests at once").optional(),
    ...CYCLE_SETTINGS,

    checks: CheckSettings.prefault({}),
    alerts: AlertSettings.prefault({}),
    /** The channels' secrets are in the secret. */
    channels: z
      .strictObject({
        slack: ChannelSettings.slack.prefault({}),
        sns: ChannelSettings.sns.prefault({}),
        webhook: ChannelSettings.webhook.prefault({}),
        pagerduty: ChannelSettings.pagerduty.prefault({}),
        eventbridge: ChannelSettings.eventbridge.prefault({}),
      })
      .prefault({}),
    /** Where the runbooks are that alerts link to. Left out: the canary's own page. */
    runbooksUrl: writes(
      ALERTS.runbooksUrl,
      matching(/^https:\/\/\S+$/, "give the https:// address of a copy of docs/runbooks")
        .refine((url) => URL.canParse(url), {
          error: "is not an address: give the https:// address of a copy of docs/runbooks",
        })
        .optional(),
      (url) => url ?? null,
    ),
    /** Who gets alarms and alerts by e-mail. Left out: only those who subscribe to the topic. */
    alarmEmail: matching(/^[^\s@]+@[^\s@]+\.[^\s@]+$/, "give an e-mail address").optional(),

    functionUrl: writes(API.auth, FunctionUrl, ({ auth }) => auth),
    /** Whether `/badge.svg`, which shows how many invariants are red, needs no token. */
    publicBadge: flagOf(API.publicBadge),
    /** Who sees everything and changes nothing: the SHA-256 of each one's token, by name. The hashes are no secret. */
    readTokens: writes(API.readTokens, ReadTokens.default({}), readersOf),
    /** How long the functions' logs are kept. */
    logDays: z.literal(LOG_DAYS, { error: `give one of ${LOG_DAYS.join(", ")}` }).default(30),
    /** What becomes of table, secret and logs when the stack is deleted. "keep" also protects the table. */
    removal: oneOf(["keep", "delete"]),
  },
  { error: "give an object of settings" },
);
export type SettingFields = z.output<typeof Fields>;

export const Settings = Fields.superRefine((settings, { addIssue }) =>
  checkRules(settings, (field, message) => addIssue({ code: "custom", path: [field], message })),
);
