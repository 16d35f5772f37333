/** The routes under `/api/canary/silences`. */
import { createRoute, z } from "@hono/zod-openapi";
import { SilenceCreated, SilencesList } from "../../wire/schemas/silences.ts";
import { toSilence } from "../describe-status.ts";
import { ErrorBody, errorResponse } from "../errors.ts";
import { addSilence, endSilence, SilenceRequest, silencesInForce } from "../silences.ts";
import { jsonBody, type RegisterRoutes } from "./route.ts";

const add = createRoute({
  method: "post",
  path: "/api/canary/silences",
  operationId: "createSilence",
  summary:
    "Don't notify of an invariant, or of one subject of it, until then or until it recovers; it is still checked and recorded",
  request: { body: { required: true, content: { "application/json": { schema: SilenceRequest } } } },
  responses: {
    201: jsonBody("The silence, and what could not be checked", SilenceCreated),
    400: jsonBody("The body is not JSON", ErrorBody),
    409: jsonBody("There are too many silences", ErrorBody),
    422: jsonBody(
      "A field that can't be used, a subject that there is not, or one that is not red",
      ErrorBody,
    ),
  },
});

const list = createRoute({
  method: "get",
  path: "/api/canary/silences",
  operationId: "listSilences",
  summary: "The silences in force",
  responses: { 200: jsonBody("Oldest first", SilencesList) },
});

const remove = createRoute({
  method: "delete",
  path: "/api/canary/silences/{id}",
  operationId: "endSilence",
  summary: "End a silence: what is red then is notified with the next cycle",
  request: { params: z.object({ id: z.string() }) },
  responses: { 204: { description: "It is gone" }, 404: jsonBody("There is none with that id", ErrorBody) },
});

export const registerSilences: RegisterRoutes = (app, { canary }) => {
  app.openAPIRegistry.registerPath(add);
  app.post(add.path, async (c) => {
    const body: unknown = await c.req.json().catch(() => undefined);
    if (body === undefined) return errorResponse(c, 400, "invalid_json", "the body is not JSON");
    const added = await addSilence(canary, body, c.get("caller"));
    if ("detail" in added) return errorResponse(c, added.status, added.code, added.detail);
    return c.json({ ...toSilence(added.silence), note: added.note }, 201);
  });

  app.openapi(list, async (c) => c.json({ silences: (await silencesInForce(canary)).map(toSilence) }, 200));

  app.openapi(remove, async (c) => {
    const { id } = c.req.valid("param");
    return (await endSilence(canary, id))
      ? c.body(null, 204)
      : errorResponse(c, 404, "not_found", `there is no silence ${id}`);
  });
};
