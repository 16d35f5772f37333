/** Silences: how the API and the pages create and end them, and their routes. */
import { randomBytes } from "node:crypto";
import { createRoute, z } from "@hono/zod-openapi";
import { isInForce, type Silence } from "../../alerts/silence.ts";
import { MAX_SILENCES } from "../../store/silences.ts";
import { DAY_MS } from "../../time.ts";
import { SilenceSchema, SilencesList } from "../../wire/schemas.ts";
import { toSilence } from "../describe-status.ts";
import { describeIssues, ErrorBody, errorResponse } from "../errors.ts";
import type { AppCanary } from "../view.ts";
import { KnownId, Time } from "./query.ts";
import { jsonBody, type RegisterRoutes } from "./route.ts";

const MAX_SILENCE_MS = 90 * DAY_MS;

const SilenceRequest = z
  .strictObject({
    invariant_id: KnownId,
    subject: z
      .string()
      // Alerts put zero-width spaces into names in Slack: a copied name would match nothing.
      .overwrite((name) => name.replaceAll("\u200b", ""))
      .min(1, "name an agent, or leave it out for all")
      .max(200, "give at most 200 characters")
      .optional(),
    until: Time,
    reason: z
      .string()
      .trim()
      .min(1, "say why, for anyone who reads it at 3 a.m.")
      .max(200, "give at most 200 characters"),
  })
  .openapi("SilenceRequest");

/** Why a silence was not created. */
interface Refused {
  readonly status: 409 | 422;
  readonly code: string;
  readonly detail: string;
}

/** Reads the silences that have not ended, oldest first. */
async function silencesInForce({ store, now }: AppCanary): Promise<Silence[]> {
  return (await store.lease.read()).silences.filter((s) => isInForce(s, now()));
}

/**
 * Creates a silence.
 * @param input an unchecked `SilenceRequest`
 * @returns the silence, which is in force at once, or why it was refused
 */
export async function addSilence(canary: AppCanary, input: unknown): Promise<Silence | Refused> {
  const { store, now } = canary;
  const invalid = (detail: string): Refused => ({ status: 422, code: "invalid_request", detail });
  const request = SilenceRequest.safeParse(input);
  if (!request.success) return invalid(describeIssues(request.error));
  const { invariant_id, subject, until, reason } = request.data;
  if (until <= now() || until > now() + MAX_SILENCE_MS)
    return invalid("until: give a time in the next 90 days");
  const silence = {
    id: randomBytes(4).toString("hex"),
    invariantId: invariant_id,
    subject: subject ?? null,
    untilMs: until,
    reason,
    createdAtMs: now(),
  };
  if (await store.silences.put(silence, now())) return silence;
  const detail = `there are ${MAX_SILENCES} silences: end one first`;
  return { status: 409, code: "too_many_silences", detail };
}

/** Ends a silence. Returns false if none has that id. */
export const endSilence = async ({ store }: AppCanary, id: string): Promise<boolean> =>
  /^[0-9a-f]{8}$/.test(id) && (await store.silences.remove(id));

const add = createRoute({
  method: "post",
  path: "/api/canary/silences",
  summary:
    "Don't tell of an invariant, or of one subject of it, until then; it is still checked and recorded",
  request: { body: { required: true, content: { "application/json": { schema: SilenceRequest } } } },
  responses: {
    201: jsonBody("The silence", SilenceSchema),
    400: jsonBody("The body is not JSON", ErrorBody),
    409: jsonBody("There are too many silences", ErrorBody),
    422: jsonBody("A field that can't be used", ErrorBody),
  },
});

const list = createRoute({
  method: "get",
  path: "/api/canary/silences",
  summary: "The silences in force",
  responses: { 200: jsonBody("Oldest first", SilencesList) },
});

const remove = createRoute({
  method: "delete",
  path: "/api/canary/silences/{id}",
  summary: "End a silence: what is red then is told with the next cycle",
  request: { params: z.object({ id: z.string() }) },
  responses: { 204: { description: "It is gone" }, 404: jsonBody("There is none with that id", ErrorBody) },
});

export const registerSilences: RegisterRoutes = (app, { canary }) => {
  app.openAPIRegistry.registerPath(add);
  app.post(add.path, async (c) => {
    const body: unknown = await c.req.json().catch(() => undefined);
    if (body === undefined) return errorResponse(c, 400, "invalid_json", "the body is not JSON");
    const added = await addSilence(canary, body);
    if ("detail" in added) return errorResponse(c, added.status, added.code, added.detail);
    return c.json(toSilence(added), 201);
  });

  app.openapi(list, async (c) => c.json({ silences: (await silencesInForce(canary)).map(toSilence) }, 200));

  app.openapi(remove, async (c) => {
    const { id } = c.req.valid("param");
    return (await endSilence(canary, id))
      ? c.body(null, 204)
      : errorResponse(c, 404, "not_found", `there is no silence ${id}`);
  });
};
