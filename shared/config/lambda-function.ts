/** The functions that a function calls, and where Lambda is called for them. */
import { type Environment, reader } from "./reader.ts";
import { text, type Variable } from "./variable.ts";

export const CYCLE_FUNCTION = {
  name: text(
    "CYCLE_FUNCTION",
    "the function that runs cycles. Only the API function reads it: it holds no token of a source, and has that function run the cycles. The right is `lambda:InvokeFunction`",
  ),
};

export const READER_FUNCTION = {
  name: text(
    "DOCKER_READER_FUNCTION",
    "the function that reads a few Docker daemons. Only the cycle function reads it; where it is not set, that function reads all daemons itself. The right is `lambda:InvokeFunction`",
  ),
};

export interface LambdaFunction {
  readonly name: string;
  readonly region: string;
  /** Without a slash at its end. */
  readonly endpoint: string;
}

interface Wanted {
  readonly variable: Variable<string | null>;
  /** What the function does. */
  readonly does: string;
  readonly isNeeded: boolean;
}

function load(env: Environment, { variable, does, isNeeded }: Wanted): LambdaFunction | null {
  const read = reader(env);
  const { name } = read.values({ name: variable });
  if (name === null && !isNeeded) return null;
  // Lambda sets its region, and the second is the AWS SDK's own variable.
  const { AWS_REGION: region, AWS_ENDPOINT_URL_LAMBDA: endpoint } = env;
  if (name === null) read.problem(`${variable.name} is missing: give the name of the function that ${does}`);
  if (!region) read.problem(`AWS_REGION is missing: give the region of the function that ${does}`);
  read.end();
  return { name: name!, region: region!, endpoint: endpoint || `https://lambda.${region}.amazonaws.com` };
}

/** Reads which function runs the cycles. @throws ConfigError where none is named */
export const loadCycleFunction = (env: Environment): LambdaFunction =>
  load(env, { variable: CYCLE_FUNCTION.name, does: "runs cycles", isNeeded: true })!;

/** Reads which function reads daemons; null where none is named. @throws ConfigError where its region is missing */
export const loadReaderFunction = (env: Environment): LambdaFunction | null =>
  load(env, { variable: READER_FUNCTION.name, does: "reads Docker daemons", isNeeded: false });
