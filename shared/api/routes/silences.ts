import { randomBytes } from "node:crypto";
import { createRoute, z } from "@hono/zod-openapi";
import type { CycleDeps } from "../../cycle/run-cycle.ts";
import type { Silence } from "../../cycle/silence.ts";
import { formatInstant } from "../../snapshot/timestamps.ts";
import { type App, describeIssues, ErrorBody, errorResponse, jsonBody } from "../errors.ts";
import { SilenceRequest, SilenceSchema, SilencesList } from "../schemas.ts";

/** Each silence is an attribute of one item, which has room for no more than this. */
const MAX_SILENCES = 50;
const MAX_SILENCE_MS = 90 * 86_400_000;

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

/** @returns the silence in wire names */
export const toSilence = (s: Silence) => ({
  id: s.id,
  invariant_id: s.invariantId,
  subject: s.subject,
  until: formatInstant(s.untilMs),
  reason: s.reason,
  created_at: formatInstant(s.createdAtMs),
});

/** The routes under `/api/canary/silences`. */
export function registerSilences(app: App, { store, now }: CycleDeps): void {
  const inForce = async () => (await store.readMemory()).silences.filter((s) => s.untilMs > now());

  app.openAPIRegistry.registerPath(add);
  app.post(add.path, async (c) => {
    const body: unknown = await c.req.json().catch(() => undefined);
    if (body === undefined) return errorResponse(c, 400, "invalid_json", "the body is not JSON");
    const request = SilenceRequest.safeParse(body);
    if (!request.success) return errorResponse(c, 422, "invalid_request", describeIssues(request.error));
    const { invariant_id, subject, until, reason } = request.data;
    if (until <= now() || until > now() + MAX_SILENCE_MS)
      return errorResponse(c, 422, "invalid_request", "until: give a time in the next 90 days");
    if ((await inForce()).length >= MAX_SILENCES)
      return errorResponse(c, 409, "too_many_silences", `there are ${MAX_SILENCES} silences: end one first`);
    const id = randomBytes(4).toString("hex");
    const silence = {
      id,
      invariantId: invariant_id,
      subject: subject ?? null,
      untilMs: until,
      reason,
      createdAtMs: now(),
    };
    await store.putSilence(silence);
    return c.json(toSilence(silence), 201);
  });

  app.openapi(list, async (c) => c.json({ silences: (await inForce()).map(toSilence) }, 200));

  app.openapi(remove, async (c) => {
    const { id } = c.req.valid("param");
    const removed = /^[0-9a-f]{8}$/.test(id) && (await store.removeSilence(id));
    return removed
      ? c.body(null, 204)
      : (errorResponse(c, 404, "not_found", `there is no silence ${id}`) as never);
  });
}
