/** The only reader of the environment. What it can't use, it refuses, with the variable's name and the mend. */
import { readFileSync } from "node:fs";

/** One or more variables that can't be used. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** A source that is named, not named, or left out on purpose. */
export type SourceSetting<T> = T | "not configured" | "off";

export interface Config {
  readonly sqlite: SourceSetting<{ readonly url: string; readonly authToken?: string }>;
  readonly redis: SourceSetting<{ readonly url: string; readonly token: string }>;
  readonly docker: SourceSetting<{
    readonly hosts: readonly string[];
    readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  }>;
  /** The platform's queue accessor: its own SQL, over HTTP, or left out. */
  readonly queueCounts: "sql" | "off" | { readonly url: string; readonly token?: string };
  readonly alerts: {
    /** What this canary is called in an alert. */
    readonly environment: string;
    readonly statusUrl: string | null;
    /** A secret: whoever has the address can post. */
    readonly slackWebhookUrl: string | null;
    readonly topicArn: string | null;
    readonly policy: {
      readonly onRecovery: boolean;
      readonly onSpread: boolean;
      readonly remindAfterMs: number;
      readonly minSeverity: "critical" | "major" | "minor";
      readonly blindAfterCycles: number;
    };
  };
  /** The DynamoDB table; null for a memory that lives in this process. */
  readonly stateTable: string | null;
  readonly confirmAfterMs: number;
  readonly sourceDeadlineMs: number;
  readonly dwellSeconds: number;
  /** Every secret in here, to be taken out of whatever is printed. */
  readonly secrets: readonly string[];
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** The variables that a deployed canary takes from its secret. */
export const SECRET_NAMES = [
  "LIBSQL_AUTH_TOKEN",
  "UPSTASH_REDIS_REST_TOKEN",
  "DOCKER_TLS_CA",
  "DOCKER_TLS_CERT",
  "DOCKER_TLS_KEY",
  "QUEUE_COUNTS_TOKEN",
  "ADMIN_TOKEN",
  "SLACK_WEBHOOK_URL",
] as const;

/** @returns the variables of this process, with others laid over them */
export const environmentWith = (more: Environment, env: Environment = process.env): Environment => ({
  ...env,
  ...more,
});

/** @returns the secret that the deployed functions read, or null where everything is in the environment */
export const loadSecretId = (env: Environment = process.env): string | null =>
  reader(env).get("CANARY_SECRET_ID") ?? null;

/** @returns the text without its %-escapes, where they are sound */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What a header can carry behind `Bearer`. */
const IS_TOKEN = /^[\x21-\x7e]+$/;
const NO_TOKEN = "has a character that no header can carry: give one of printable ASCII, without spaces";

/** Collects what is wrong, so that the operator mends it all at once. */
function reader(env: Environment) {
  const problems: string[] = [];
  const secrets: string[] = [];
  /** An empty variable is an unset one: `Number("")` is 0, and an empty secret equals an empty header. */
  const get = (name: string) => env[name]?.trim() || undefined;
  return {
    problems,
    secrets,
    get,
    secret(name: string) {
      const value = get(name);
      if (value) secrets.push(value);
      // The error of a header that can't be sent shows the header.
      if (value && !IS_TOKEN.test(value)) problems.push(`${name} ${NO_TOKEN}`);
      return value;
    },
    wholeNumber(name: string, fallback: number, [least, most]: readonly [number, number]): number {
      const text = get(name);
      if (text === undefined) return fallback;
      const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
      if (value >= least && value <= most) return value;
      problems.push(
        `${name} is ${JSON.stringify(text)}: give a whole number from ${least} to ${most}, or leave it out for ${fallback}`,
      );
      return fallback;
    },
    onOff(name: string, fallback: boolean): boolean {
      const text = get(name);
      if (text !== undefined && text !== "on" && text !== "off")
        problems.push(
          `${name} is ${JSON.stringify(text)}: give on or off, or leave it out for ${fallback ? "on" : "off"}`,
        );
      return text === undefined ? fallback : text === "on";
    },
    url(name: string, text: string, schemes: readonly string[], example: string): string {
      try {
        const url = new URL(text);
        // What stands in an address's query can be a token.
        const inQuery = url.search
          .slice(1)
          .split("&")
          .map((pair) => pair.slice(pair.indexOf("=") + 1));
        secrets.push(url.password, decoded(url.password), ...url.searchParams.values(), ...inQuery);
        if (url.username || url.password) {
          problems.push(
            `${name} has a user or a password in it, which is not sent: give the token in its own variable`,
          );
          return text;
        }
        if (schemes.includes(url.protocol)) return text;
      } catch {}
      problems.push(
        `${name} is no address that can be used: give one like ${example}, or "none" to leave it out on purpose`,
      );
      return text;
    },
    /** A PEM, or the path of a file that holds one. */
    pem(name: string): string | undefined {
      const value = get(name);
      if (value === undefined) return undefined;
      let pem = value.replaceAll("\\n", "\n");
      if (!pem.includes("-----BEGIN")) {
        try {
          pem = readFileSync(value, "utf8");
        } catch {
          problems.push(
            `${name} is neither a PEM nor a file that can be read: give the text from -----BEGIN on, or a path`,
          );
          return undefined;
        }
        if (!pem.includes("-----BEGIN"))
          problems.push(`${name} names a file that holds no PEM: it must have a -----BEGIN line`);
      }
      return pem;
    },
  };
}

const DEADLINE_MS = { fallback: 10_000, range: [100, 60_000] } as const;
const CONFIRM_MS = { fallback: 3_000, range: [0, 60_000] } as const;
const DWELL_SECONDS = { fallback: 0, range: [0, 86_400] } as const;

/**
 * @param env the variables, as of `process.env`
 * @throws ConfigError naming every variable that can't be used
 */
export function loadConfig(env: Environment = process.env): Config {
  const read = reader(env);
  const config: Config = {
    sqlite: sqliteSetting(read),
    redis: redisSetting(read),
    docker: dockerSetting(read),
    queueCounts: queueCountsSetting(read),
    alerts: alertSettings(read),
    stateTable: read.get("STATE_TABLE") ?? null,
    confirmAfterMs: read.wholeNumber("CONFIRM_AFTER_MS", CONFIRM_MS.fallback, CONFIRM_MS.range),
    sourceDeadlineMs: read.wholeNumber("SOURCE_DEADLINE_MS", DEADLINE_MS.fallback, DEADLINE_MS.range),
    dwellSeconds: read.wholeNumber("R01_DWELL_SECONDS", DWELL_SECONDS.fallback, DWELL_SECONDS.range),
    secrets: read.secrets,
  };
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  return config;
}

type Reader = ReturnType<typeof reader>;

function sqliteSetting(read: Reader): Config["sqlite"] {
  const url = read.get("LIBSQL_URL");
  const authToken = read.secret("LIBSQL_AUTH_TOKEN");
  if (url === undefined) return "not configured";
  if (url === "none") return "off";
  read.url(
    "LIBSQL_URL",
    url,
    ["libsql:", "https:", "http:", "file:"],
    "libsql://db.example.com or file:/data/trinity.db",
  );
  return { url, ...(authToken && { authToken }) };
}

function redisSetting(read: Reader): Config["redis"] {
  const url = read.get("UPSTASH_REDIS_REST_URL");
  const token = read.secret("UPSTASH_REDIS_REST_TOKEN");
  if (url === undefined) return "not configured";
  if (url === "none") return "off";
  read.url("UPSTASH_REDIS_REST_URL", url, ["https:", "http:"], "https://redis.example.com");
  if (token === undefined)
    read.problems.push("UPSTASH_REDIS_REST_TOKEN is missing: give the token of UPSTASH_REDIS_REST_URL");
  return { url, token: token ?? "" };
}

function dockerSetting(read: Reader): Config["docker"] {
  const list = read.get("DOCKER_HOSTS");
  const [ca, cert, key] = [
    read.pem("DOCKER_TLS_CA"),
    read.pem("DOCKER_TLS_CERT"),
    read.pem("DOCKER_TLS_KEY"),
  ];
  if (key) read.secrets.push(key);
  if (list === undefined) return "not configured";
  if (list === "none") return "off";
  if ((cert === undefined) !== (key === undefined))
    read.problems.push(
      `${cert ? "DOCKER_TLS_KEY" : "DOCKER_TLS_CERT"} is missing: a client certificate needs its key, and a key its certificate`,
    );
  const hosts = list
    .split(",")
    .map((host) => host.trim())
    .filter(Boolean);
  if (hosts.length === 0)
    read.problems.push("DOCKER_HOSTS names no daemon: give tcp://host:port or unix:///path");
  for (const host of hosts)
    if (!/^unix:\/\/\/\S+$/.test(host) && !isTcpAddress(host))
      read.problems.push(
        `DOCKER_HOSTS has ${JSON.stringify(host.replace(/\/\/.*@/, "//…@"))}: give tcp://host:port (TLS) or unix:///path, separated by commas, or "none" to leave Docker out on purpose`,
      );
  return { hosts, tls: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) } };
}

