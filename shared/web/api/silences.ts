import { createRoute, z } from "@hono/zod-openapi";
import type { Canary } from "../../canary.ts";
import { Silence, SilenceRequest, SilencesList } from "../../wire/schemas.ts";
import { type App, ErrorBody, errorResponse, jsonBody } from "../errors.ts";
import { addSilence, endSilence, silencesInForce, toSilence } from "../silencing.ts";

const add = createRoute({
  method: "post",
  path: "/api/canary/silences",
  summary:
    "Don't tell of an invariant, or of one subject of it, until then; it is still checked and recorded",
  request: { body: { required: true, content: { "application/json": { schema: SilenceRequest } } } },
  responses: {
    201: jsonBody("The silence", Silence),
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

/** The routes under `/api/canary/silences`. */
export function registerSilences(app: App, canary: Canary): void {
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
}
