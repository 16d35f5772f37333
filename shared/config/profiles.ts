/** The file with the canaries that a person calls by name: `canary --env prod`. */
import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { didYouMean } from "../nearest.ts";
import { cut, listed, printable } from "../text.ts";
import { ConfigError, type Environment, reader } from "./reader.ts";
import { text } from "./variable.ts";

export const PROFILES = {
  file: text(
    "CANARY_PROFILES",
    "the file of the profiles that `--env` names; left out: `trinity-canary/profiles.json` in `XDG_CONFIG_HOME`",
  ),
  configHome: text("XDG_CONFIG_HOME", "the folder of a person's settings; left out: `~/.config`"),
};

/** A token, or the command whose output it is. */
export type TokenSource = { readonly token: string } | { readonly tokenCommand: string };

export interface Profile {
  readonly name: string;
  /** Its place in the file, for errors. */
  readonly place: string;
  /** The address of the canary, without a slash at its end. */
  readonly url: string;
  /** `region`: requests are signed with the AWS credentials at hand. */
  readonly auth: TokenSource | { readonly region: string };
  /** The platform that this canary watches, for `canary fleet`. */
  readonly platform: ({ readonly url: string } & { readonly auth: TokenSource }) | null;
}

const FIELDS = ["url", "token", "tokenCommand", "auth", "region", "platform"];
const PLATFORM_FIELDS = ["url", "token", "tokenCommand"];
const LISTED = 10;

type Fields = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Collects what is wrong with one entry. */
class Entry {
  readonly place: string;
  readonly fields: Fields;
  readonly problems: string[] = [];

  constructor(place: string, fields: unknown, known: readonly string[]) {
    this.place = place;
    this.fields = isObject(fields) ? fields : {};
    if (!isObject(fields))
      this.problems.push(`${place} is not an object: give it the fields ${known.join(", ")}`);
    for (const name of Object.keys(this.fields).filter((name) => !known.includes(name)))
      this.problems.push(
        `${place}.${printable(cut(name, 40))} is no field of it${didYouMean(name, known) || `: there are ${known.join(", ")}`}`,
      );
  }

  /** The text of a field; null where it is absent or no text. */
  text(name: string): string | null {
    const value = this.fields[name];
    if (value === undefined) return null;
    if (typeof value === "string" && value.trim() !== "") return value.trim();
    this.problems.push(`${this.place}.${name} is not a text, or an empty one`);
    return null;
  }