function isTcpAddress(host: string): boolean {
  const [, port] = /^tcp:\/\/[^/\s@]+:(\d{1,5})\/?$/.exec(host) ?? [];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}

function queueCountsSetting(read: Reader): Config["queueCounts"] {
  const url = read.get("QUEUE_COUNTS_URL");
  const token = read.secret("QUEUE_COUNTS_TOKEN");
  if (url === undefined) return "sql";
  if (url === "none") return "off";
  read.url("QUEUE_COUNTS_URL", url, ["https:", "http:"], "https://trinity.example.com/api/queue-counts");
  return { url, ...(token && { token }) };
}

const HOUR_MS = 3_600_000;
const SEVERITY_NAMES = ["critical", "major", "minor"] as const;

function alertSettings(read: Reader): Config["alerts"] {
  const slackWebhookUrl = read.secret("SLACK_WEBHOOK_URL") ?? null;
  if (slackWebhookUrl !== null && !/^https?:\/\/[^\s/]+\/\S*$/.test(slackWebhookUrl))
    read.problems.push(
      "SLACK_WEBHOOK_URL is no address: give the https:// address that Slack shows for the incoming webhook",
    );
  const topicArn = read.get("ALERT_TOPIC_ARN") ?? null;
  if (topicArn !== null && !/^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+$/.test(topicArn))
    read.problems.push(
      `ALERT_TOPIC_ARN is ${JSON.stringify(topicArn)}: give the ARN of a standard topic, like arn:aws:sns:eu-west-1:123456789012:canary`,
    );
  const statusUrl = read.get("CANARY_STATUS_URL") ?? null;
  if (statusUrl !== null && !/^https?:\/\/\S+$/.test(statusUrl))
    read.problems.push(
      "CANARY_STATUS_URL is no address: give the https:// address of the status page, or leave it out",
    );
  const minSeverity = read.get("ALERT_MIN_SEVERITY") ?? "minor";
  const known = SEVERITY_NAMES.find((name) => name === minSeverity);
  if (!known)
    read.problems.push(
      `ALERT_MIN_SEVERITY is ${JSON.stringify(minSeverity)}: give ${SEVERITY_NAMES.join(", ")}, or leave it out for minor`,
    );
  return {
    environment: read.get("CANARY_ENVIRONMENT") ?? "local",
    statusUrl,
    slackWebhookUrl,
    topicArn,
    policy: {
      onRecovery: read.onOff("ALERT_ON_RECOVERY", true),
      onSpread: read.onOff("ALERT_ON_SPREAD", true),
      remindAfterMs: read.wholeNumber("ALERT_REMIND_HOURS", 24, [0, 720]) * HOUR_MS,
      minSeverity: known ?? "minor",
      blindAfterCycles: read.wholeNumber("ALERT_BLIND_CYCLES", 3, [1, 100]),
    },
  };
}

