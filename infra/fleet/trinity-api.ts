/** The calls of Trinity's HTTP API that the fleet needs. Each has a deadline, and an error that names the call and the fix. */
import { z } from "zod";
import { redactor } from "../../shared/config/redactor.ts";
import { withDeadline } from "../../shared/deadline.ts";
import { describeError, SourceError } from "../../shared/errors.ts";
import { printable } from "../../shared/text.ts";

/** A call failed; the message names the call, the status and the fix. It holds no secret. */
export class TrinityError extends Error {
  override readonly name = "TrinityError";
}

const ScheduleAnswer = z.object({
  id: z.union([z.string(), z.number()]).transform(String),
  name: z.string(),
  cron_expression: z.string(),
  message: z.string(),
  enabled: z.boolean(),
  model: z.string().nullish(),
});
export type Schedule = z.infer<typeof ScheduleAnswer>;

const Reason = z.object({ name: z.string(), reason: z.string() });
const DeployAnswer = z.object({
  status: z.string(),
  agents_created: z.array(z.string()).nullish(),
  agents_to_create: z
    .array(z.union([z.string(), z.object({ name: z.string() }).transform(({ name }) => name)]))
    .nullish(),
  warnings: z.array(z.string()).nullish(),
  failed: z.array(Reason).nullish(),
});
export type Deployment = z.infer<typeof DeployAnswer>;

const CapacityAnswer = z.object({ max_parallel_tasks: z.number() });
const TimeoutAnswer = z.object({ execution_timeout_seconds: z.number() });

export interface Trinity {
  /** The address, for messages. */
  readonly url: string;
  /** Gives null where there is no such agent. */
  schedules(agent: string): Promise<Schedule[] | null>;
  createSchedule(
    agent: string,
    schedule: { name: string; cron_expression: string; message: string; model: string },
  ): Promise<void>;
  setModel(agent: string, scheduleId: string, model: string): Promise<void>;
  /** Gives null where the platform can't read it. */
  maxParallelTasks(agent: string): Promise<number | null>;
  setMaxParallelTasks(agent: string, tasks: number): Promise<void>;
  /** Gives null where the platform can't read it. */
  executionTimeoutSeconds(agent: string): Promise<number | null>;
  setExecutionTimeoutSeconds(agent: string, seconds: number): Promise<void>;
  /** @param dryRun only report what would be made */
  deploy(manifest: string, dryRun: boolean): Promise<Deployment>;
  /** Deletes an agent; does nothing where it is gone. */
  deleteAgent(agent: string): Promise<void>;
}

export interface TrinityOptions {
  readonly url: string;
  /** The token of an admin. */
  readonly token: string;
  /** The deadline of one call. */
  readonly timeoutMs?: number;
  /** The deadline of a deploy, which starts a container for each agent before it answers. */
  readonly deployTimeoutMs?: number;
}

const DETAIL_CHARACTERS = 300;

/** The platform's reason for a refusal: a text, an object with a message, a list of fields, or a deploy's report. */
function detailOf(body: unknown): string {
  const { detail, failed } = Object(body) as { detail?: unknown; failed?: unknown };
  const said = detail ?? failed ?? "";
  const { message } = Object(said) as { message?: unknown };
  return typeof said === "string" ? said : typeof message === "string" ? message : JSON.stringify(said);
}

/** FastAPI's own text for an unknown path. For an unknown agent the platform has another text. */
const NO_SUCH_PATH = "Not Found";

function fixOf(status: number): string {
  if (status === 401)
    return "the token was refused: give PLATFORM_TOKEN of an admin, one that has not expired";
  if (status === 403) return "the token may not do this: give PLATFORM_TOKEN of an admin";
  if (status === 404)
    return "not there: is PLATFORM_URL (or the profile's platform) the address of a Trinity?";
  if (status >= 300 && status < 400) return "a redirect: give the address that it leads to";
  if (status >= 500) return "the platform failed: look at its log, then run this again";
  return "the platform refused it";
}

interface CallOptions {
  readonly body?: unknown;
  /** Whether a refusal means that the resource does not exist. Then the call gives null. */
  readonly absent?: (status: number, detail: string) => boolean;
  readonly limitMs?: number;
}

