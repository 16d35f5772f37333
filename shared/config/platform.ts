/** The variables of the platform's own API, for the fleet. */
import { type Environment, reader } from "./reader.ts";
import { text, token } from "./variable.ts";

export const PLATFORM = {
  url: text(
    "PLATFORM_URL",
    "Trinity's own address, for `canary fleet` only; with `--env`, the profile's `platform` is used instead",
  ),
  token: token("PLATFORM_TOKEN", "the token of an admin of that platform"),
};

/**
 * Reads where the platform's own API is.
 * @throws ConfigError where the address or the token is missing, or can't be used
 */
export function loadPlatform(env: Environment = process.env): { url: string; token: string } {
  const read = reader(env);
  const { url, token } = read.values(PLATFORM);
  if (url === null)
    read.problem("PLATFORM_URL is missing: give Trinity's address, or name a profile that has it with --env");
  // A query would swallow the path of each call, and a user is not sent.
  else if (!URL.canParse(url) || !/^https?:\/\/[^\s@?#]+$/.test(url))
    read.problem("PLATFORM_URL is not an address: give one like https://trinity.example.com");
  if (token === null) read.problem("PLATFORM_TOKEN is missing: give the token of an admin of the platform");
  read.end();
  return { url: url!.replace(/\/+$/, ""), token: token! };
}
