/** What PostgreSQL's errors mean to an operator. None shows a secret, and each names the host and the variable. */
import { DATABASE_VARIABLES } from "../../config/named-database.ts";
import { SourceError } from "../../errors.ts";
import type { Address } from "./address.ts";

/** The names of the variables, for the texts. */
export const URL_VARIABLE = DATABASE_VARIABLES.postgres;
export const PASSWORD_VARIABLE = "DATABASE_PASSWORD";
export const CA_VARIABLE = "DATABASE_CA";

/** One statement failed, and others may not. */
export class StatementError extends SourceError {}
export const isStatementError = (error: unknown): boolean => error instanceof StatementError;

/** The connection ended. What was asked on it may be asked again. */
export class LostConnection extends SourceError {}

/** What was read may lack rows. It may be read again. */
export class RewrittenTable extends SourceError {}

const sqlState = (error: unknown): string =>
  error instanceof Error && error.name === "PostgresError" && "code" in error ? String(error.code) : "";

const [OUT_OF_TIME, LOCKED] = ["57014", "55P03"];

/** The error of one statement. */
export function statementError(error: unknown, { statementMs }: { readonly statementMs: number }) {
  const code = sqlState(error);
  if (code === OUT_OF_TIME)
    return new StatementError(
      `took longer than ${statementMs} ms and was ended: see with canary doctor which index is missing`,
    );
  if (code === LOCKED) return new StatementError("a table was locked: see whether a migration hangs");
  return new StatementError((error as Error).message);
}

/** States that end a connection: ended by an administrator, crashed, or shut down while it was idle. */
const ENDED = /^(57P0[125]|08\w{3}|25P03)$/;
/** States in which a connection is refused, by the server or later by a pooler. A role without CONNECT has another one. */
const REFUSED = /^(28\w{3}|3D000|53300|57P03)$/;

/** Whether the error is that of a statement, and the connection goes on. */
export const isOfStatement = (error: unknown): boolean => {
  const code = sqlState(error);
  // A role without CONNECT is refused with the code of a table without SELECT: only the severity differs.
  const isFatal = code !== "" && (error as { severity?: string }).severity === "FATAL";
  return code !== "" && !isFatal && !ENDED.test(code) && !REFUSED.test(code);
};

/** How Node names what is wrong with a certificate. */
const CERTIFICATE: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "has expired",
  CERT_NOT_YET_VALID: "is not valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID: "is for another name",
};
const UNTRUSTED = /^(SELF_SIGNED_\w+|DEPTH_\w+|UNABLE_\w+)$/;

/** How Node names that a server was not reached, and what to check. */
const UNREACHED: Readonly<Record<string, string>> = {
  ECONNREFUSED: "no server listens there (ECONNREFUSED): check host and port, and whether it runs",
  ENOTFOUND: "there is no such host name (ENOTFOUND): check how it is spelled, and whether it is known here",
  EAI_AGAIN: "the host name can't be looked up (EAI_AGAIN): check the name server that is asked from here",
  EHOSTUNREACH: "the host can't be reached from here (EHOSTUNREACH): check network, route and security group",
  ENETUNREACH: "the host can't be reached from here (ENETUNREACH): check network, route and security group",
  ETIMEDOUT: "the host does not answer (ETIMEDOUT): check host and port, network and security group",
};

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "";

function refusal(error: Error, address: Address): SourceError | null {
  const { user, place, database } = address;
  const code = sqlState(error);
  const at = (variable: string) => `${place}: ${variable}`;
  if (code === "28P01")
    return new SourceError(
      address.password
        ? `wrong password for ${user}, or no such role, or it has expired, at ${at(PASSWORD_VARIABLE)}`
        : `no password is set, and ${user} needs one at ${at(PASSWORD_VARIABLE)}`,
    );
  if (code === "42501")
    return new SourceError(
      `${user} may not connect (${error.message}): GRANT CONNECT ON DATABASE ${database} TO ${user}, at ${at(URL_VARIABLE)}`,
    );
  if (code === "53300")
    return new SourceError(`no connection is free (${error.message}) at ${at(URL_VARIABLE)}`);
  if (code === "57P03") return new SourceError(`not ready (${error.message}) at ${at(URL_VARIABLE)}`);
  if (code === "3D000") return new SourceError(`there is no database ${database} at ${at(URL_VARIABLE)}`);
  return REFUSED.test(code) ? new SourceError(`refused (${error.message}) at ${at(URL_VARIABLE)}`) : null;
}

/** The error of a connection: it could not be made, or it ended. */
export function connectionError(error: unknown, address: Address): SourceError {
  if (error instanceof SourceError) return error;
  const refused = error instanceof Error ? refusal(error, address) : null;
  if (refused !== null) return refused;
  const { place } = address;
  const code = codeOf(error);
  const fault = CERTIFICATE[code];
  if (fault !== undefined)
    return new SourceError(`the certificate of the server ${fault} (${code}), ${place}: ${URL_VARIABLE}`);
  if (UNTRUSTED.test(code))
    return new SourceError(
      `the certificate of the server is not signed by a known CA (${code}), ${place}: ${CA_VARIABLE}`,
    );
  const unreached = UNREACHED[code];
  if (unreached !== undefined) return new SourceError(`${unreached}, ${place}: ${URL_VARIABLE}`);
  const said = sqlState(error) === "" ? "" : ` (${(error as Error).message})`;
  return new LostConnection(`the server ended the connection${said}, ${place}: ${URL_VARIABLE}`);
}