/** Makes the function that sends a call and checks its answer. It throws TrinityError where the call fails. */
function caller({ url, token, timeoutMs = 30_000 }: TrinityOptions) {
  const redact = redactor([token]);
  const oneLine = (text: string) =>
    printable(redact(text).replace(/\s+/g, " ").trim()).slice(0, DETAIL_CHARACTERS);

  async function exchange(call: string, path: string, init: RequestInit, limitMs: number) {
    const [method] = call.split(" ");
    try {
      return await withDeadline(limitMs, async (signal) => {
        const headers = {
          authorization: `Bearer ${token}`,
          ...(init.body && { "content-type": "application/json" }),
        };
        // A followed redirect would turn a PUT into a GET, or carry the token to another host.
        const response = await fetch(url + path, { ...init, headers, signal, redirect: "manual" });
        return { status: response.status, text: await response.text() };
      });
    } catch (error) {
      const fix =
        error instanceof SourceError
          ? method === "GET"
            ? "is the platform well?"
            : "the platform may still be at work: wait a minute, then look with `canary fleet status`"
          : "is PLATFORM_URL (or the profile's platform) its address, and does it answer from here?";
      throw new TrinityError(`${call}: ${oneLine(describeError(error))}: ${fix}`);
    }
  }

  async function call<T>(
    method: string,
    path: string,
    answer: z.ZodType<T>,
    { body, absent = () => false, limitMs = timeoutMs }: CallOptions = {},
  ): Promise<T | null> {
    const name = `${method} ${path}`;
    const init = { method, ...(body !== undefined && { body: JSON.stringify(body) }) };
    const { status, text } = await exchange(name, path, init, limitMs);
    let parsed: unknown;
    try {
      parsed = JSON.parse(text || "null");
    } catch {}
    if (status < 200 || status > 299) {
      const detail = parsed === undefined ? "" : detailOf(parsed);
      if (absent(status, detail)) return null;
      const said = oneLine(detail);
      throw new TrinityError(`${name}: HTTP ${status}: ${fixOf(status)}${said === "" ? "" : ` (${said})`}`);
    }
    const checked = answer.safeParse(parsed);
    if (parsed !== undefined && checked.success) return checked.data;
    const where = checked.error?.issues[0]?.path.join(".") ?? "";
    throw new TrinityError(
      `${name}: HTTP ${status}, but ${
        parsed === undefined ? "no JSON" : `not what Trinity answers${where && ` (at ${oneLine(where)})`}`
      }: is PLATFORM_URL (or the profile's platform) its address, and this version one that it knows?`,
    );
  }
  return { call, oneLine };
}

const agentPath = (agent: string, rest = "") => `/api/agents/${encodeURIComponent(agent)}${rest}`;
// A server other than Trinity answers everything with 404, which must not read as "no such agent".
const noAgent = (status: number, detail: string) =>
  status === 404 && detail !== "" && detail !== NO_SUCH_PATH;
const noWayToRead = (status: number) => status === 404 || status === 405;

/** Makes the calls. Each throws TrinityError where it fails. */
export function trinityApi(options: TrinityOptions): Trinity {
  const { url, deployTimeoutMs = 300_000 } = options;
  const { call, oneLine } = caller(options);

  /** Some platforms answer with the stored value: then it has to be the value of the request. */
  async function put(path: string, body: Record<string, string | number>): Promise<void> {
    const answer = Object(await call("PUT", path, z.unknown(), { body })) as Record<string, unknown>;
    for (const [field, wanted] of Object.entries(body)) {
      const stored = answer[field];
      if (stored !== undefined && stored !== wanted)
        throw new TrinityError(
          `PUT ${path}: the platform answered ${field} = ${oneLine(JSON.stringify(stored))} to ${JSON.stringify(wanted)}: look there who else sets it`,
        );
    }
  }

  return {
    url,
    schedules: (agent) =>
      call("GET", agentPath(agent, "/schedules"), z.array(ScheduleAnswer), { absent: noAgent }),
    async createSchedule(agent, schedule) {
      const body = { ...schedule, enabled: true };
      await call("POST", agentPath(agent, "/schedules"), z.unknown(), { body });
    },
    setModel: (agent, scheduleId, model) =>
      put(agentPath(agent, `/schedules/${encodeURIComponent(scheduleId)}`), { model }),
    async maxParallelTasks(agent) {
      const path = agentPath(agent, "/capacity");
      return (await call("GET", path, CapacityAnswer, { absent: noWayToRead }))?.max_parallel_tasks ?? null;
    },
    setMaxParallelTasks: (agent, tasks) => put(agentPath(agent, "/capacity"), { max_parallel_tasks: tasks }),
    async executionTimeoutSeconds(agent) {
      const answer = await call("GET", agentPath(agent, "/timeout"), TimeoutAnswer, { absent: noWayToRead });
      return answer?.execution_timeout_seconds ?? null;
    },
    setExecutionTimeoutSeconds: (agent, seconds) =>
      put(agentPath(agent, "/timeout"), { execution_timeout_seconds: seconds }),
    async deploy(manifest, dryRun) {
      const body = { manifest, dry_run: dryRun };
      return (await call("POST", "/api/systems/deploy", DeployAnswer, { body, limitMs: deployTimeoutMs }))!;
    },
    async deleteAgent(agent) {
      await call("DELETE", agentPath(agent), z.unknown(), { absent: noAgent });
    },
  };
}
