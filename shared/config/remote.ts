/** The variables with which the command line finds a running canary. */
import { type Environment, reader } from "./reader.ts";
import { matching, oneOf, text, token } from "./variable.ts";

export const REMOTE = {
  url: text(
    "CANARY_URL",
    "a canary that runs already; the command line then calls it instead of running the cycle itself",
    {
      checks: [
        matching(
          /^https?:\/\/[^\s@]+$/,
          "is not an address: give one like https://id.lambda-url.eu-west-1.on.aws",
        ),
      ],
    },
  ),
  auth: oneOf(
    "CANARY_AUTH",
    "how it is called: `bearer` with `CANARY_TOKEN`, or `iam`, signed with the AWS credentials at hand",
    { fallback: "bearer", names: ["bearer", "iam"] },
  ),
  token: token("CANARY_TOKEN", "its admin token"),
  region: text("AWS_REGION", "with `iam`, the region to sign for, where `CANARY_URL` does not say it"),
};

/** How the command line calls a deployed canary: with its admin token, or signed with the AWS credentials at hand. */
export interface Remote {
  readonly url: string;
  readonly auth: { readonly token: string } | { readonly region: string };
}

/**
 * Reads where the command line finds a deployed canary; null where it runs the cycle itself.
 * @throws ConfigError where a part is missing
 */
export function loadRemote(env: Environment = process.env): Remote | null {
  const read = reader(env);
  const { url, auth, token: adminToken, region: named } = read.values(REMOTE);
  if (url === null) return null;
  const region = /\.lambda-url\.([\w-]+)\.on\.aws/.exec(url)?.[1] ?? named;
  if (auth === "iam" && region === null)
    read.problem("AWS_REGION is missing: CANARY_URL does not say which region to sign for");
  if (auth === "bearer" && adminToken === null)
    read.problem("CANARY_TOKEN is missing: give the admin token of the canary at CANARY_URL");
  read.end();
  return {
    url: url.replace(/\/+$/, ""),
    auth: auth === "iam" ? { region: region! } : { token: adminToken! },
  };
}
