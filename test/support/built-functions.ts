/** The output of `cdk synth` for an environment: its template, and both functions as Lambda would get them. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { temporaryFolder } from "./live.ts";

const run = promisify(execFile);
const PROJECT = fileURLToPath(new URL("../..", import.meta.url));

export const ACCOUNT = "123456789012";
export const REGION = "eu-west-1";

// biome-ignore lint/suspicious/noExplicitAny: a template is plain JSON
type Json = any;

export interface BuiltFunction {
  readonly name: string;
  /** The folder that is uploaded. */
  readonly asset: string;
  readonly handler: string;
  /** Its variables in the template. */
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
}

export interface BuiltStack {
  /** The function that the schedule invokes. */
  readonly cycle: BuiltFunction;
  /** The function behind the function URL. */
  readonly api: BuiltFunction;
  /** The properties of the resources of a type, with references resolved. */
  resources(type: string): Json[];
  remove(): Promise<void>;
}

/**
 * Stand-ins for resources that only the account would make: for `Ref` by their logical id without its hash or by their
 * type, for `Fn::GetAtt` by type and attribute, `AWS::Lambda::Url.FunctionUrl`.
 */
export type Made = Readonly<Record<string, string>>;

/** Resolves a value as CloudFormation would. A resource that is not in `made` becomes `Type id`. */
function resolved(template: Json, made: Made, value: Json): Json {
  if (Array.isArray(value)) return value.map((item) => resolved(template, made, item));
  if (value === null || typeof value !== "object") return value;
  const of = (id: string, attribute?: string) => {
    const key = [template.Resources[id]?.Type ?? id, attribute].filter(Boolean).join(".");
    return made[id.replace(/[0-9A-F]{8}$/, "")] ?? made[key] ?? `${key} ${id}`;
  };
  const [[name, inner] = ["", undefined], ...more] = Object.entries<Json>(value);
  if (more.length === 0 && name === "Ref") return of(inner);
  if (more.length === 0 && name === "Fn::GetAtt") return of(inner[0], inner[1]);
  if (more.length === 0 && name === "Fn::Join") return resolved(template, made, inner[1]).join(inner[0]);
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, resolved(template, made, item)]),
  );
}

/**
 * Runs `cdk synth` for an environment into a new folder.
 * @throws where it fails, or the template has no schedule, no function URL or no asset for their functions
 */
export async function buildStack(environment: string, made: Made): Promise<BuiltStack> {
  const folder = await temporaryFolder();
  const stack = `TrinityCanary-${environment}`;
  // Needs neither an account nor the network.
  const env = {
    ...process.env,
    AWS_EC2_METADATA_DISABLED: "true",
    CDK_DISABLE_VERSION_CHECK: "1",
    CDK_DISABLE_CLI_TELEMETRY: "true",
  };
  await run(
    join(PROJECT, "node_modules/.bin/cdk"),
    ["synth", "-q", "--no-notices", "-c", `env=${environment}`, "-o", folder.path],
    { cwd: PROJECT, env },
  ).catch(async (error) => {
    await folder.remove();
    throw error;
  });
  const json = async (name: string) =>
    JSON.parse(await readFile(join(folder.path, `${stack}.${name}`), "utf8"));
  const [template, assets] = [await json("template.json"), await json("assets.json")];
  const allOf = (type: string): [string, Json][] =>
    Object.entries<Json>(template.Resources).filter(([, resource]) => resource.Type === type);

  const builtFunction = (arn: Json): BuiltFunction => {
    const id: string = arn["Fn::GetAtt"][0];
    const { FunctionName, Code, Handler, Environment, Timeout, MemorySize } =
      template.Resources[id].Properties;
    const { source } = assets.files[Code.S3Key.replace(/\.zip$/, "")];
    return {
      name: FunctionName ?? id,
      asset: join(folder.path, source.path),
      handler: Handler,
      environment: resolved(template, made, Environment.Variables),
      timeoutSeconds: Timeout,
      memoryMb: MemorySize,
    };
  };
  const [schedule, url] = [allOf("AWS::Scheduler::Schedule")[0]![1], allOf("AWS::Lambda::Url")[0]![1]];
  return {
    cycle: builtFunction(schedule.Properties.Target.Arn),
    api: builtFunction(url.Properties.TargetFunctionArn),
    resources: (type) => allOf(type).map(([, resource]) => resolved(template, made, resource.Properties)),
    remove: folder.remove,
  };
}