  address(): string {
    const url = this.text("url");
    // A query would swallow the path of each call, and a user is not sent.
    if (url !== null && URL.canParse(url) && /^https?:\/\/[^\s@?#]+$/.test(url))
      return url.replace(/\/+$/, "");
    if (this.fields.url === undefined) this.problems.push(`${this.place}.url is missing: give its address`);
    else if (url !== null)
      this.problems.push(`${this.place}.url is not an address: give one like https://canary.example.com`);
    return "";
  }

  tokenSource(): TokenSource {
    const [token, tokenCommand] = [this.text("token"), this.text("tokenCommand")];
    const given = ["token", "tokenCommand"].filter((name) => this.fields[name] !== undefined);
    if (given.length === 0)
      this.problems.push(
        `${this.place}.token is missing: give it, or tokenCommand, whose output is the token`,
      );
    if (given.length > 1)
      this.problems.push(`${this.place} has token and tokenCommand: leave one of them out`);
    if (token !== null && !isHeaderText(token))
      this.problems.push(`${this.place}.token has a character that no header can carry`);
    return tokenCommand === null ? { token: token ?? "" } : { tokenCommand };
  }
}

/** Whether a header can carry the text: the error of one that can't be sent shows the header. */
export const isHeaderText = (text: string): boolean => /^[\x21-\x7e]+$/.test(text);

function signing(entry: Entry, url: string): { region: string } {
  const region = /\.lambda-url\.([\w-]+)\.on\.aws/.exec(url)?.[1] ?? entry.text("region");
  for (const name of ["token", "tokenCommand"].filter((name) => entry.fields[name] !== undefined))
    entry.problems.push(`${entry.place}.${name} is not used with auth "iam": leave it out`);
  if (region === null)
    entry.problems.push(`${entry.place}.region is missing: its url does not say which region to sign for`);
  return { region: region ?? "" };
}

function authOf(entry: Entry, url: string): Profile["auth"] {
  const auth = entry.text("auth") ?? "bearer";
  if (auth === "iam") return signing(entry, url);
  if (auth !== "bearer")
    entry.problems.push(`${entry.place}.auth is ${printable(cut(auth, 40))}: give bearer or iam`);
  if (entry.fields.region !== undefined)
    entry.problems.push(`${entry.place}.region is used with auth "iam" only: leave it out`);
  return entry.tokenSource();
}

function profileOf(file: string, name: string, fields: unknown): Profile {
  const place = `${file}: ${name}`;
  const entry = new Entry(place, fields, FIELDS);
  const url = entry.address();
  const profile = { name, place, url, auth: authOf(entry, url) };
  if (entry.fields.platform === undefined) return checked({ ...profile, platform: null }, entry.problems);
  const platform = new Entry(`${place}.platform`, entry.fields.platform, PLATFORM_FIELDS);
  const address = platform.address();
  const auth = platform.tokenSource();
  return checked({ ...profile, platform: { url: address, auth } }, [...entry.problems, ...platform.problems]);
}

function checked(profile: Profile, problems: readonly string[]): Profile {
  if (problems.length > 0) throw new ConfigError(problems);
  return profile;
}

/** Says where the file of the profiles is. */
export function profilesPath(env: Environment = process.env): string {
  const { file, configHome } = reader(env).values(PROFILES);
  return file ?? join(configHome ?? join(homedir(), ".config"), "trinity-canary", "profiles.json");
}

function readFile(path: string): Fields | null {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return null;
    throw new ConfigError([`${path} can't be read (${code}): it holds the profiles that --env names`]);
  }
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    // The rest of the message shows a part of the file, and that may be a token.
    const [where = ""] = /\(line \d+ column \d+\)/.exec((error as Error).message) ?? [];
    throw new ConfigError([`${path} is not JSON ${where}`.trimEnd()]);
  }
  if (isObject(value)) return value;
  throw new ConfigError([
    `${path} is not an object: give {"prod": {"url": "https://…", "tokenCommand": "…"}}`,
  ]);
}

/** Lists the names of the profiles; none where there is no file. @throws ConfigError where it can't be used */
export const profileNames = (env: Environment = process.env): string[] =>
  Object.keys(readFile(profilesPath(env)) ?? {});

/** Warns of a file with secrets or commands in it that others may read or write. */
function warnOfOthers(path: string, profile: Profile, warn: (line: string) => void): void {
  const mode = statSync(path).mode;
  const sources = [profile.auth, profile.platform?.auth ?? {}];
  if (mode & 0o022) warn(`${path} may be changed by others: chmod 600 it`);
  else if (mode & 0o044 && sources.some((source) => "token" in source))
    warn(`${path} holds a token and may be read by others: chmod 600 it, or use tokenCommand`);
}

/**
 * Reads one profile.
 * @param warn gets what is not safe about the file
 * @throws ConfigError, with the file and the field, where there is none of that name or it can't be used
 */
export function loadProfile(
  name: string,
  warn: (line: string) => void,
  env: Environment = process.env,
): Profile {
  const path = profilesPath(env);
  const profiles = readFile(path);
  if (profiles === null)
    throw new ConfigError([
      `--env ${printable(name)}: there is no ${path}: make it with {"${printable(name)}": {"url": "https://…", "tokenCommand": "…"}}`,
    ]);
  if (!Object.hasOwn(profiles, name)) {
    const names = Object.keys(profiles).map(printable);
    const there = names.length === 0 ? ": it is empty" : `: there are ${listed(names, LISTED)}`;
    throw new ConfigError([
      `--env ${printable(name)}: ${path} has no such profile${didYouMean(name, names) || there}`,
    ]);
  }
  const profile = profileOf(path, name, profiles[name]);
  warnOfOthers(path, profile, warn);
  return profile;
}

/** Reads one profile; null where there is no file, or none of that name in it. @throws ConfigError where it can't be used */
export function findProfile(
  name: string,
  warn: (line: string) => void,
  env: Environment = process.env,
): Profile | null {
  return profileNames(env).includes(name) ? loadProfile(name, warn, env) : null;
}
