/** The routes under `/api/canary/agents`. */
import { createRoute, z } from "@hono/zod-openapi";
import { fitInto, MAX_ANSWER_BYTES } from "../../wire/fit-into.ts";
import { AgentSchema, AgentsPage } from "../../wire/schemas/agents.ts";
import { describeAgents, readAgent } from "../agents.ts";
import { ErrorBody, errorResponse } from "../errors.ts";
import { jsonBody, type RegisterRoutes } from "./route.ts";

const list = createRoute({
  method: "get",
  path: "/api/canary/agents",
  operationId: "listAgents",
  summary:
    "Every agent of the roster as the last full cycle saw it, and every red subject, the red ones first",
  responses: { 200: jsonBody("The agents", AgentsPage) },
});

const one = createRoute({
  method: "get",
  path: "/api/canary/agents/{name}",
  operationId: "getAgent",
  summary: "One agent, with its slots and rows as last seen, and what is red of it with the commands to type",
  request: { params: z.object({ name: z.string() }) },
  responses: {
    200: jsonBody("The agent", AgentSchema),
    404: jsonBody("There is no agent with that name", ErrorBody),
  },
});

export const registerAgents: RegisterRoutes = (app, { view }) => {
  const { store, checks, now } = view;
  app.openapi(list, async (c) => {
    const [{ memory }, latest] = await Promise.all([store.lease.read(), store.latest.read(now())]);
    return c.json(fitInto(describeAgents(checks, memory, latest), MAX_ANSWER_BYTES), 200);
  });

  app.openapi(one, async (c) => {
    const agent = await readAgent(view, c.req.valid("param").name);
    return agent
      ? c.json(fitInto(agent, MAX_ANSWER_BYTES), 200)
      : errorResponse(
          c,
          404,
          "not_found",
          "no agent with that name was on the roster or red, as far as is known",
        );
  });
};
