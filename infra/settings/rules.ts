/** Which settings of an environment go together. */
import { leaseMs } from "../../shared/cycle/lease.ts";
import type { SettingFields } from "./settings.ts";

/** The time to start and to read the secret, before a cycle takes its lease. */
const START_SECONDS = 10;

const isInTheClear = (databaseUrl: string): boolean => databaseUrl.endsWith("?sslmode=disable");

/**
 * Checks the fields against each other.
 * @param refuse called with each field that is wrong, and the reason
 */
export function checkRules(settings: SettingFields, refuse: (field: string, message: string) => void): void {
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
    refuse("fileSystem", `is needed for ${libsqlUrl}: give the access point whose mountPath holds the file`);
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
}
