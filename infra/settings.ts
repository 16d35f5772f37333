/** What can be set of an environment: the schema of its entry, and the variables that its settings become. */
import { z } from "zod";
import { CHANNELS } from "../shared/alerts/channels/index.ts";
import { ALERT_POLICY, ALERTS } from "../shared/config/alerts.ts";
import { API } from "../shared/config/api.ts";
import { CHECKS, offAndOn } from "../shared/config/checks.ts";
import { CYCLE } from "../shared/config/cycle.ts";
import type { Choice, Variable, WholeNumber } from "../shared/config/variable.ts";
import { leaseMs } from "../shared/cycle/lease.ts";
import { INVARIANT_IDS, type InvariantId, KNOWN_IDS } from "../shared/invariants/index.ts";
import { SEVERITIES } from "../shared/invariants/invariant.ts";
import { docker } from "../shared/sources/docker/docker.ts";
import { postgres } from "../shared/sources/postgres/postgres.ts";
import { queueCounts } from "../shared/sources/queue-counts/queue-counts.ts";
import { redis } from "../shared/sources/redis/redis.ts";
import { sqlite } from "../shared/sources/sqlite/sqlite.ts";
import { ReadTokens, readersOf } from "./read-token-settings.ts";

const LOG_DAYS = [1, 3, 7, 14, 30, 60, 90, 180, 365] as const;
/** The time to start and to read the secret, before a cycle takes its lease. */
const START_SECONDS = 10;
/** As Trinity's own canary: a zombie that lasts into one look, and is gone by the next, pages nobody. */
const DEPLOYED_DWELL_SECONDS = 600;

const address = (schemes: string, example: string) =>
  z.string().regex(new RegExp(`^(${schemes})://[^\\s/?#@]+(/[^\\s?#@]*)?$`), {
    error: `give an address like ${example}, without a user, a password or a query: tokens belong into the secret`,
  });
