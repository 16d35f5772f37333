/** Where the sources of an environment are, and how they are reached. */
import { z } from "zod";
import { docker } from "../../shared/sources/docker/docker.ts";
import { postgres } from "../../shared/sources/postgres/postgres.ts";
import { queueCounts } from "../../shared/sources/queue-counts/queue-counts.ts";
import { redis } from "../../shared/sources/redis/redis.ts";
import { sqlite } from "../../shared/sources/sqlite/sqlite.ts";
import { address, matching, none, numberOf, orNone, writes } from "./schemas.ts";

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

export const SOURCE_SETTINGS = {
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
      error: 'give "sql", an http(s):// address without a token in it, or "none" to leave it out on purpose',
    }),
    (url) => (url === "sql" ? null : url),
  ),
  /** Where the daemons, or another source, are private. Left out: the functions run outside of any VPC. */
  network: Network.optional(),
};