/**
 * What the API asks of its callers: the admin token, or with `API_AUTH=iam` that the function URL has checked their
 * signature (null).
 * @throws ConfigError where there is no token: an API without one would be open
 */
export function loadAdminToken(env: Environment = process.env): string | null {
  const auth = env.API_AUTH?.trim() || "bearer";
  if (auth === "iam") return null;
  if (auth !== "bearer")
    throw new ConfigError([
      `API_AUTH is ${JSON.stringify(auth)}: give bearer or iam, or leave it out for bearer`,
    ]);
  const token = env.ADMIN_TOKEN?.trim();
  if (!token)
    throw new ConfigError(["ADMIN_TOKEN is missing: give the token that callers of the API must send"]);
  if (/\s/.test(token))
    throw new ConfigError([
      "ADMIN_TOKEN has a space in it, which no bearer token can have: give one without",
    ]);
  return token;
}

/**
 * Whether `/badge.svg` is shown to everybody.
 * @throws ConfigError where PUBLIC_BADGE is neither on nor off
 */
export function loadPublicBadge(env: Environment = process.env): boolean {
  const read = reader(env);
  const isPublic = read.onOff("PUBLIC_BADGE", false);
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  return isPublic;
}

/** How the command line calls a deployed canary: with its admin token, or signed with the AWS credentials at hand. */
export interface Remote {
  readonly url: string;
  readonly auth: { readonly token: string } | { readonly region: string };
}

