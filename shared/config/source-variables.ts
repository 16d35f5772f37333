/** Kinds of variables for the sources. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Notes, text, type Variable } from "./variable.ts";

/** The value that leaves a source out on purpose. */
export const NONE = "none";

/** Decodes %-escapes where they are sound. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/** The address of a source, or `none`. An address that is refused is not repeated: it may hold a password. */
export function address(
  name: string,
  meaning: string,
  { schemes, example }: { readonly schemes: readonly string[]; readonly example: string },
): Variable<string | null> {
  return text(name, meaning, { checks: [check] });

  function check(value: string, { problem, secret }: Notes): void {
    if (value === NONE) return;
    try {
      const url = new URL(value);
      // A value in an address's query can be a token.
      const inQuery = url.search
        .slice(1)
        .split("&")
        .map((pair) => pair.slice(pair.indexOf("=") + 1));
      for (const part of [url.password, decoded(url.password), ...url.searchParams.values(), ...inQuery])
        secret(part);
      if (url.username || url.password) {
        problem("has a user or a password in it, which is not sent: give the token in its own variable");
        return;
      }
      if (schemes.includes(url.protocol)) return;
    } catch {}
    problem(`is not a valid address: give one like ${example}, or "${NONE}" to leave it out on purpose`);
  }
}

/** A PEM, its line ends as `\n` or real ones, or the path of a file that holds one. */
export function pem(name: string, meaning: string): Variable<string | null> {
  return {
    ...text(name, meaning, { secret: true }),
    parse(value, { problem }) {
      const given = value.replaceAll("\\n", "\n");
      if (given.includes("-----BEGIN")) return given;
      try {
        const read = readFileSync(value, "utf8");
        if (!read.includes("-----BEGIN"))
          problem("names a file that holds no PEM: it must have a -----BEGIN line");
        return read;
      } catch {
        problem("is neither a PEM nor a file that can be read: give the text from -----BEGIN on, or a path");
        return null;
      }
    },
  };
}

function isCertificate(block: string): boolean {
  try {
    return new X509Certificate(block).raw.length > 0;
  } catch {
    return false;
  }
}

/** The certificates of one or more CAs, as `pem`. What is wrong with them is not shown: it may be a key. */
export function authority(name: string, meaning: string): Variable<string | null> {
  const own = pem(name, meaning);
  return {
    ...own,
    parse(value, notes) {
      const read = own.parse(value, notes);
      if (!read?.includes("-----BEGIN")) return read;
      const begun = read.match(/-----BEGIN /g)!.length;
      const blocks = read.match(/-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----/gs) ?? [];
      if (/PRIVATE KEY-----/.test(read))
        notes.problem(
          "holds a private key: give the certificate of the CA alone, and keep its key away from here",
        );
      else if (blocks.length < begun || !blocks.every(isCertificate))
        notes.problem(
          "holds something that is no certificate: give each from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----, whole",
        );
      return read;
    },
  };
}
