/** The Upstash REST protocol in front of a local Redis, as in serverless-redis-http. */
import { Hono } from "hono";
import type { LocalRedis } from "./redis.ts";

type Command = readonly string[];

const isCommand = (value: unknown): value is Command =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((part) => ["string", "number"].includes(typeof part));

/** Commands that answer with a status instead of data. The protocol never encodes a status in base64. */
const STATUS_COMMANDS = new Set(["FLUSHALL", "FLUSHDB", "HMSET", "MSET", "RENAME", "SET"]);

/** Makes the result fit for JSON; data is in base64 where the client asks for it. */
function encode(value: unknown, base64: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => encode(item, base64));
  if (typeof value !== "string" && !Buffer.isBuffer(value)) return value ?? null;
  return Buffer.from(value as string).toString(base64 ? "base64" : "utf8");
}

const encodeReply = ([name = ""]: Command, value: unknown, base64: boolean) =>
  encode(value, base64 && !STATUS_COMMANDS.has(name.toUpperCase()));

/** @param token the bearer token that a request needs */
export function redisRestApp(redis: LocalRedis, token: string): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    if (c.req.header("authorization") === `Bearer ${token}`) return next();
    return c.json({ error: "Unauthorized" }, 401);
  });
  const answer = async (command: Command, base64: boolean) => {
    try {
      return { result: encodeReply(command, await redis.command(command), base64) };
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
  };
  const wantsBase64 = (header: string | undefined) => header === "base64";

  app.post("/", async (c) => {
    const command: unknown = await c.req.json().catch(() => null);
    if (!isCommand(command)) return c.json({ error: "ERR the body is not a command" }, 400);
    const reply = await answer(command.map(String), wantsBase64(c.req.header("upstash-encoding")));
    return c.json(reply, "error" in reply ? 400 : 200);
  });
  for (const path of ["/pipeline", "/multi-exec"] as const)
    app.post(path, async (c) => {
      const commands: unknown = await c.req.json().catch(() => null);
      if (!Array.isArray(commands) || !commands.every(isCommand))
        return c.json({ error: "ERR the body is not a list of commands" }, 400);
      const base64 = wantsBase64(c.req.header("upstash-encoding"));
      const lines = commands.map((command) => command.map(String));
      if (path === "/pipeline") return c.json(await Promise.all(lines.map((line) => answer(line, base64))));
      const results = await redis.transaction(lines);
      return c.json(
        results.map(([error, result], i) =>
          error ? { error: error.message } : { result: encodeReply(lines[i]!, result, base64) },
        ),
      );
    });
  return app;
}
