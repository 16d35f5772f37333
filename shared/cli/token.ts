/** Gets a token that a profile names. */
import { isHeaderText, type TokenSource } from "../config/profiles.ts";
import { ConfigError } from "../config/reader.ts";

/** A command may ask for a password. */
const COMMAND_MS = 120_000;

/**
 * Returns the token, or runs the command and returns what it prints. What the command says on stderr is shown.
 * @param place names the entry of the file in errors
 * @throws ConfigError where the command fails, or prints no token
 */
export async function tokenOf(place: string, source: TokenSource): Promise<string> {
  if ("token" in source) return source.token;
  const { execFile } = await import("node:child_process");
  const printed = await new Promise<string>((resolve, reject) => {
    const child = execFile(
      "/bin/sh",
      ["-c", source.tokenCommand],
      { timeout: COMMAND_MS },
      (error, stdout) => {
        if (!error) return resolve(stdout);
        const why = error.killed
          ? `nothing within ${COMMAND_MS / 1000} s`
          : `exit code ${error.code ?? error.signal}`;
        reject(new ConfigError([`${place}.tokenCommand failed (${why})`]));
      },
    );
    child.stdin?.end();
    child.stderr?.pipe(process.stderr, { end: false });
  });
  const token = printed.trim();
  if (token !== "" && isHeaderText(token)) return token;
  const what = token === "" ? "nothing" : "more than a token";
  throw new ConfigError([
    `${place}.tokenCommand printed ${what}: it has to print the token and nothing else`,
  ]);
}