const wholeNumber = (least: number, most: number, what: string) => {
  const error = `give ${what}, a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
};
const matching = (pattern: RegExp, fix: string) => z.string({ error: fix }).regex(pattern, { error: fix });
const POSTGRES_LIKE = "give one like postgres://user@host:port/database";
/** Says what is wrong with the address of a PostgreSQL, and does not repeat it: it may hold a password. */
function postgresFault(text: string): string {
  const url = URL.parse(text);
  if (!url || !/^postgres(ql)?:$/.test(url.protocol)) return `is for a PostgreSQL: ${POSTGRES_LIKE}`;
  if (url.password)
    return "has a password in it: leave it out, and put it into the secret as DATABASE_PASSWORD";
  const modes = url.searchParams.getAll("sslmode");
  if ([...url.searchParams.keys()].some((name) => name !== "sslmode") || modes.length > 1)
    return "has a parameter that is not taken: sslmode is the only one, once, and may be left out";
  if (modes.some((mode) => mode !== "verify-full" && mode !== "disable"))
    return "has an sslmode that does not check whose server it is: leave it out, which is verify-full, or give sslmode=disable for a private network";
  return `lacks a user, a host or a database, or has more than those: ${POSTGRES_LIKE}`;
}
const ofPostgres = z.string({ error: POSTGRES_LIKE }).superRefine((text, { addIssue }) => {
  if (!/^postgres(ql)?:\/\/[^\s/?#@:]+@[^\s/?#@]+\/[^\s/?#@]+(\?sslmode=(verify-full|disable))?$/.test(text))
    addIssue({ code: "custom", message: postgresFault(text) });
});
const oneOf = <const T extends readonly string[]>(names: T) =>
  z.enum(names, { error: `give one of ${names.join(", ")}` });
const none = z.literal("none");
/** The union's own message does not say what to give. */
const orNone = <T extends z.ZodType>(schema: T, fix: string) =>
  z.union([none, schema], { error: `${fix}, or "none" to leave it out on purpose` });

/** The variable that a setting becomes, by the setting's schema. */
export const WRITTEN = z.registry<{ readonly variable: string; text(value: unknown): string | undefined }>();

/** Registers the variable that a setting becomes. @param settingToValue converts the setting to the variable's value */
function writes<T, S extends z.ZodType>(
  variable: Variable<T>,
  schema: S,
  settingToValue: (setting: z.output<S>) => T = (setting) => setting as T,
): S {
  WRITTEN.add(schema, {
    variable: variable.name,
    text: (setting) => variable.format(settingToValue(setting as z.output<S>)),
  });
  return schema;
}

const numberOf = (variable: WholeNumber, what: string, fallback = variable.fallback) =>
  writes(variable, wholeNumber(...variable.range, what).default(fallback));
const flagOf = (variable: Variable<boolean>) =>
  writes(variable, z.boolean({ error: "give true or false" }).default(variable.fallback));
const choiceOf = <T extends string>(variable: Choice<T>) =>
  writes(variable, oneOf(variable.names).default(variable.fallback as never));

const FunctionUrl = z.discriminatedUnion(
  "auth",
  [
    z.strictObject({ auth: z.literal("bearer") }),
    z.strictObject({
      auth: z.literal("iam"),
      /** Users and roles, also of other accounts, that may call it in addition to those whose own policies allow it. */
      callers: z.array(
        matching(
          /^arn:[\w-]+:iam::\d{12}:(role|user)\/[\w+=,.@/-]+$/,
          "give the ARN of a role or a user, like arn:aws:iam::123456789012:role/operators",
        ),
        { error: "give a list of ARNs; an empty one leaves it to the callers' own policies" },
      ),
    }),
  ],
  { error: 'give {auth: "bearer"} (the admin token) or {auth: "iam", callers: […]} (AWS signatures)' },
);

const Network = z.strictObject(
  {
    vpcId: matching(/^vpc-[0-9a-f]{8,17}$/, "give a VPC's id, like vpc-0123456789abcdef0"),
    /** Private subnets with a route to AWS and to the sources (NAT, or endpoints). */
    subnetIds: z
      .array(matching(/^subnet-[0-9a-f]{8,17}$/, "give subnets' ids, like subnet-0123456789abcdef0"))
      .min(1, { error: "give at least one subnet" }),
  },
  { error: "give {vpcId, subnetIds}" },
);

const FileSystem = z.strictObject(
  {
    accessPointArn: matching(
      /^arn:[\w-]+:elasticfilesystem:[\w-]+:\d{12}:access-point\/fsap-[0-9a-f]{17}$/,
      "give the ARN of an EFS access point",
    ),
    fileSystemId: matching(/^fs-[0-9a-f]{8,17}$/, "give the EFS file system's id, like fs-0123456789abcdef0"),
    mountPath: matching(/^\/mnt\/[\w.-]+$/, "give a path such as /mnt/trinity"),
  },
  { error: "give {accessPointArn, fileSystemId, mountPath}" },
);

export const AlertSettings = z.strictObject({
  onRecovery: flagOf(ALERT_POLICY.onRecovery),
  onSpread: flagOf(ALERT_POLICY.onSpread),
  remindAfterHours: numberOf(
    ALERT_POLICY.remindAfterHours,
    "hours after which an open red gets another alert (0: never)",
  ),
  minSeverity: choiceOf(ALERT_POLICY.minSeverity),
  blindAfterCycles: numberOf(
    ALERT_POLICY.blindAfterCycles,
    "unknown cycles in a row after which an alert says so",
  ),
});

const isInvariantId = (id: unknown) => INVARIANT_IDS.some((known) => known === id);

const Id = z.custom<InvariantId>(isInvariantId, {
  error: ({ input }) => `names ${JSON.stringify(input)}, which no invariant has: ${KNOWN_IDS}`,
});
const listOfIds = () => z.array(Id, { error: 'give a list of ids, like ["R-01"]' }).default([]);
const Severities = z.partialRecord(Id, oneOf(SEVERITIES), {
  error: ({ code }) =>
    code === "invalid_key"
      ? `no invariant has this id: ${KNOWN_IDS}`
      : 'give the severities by id, like {"S-01": "major"}',
});

type Channel = (typeof CHANNELS)[number];
const variablesOf = <N extends Channel["name"]>(name: N) =>
  CHANNELS.find((channel) => channel.name === name)!.variables as Extract<Channel, { name: N }>["variables"];
const [sns, pagerduty, eventbridge] = [
  variablesOf("sns"),
  variablesOf("pagerduty"),
  variablesOf("eventbridge"),
];

/** What a channel takes. */
const limitsOf = ({ minSeverity, invariants }: Channel["variables"]) => ({
  minSeverity: writes(minSeverity, oneOf(SEVERITIES).nullable().default(null)),
  invariants: writes(invariants, listOfIds()),
});

/** What of each channel is no secret. One without its secret, or its bus, is not in use. */
export const ChannelSettings = {
  slack: z.strictObject(limitsOf(variablesOf("slack"))),
  sns: z.strictObject({ ...limitsOf(sns), format: choiceOf(sns.format) }),
  webhook: z.strictObject(limitsOf(variablesOf("webhook"))),
  pagerduty: z.strictObject({
    ...limitsOf(pagerduty),
    url: writes(
      pagerduty.url,
      address("https", "https://events.eu.pagerduty.com/v2/enqueue").optional(),
      (url) => url as string,
    ),
  }),
  eventbridge: z.strictObject({
    ...limitsOf(eventbridge),
    /** The function may put events on this bus, and on no other. */
    bus: writes(
      eventbridge.bus,
      matching(
        /^(arn:[\w-]+:events:[\w-]+:\d{12}:event-bus\/)?[\w.-][\w./-]{0,255}$/,
        "give a bus by its name, such as default, or by its ARN",
      ).optional(),
      (bus) => bus ?? null,
    ),
  }),
};

/** Which invariants run, and how severe they are. */
export const CheckSettings = z
  .strictObject(
    {
      /** Not run. */
      off: writes(CHECKS.off, listOfIds()),
      /** Run, although they are off by default. */
      on: writes(CHECKS.on, listOfIds()),
      /** In place of the invariants' own. */
      severities: writes(CHECKS.severities, Severities.default({})),
    },
    { error: "give {off, on, severities}, each optional" },
  )
  .superRefine((checks, { addIssue }) => {
    const both = offAndOn(checks);
    if (both.length > 0)
      addIssue({
        code: "custom",
        path: ["on"],
        message: `names ${both.join(", ")}, which checks.off names too: name each in one of the two`,
      });
  });

const isInTheClear = (databaseUrl: string): boolean => databaseUrl.endsWith("?sslmode=disable");

export const Settings = z
  .strictObject(
    {
      /** Where it is deployed. Left out: the account of the current credentials. */
      account: matching(/^\d{12}$/, "give an account's twelve digits, as a string").optional(),
      region: matching(/^[a-z]{2}(-[a-z]+)+-\d$/, "give a region such as eu-west-1").optional(),
      /** Minutes from one cycle to the next. Three must fit into the fifteen after which a canary counts as dead. */
      everyMinutes: wholeNumber(1, 5, "minutes between cycles").default(5),

      /** The platform's database, where it is SQLite. */
      libsqlUrl: writes(
        sqlite.variables.url,
        z
          .union(
            [
              address("libsql|https?", "libsql://db.example.com"),
              matching(/^file:\/mnt(\/(?!\.\.?(\/|$))[\w.-]+)+$/, "give file:/mnt/… without . or .."),
            ],
            {
              error:
                "give libsql://…, https://… or http://… of a libsql server without a token in it, or file:/mnt/… with a fileSystem: every invariant reads it",
            },
          )
          .optional(),
        (url) => url ?? null,
      ),
      libsqlLockMs: numberOf(
        sqlite.variables.lockMs,
        "milliseconds that a read of a file may keep the platform from committing",
      ),
      /** The platform's database, where it is PostgreSQL. */
      databaseUrl: writes(postgres.variables.url, ofPostgres.optional(), (url) => url ?? null),
      /** The CA that signed its certificate, where the function does not know it. It is no secret. */
      databaseCa: writes(
        postgres.variables.ca,
        matching(
          /^(\/(var\/runtime|mnt)(\/(?!\.\.?(\/|$))[\w.-]+)+|(-----BEGIN CERTIFICATE-----[\s\w+/=]+-----END CERTIFICATE-----\s*)+)$/,
          "give the PEM of a CA, or a path that the function has: /var/runtime/ca-cert.pem, which has those of RDS, or /mnt/… with a fileSystem",
        ).optional(),
        (ca) => ca ?? null,
      ),
      /** An EFS access point, where libsqlUrl names a file. */
      fileSystem: FileSystem.optional(),
      redisUrl: writes(
        redis.variables.url,
        orNone(
          address("https?", "https://redis.example.com"),
          "give https://… of Redis over REST, without a token in it",
        ),
      ),
      dockerHosts: writes(
        docker.variables.hosts,
        orNone(
          z
            .array(
              matching(
                /^tcp:\/\/[\w.-]+:([1-9]\d{0,4})$/,
                "give tcp://host:port of a daemon that speaks TLS, like tcp://10.0.0.5:2376",
              ),
            )
            .min(1, { error: 'give at least one daemon, or "none" to leave Docker out on purpose' }),
          'give a list of daemons, like ["tcp://10.0.0.5:2376"]',
        ),
      ),
      /** From so many daemons on, functions of their own read them, side by side. 1: also a single one. */
      dockerReadersFrom: numberOf(docker.variables.readersFrom, "from how many daemons on readers read them"),
      dockerReaderDaemons: numberOf(docker.variables.readerDaemons, "how many daemons one reader reads"),
      /** "sql": the accessor's own SQL. */
      queueCountsUrl: writes(
        queueCounts.variables.url,
        z.union([none, z.literal("sql"), address("https?", "https://trinity.example.com/api/queue-counts")], {
          error:
            'give "sql", an http(s):// address without a token in it, or "none" to leave it out on purpose',
        }),
        (url) => (url === "sql" ? null : url),
      ),
      /** Where the daemons, or another source, are private. Left out: the functions run outside of any VPC. */
      network: Network.optional(),

      memoryMb: wholeNumber(256, 10_240, "the functions' memory in MB").default(512),
      cycleTimeoutSeconds: wholeNumber(10, 240, "the cycle function's time limit in seconds").default(90),
      apiTimeoutSeconds: wholeNumber(10, 240, "the API function's time limit in seconds").default(90),
      /** How many requests the API answers at once. Left out: as many as the account allows, shared with the cycles. */
      apiConcurrency: wholeNumber(1, 1000, "how many requests at once").optional(),
      sourceDeadlineMs: numberOf(CYCLE.sourceDeadlineMs, "milliseconds for one read of a source"),
      confirmAfterMs: numberOf(CYCLE.confirmAfterMs, "milliseconds before a new red is read again"),
      expectAgents: numberOf(CYCLE.expectAgents, "how many agents the roster has at least (0: one)"),
      zombieDwellSeconds: numberOf(
        CYCLE.dwellSeconds,
        "seconds that a zombie has to be there",
        DEPLOYED_DWELL_SECONDS,
      ),

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
  )
  .superRefine((settings, context) => {
    const refuse = (field: string, message: string) =>
      context.addIssue({ code: "custom", path: [field], message });
    const { libsqlUrl, databaseUrl, fileSystem, network } = settings;
    const least = Math.ceil(leaseMs(settings) / 1000) + START_SECONDS;
    // The API's function starts first, and then the one that it has run a cycle.
    const needed = { cycleTimeoutSeconds: least, apiTimeoutSeconds: least + START_SECONDS };
    for (const field of ["cycleTimeoutSeconds", "apiTimeoutSeconds"] as const)
      if (settings[field] < needed[field])
        refuse(
          field,
          `is ${settings[field]}, but a cycle with three reads of sourceDeadlineMs and confirmAfterMs may take ${needed[field]}: give at least that, or shorten the others`,
        );
    if (libsqlUrl === undefined && databaseUrl === undefined)
      refuse(
        "databaseUrl",
        "is missing, and so is libsqlUrl: give the one of the platform's database, PostgreSQL or SQLite, since every invariant reads it",
      );
    if (libsqlUrl !== undefined && databaseUrl !== undefined)
      refuse(
        "databaseUrl",
        "can't be with libsqlUrl, since the platform has one database: remove the one that it no longer writes",
      );
    if (settings.databaseCa !== undefined && (databaseUrl === undefined || isInTheClear(databaseUrl)))
      refuse("databaseCa", "is for a databaseUrl with TLS: leave it out");
    if (databaseUrl !== undefined && isInTheClear(databaseUrl) && !network)
      refuse(
        "databaseUrl",
        "would send its password in the clear: leave sslmode out, or give the network in which it is private",
      );
    if (libsqlUrl?.startsWith("file:") && !libsqlUrl.startsWith(`file:${fileSystem?.mountPath}/`))
      refuse(
        "fileSystem",
        `is needed for ${libsqlUrl}: give the access point whose mountPath holds the file`,
      );
    for (const field of ["libsqlUrl", "redisUrl", "queueCountsUrl"] as const)
      if (settings[field]?.startsWith("http:") && !network)
        refuse(
          field,
          "would send its token in the clear: give https://, or the network in which it is private",
        );
    if (settings.publicBadge && settings.functionUrl.auth === "iam")
      refuse(
        "publicBadge",
        "can't be with functionUrl.auth iam, which asks everybody for a signature: leave it out, or take bearer",
      );
    if (Object.keys(settings.readTokens).length > 0 && settings.functionUrl.auth === "iam")
      refuse(
        "readTokens",
        "can't be with functionUrl.auth iam, where callers sign and send no token: leave them out, or take bearer",
      );
    if (fileSystem && !network)
      refuse("network", "is needed for fileSystem: give the VPC and the subnets of its mount targets");
  });