/**
 * Where the command line finds a deployed canary; null where it is to run the cycle itself.
 * @throws ConfigError where a part is missing
 */
export function loadRemote(env: Environment = process.env): Remote | null {
  const read = reader(env);
  const [url, token] = [read.get("CANARY_URL"), read.get("CANARY_TOKEN")];
  if (url === undefined) return null;
  if (!/^https?:\/\/[^\s@]+$/.test(url))
    read.problems.push("CANARY_URL is no address: give one like https://id.lambda-url.eu-west-1.on.aws");
  const auth = read.get("CANARY_AUTH") ?? "bearer";
  if (auth !== "bearer" && auth !== "iam")
    read.problems.push(
      `CANARY_AUTH is ${JSON.stringify(auth)}: give bearer or iam, or leave it out for bearer`,
    );
  const region = /\.lambda-url\.([\w-]+)\.on\.aws/.exec(url)?.[1] ?? read.get("AWS_REGION");
  if (auth === "iam" && region === undefined)
    read.problems.push("AWS_REGION is missing: CANARY_URL does not say which region to sign for");
  if (auth === "bearer" && token === undefined)
    read.problems.push("CANARY_TOKEN is missing: give the admin token of the canary at CANARY_URL");
  if (token !== undefined && !IS_TOKEN.test(token)) read.problems.push(`CANARY_TOKEN ${NO_TOKEN}`);
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  return {
    url: url.replace(/\/+$/, ""),
    auth: auth === "iam" ? { region: region! } : { token: token! },
  };
}

/**
 * Where the platform's own API is, for the fleet.
 * @param given an address that stands in for PLATFORM_URL
 * @throws ConfigError where the address or the token is missing, or can't be used
 */
export function loadPlatform(given?: string, env: Environment = process.env): { url: string; token: string } {
  const read = reader(env);
  const url = given ?? read.get("PLATFORM_URL");
  const token = read.secret("PLATFORM_TOKEN");
  if (url === undefined)
    read.problems.push("PLATFORM_URL is missing: give Trinity's address, there or with --platform");
  // A query would swallow the path of each call, and a user is not sent.
  else if (!URL.canParse(url) || !/^https?:\/\/[^\s@?#]+$/.test(url))
    read.problems.push(
      `${given === undefined ? "PLATFORM_URL" : "--platform"} is no address: give one like https://trinity.example.com`,
    );
  if (token === undefined)
    read.problems.push("PLATFORM_TOKEN is missing: give the token of an admin of the platform");
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  return { url: url!.replace(/\/+$/, ""), token: token! };
}

/** What the embedded environment takes from the shell: the usual Docker variables, and a token to keep. */
export function loadLocal(env: Environment = process.env): {
  dockerHost: string;
  dockerCertPath: string | undefined;
  adminToken: string | undefined;
  publicBadge: boolean;
  alerts: Record<string, string>;
} {
  const { get } = reader(env);
  const isOfAlerts = (name: string) =>
    /^(ALERT_|SLACK_WEBHOOK_URL$|CANARY_ENVIRONMENT$|CANARY_STATUS_URL$)/.test(name);
  return {
    alerts: Object.fromEntries(
      Object.entries(env).filter(
        (entry): entry is [string, string] => isOfAlerts(entry[0]) && entry[1] !== undefined,
      ),
    ),
    dockerHost: get("DOCKER_HOST") ?? "unix:///var/run/docker.sock",
    dockerCertPath: get("DOCKER_CERT_PATH"),
    adminToken: get("ADMIN_TOKEN"),
    publicBadge: loadPublicBadge(env),
  };
}

/** @returns a function that takes the secrets out of a line */
export function redactor(secrets: readonly string[]): (line: string) => string {
  // A very short secret is left in: taking out every "a" would make the line unreadable and tell the secret.
  // The longest first: one secret can be the beginning of another.
  const known = secrets.filter((secret) => secret.length >= 4).sort((a, b) => b.length - a.length);
  return (line) => known.reduce((text, secret) => text.replaceAll(secret, "***"), line);
}
