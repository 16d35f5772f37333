/** The routes under `/api/canary/episodes`. */
import { createRoute, z } from "@hono/zod-openapi";
import { EpisodeSchema, EpisodesPage } from "../../wire/schemas/episodes.ts";
import { ErrorBody, errorResponse } from "../errors.ts";
import { Flag, KnownId, pageQuery, RangeQuery, Subject } from "./query.ts";
import { jsonBody, type RegisterRoutes } from "./route.ts";

const EpisodesQuery = z.object({
  invariant_id: KnownId.optional(),
  subject: Subject.optional(),
  open: Flag.optional().openapi({ description: "true: only those that have not ended" }),
  ...RangeQuery.shape,
  ...pageQuery(100),
});

const list = createRoute({
  method: "get",
  path: "/api/canary/episodes",
  operationId: "listEpisodes",
  summary:
    "Episodes that began in that time, newest first: one subject's red of one invariant from begin to end",
  request: { query: EpisodesQuery },
  responses: {
    200: jsonBody("A page of episodes", EpisodesPage),
    422: jsonBody("A bad parameter", ErrorBody),
  },
});

const one = createRoute({
  method: "get",
  path: "/api/canary/episodes/{id}",
  operationId: "getEpisode",
  summary: "One episode",
  request: { params: z.object({ id: z.string() }) },
  responses: {
    200: jsonBody("The episode", EpisodeSchema),
    404: jsonBody("There is none with that id", ErrorBody),
  },
});

export const registerEpisodes: RegisterRoutes = (app, { view: { store, now } }) => {
  app.openapi(list, async (c) => {
    const { invariant_id, subject, open, start_time, end_time, limit, cursor } = c.req.valid("query");
    const nowMs = now();
    const range = { startMs: start_time ?? 0, endMs: Math.min(end_time ?? nowMs, nowMs), nowMs };
    const filter = { invariantId: invariant_id, subject, openOnly: open, ...range };
    const page = await store.episodes.list(filter, limit, cursor ?? null);
    return c.json({ episodes: page.items, next_cursor: page.cursor }, 200);
  });

  app.openapi(one, async (c) => {
    const { id } = c.req.valid("param");
    const episode = await store.episodes.get(id, now());
    return episode
      ? c.json(episode, 200)
      : errorResponse(
          c,
          404,
          "not_found",
          "there is no episode with that id, or it ended more than 90 days ago",
        );
  });
};
