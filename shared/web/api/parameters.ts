/** Query parameters that a route does not have are refused: one that is misspelled would change nothing, in silence. */
import type { MiddlewareHandler } from "hono";
import { cut } from "../../text.ts";
import type { ApiEnv, App } from "../env.ts";
import { errorResponse } from "../errors.ts";

interface Parameters {
  readonly method: string;
  readonly path: RegExp;
  readonly names: readonly string[];
}

/** Its monitors are not under our control, and some add a parameter against caches. */
const UNCHECKED = "/healthz";
const MAX_NAME = 60;

/** Lists what the registered routes take. */
const parametersOf = (app: App): Parameters[] =>
  app.openAPIRegistry.definitions.flatMap((definition) => {
    if (definition.type !== "route") return [];
    const { method, path, request } = definition.route;
    const query = request?.query;
    const shape = query && "shape" in query ? (query.shape as object) : {};
    const pattern = path.replace(/[.]/g, "\\.").replace(/\{[^}]+\}/g, "[^/]+");
    return [
      { method: method.toUpperCase(), path: new RegExp(`^${pattern}$`), names: Object.keys(shape).sort() },
    ];
  });

/** Says which of the parameters that were given are not among those that there are; null where all are. */
export function unknownParameters(given: readonly string[], names: readonly string[]): string | null {
  const unknown = given.filter((name) => !names.includes(name));
  if (unknown.length === 0) return null;
  const there = names.length > 0 ? `there are: ${names.join(", ")}` : "this route takes none";
  const what = unknown.length === 1 ? "parameter" : "parameters";
  return `unknown query ${what}: ${unknown.map((name) => cut(name, MAX_NAME)).join(", ")}; ${there}`;
}

/** Refuses a request with a query parameter that its route does not have, and names those that it has. */
export function refuseUnknownParameters(app: App): MiddlewareHandler<ApiEnv> {
  let known: readonly Parameters[] | undefined;
  return (c, next) => {
    // Routes are registered after this.
    known ??= parametersOf(app);
    const given = Object.keys(c.req.query());
    const { path } = c.req;
    const route = known.find((one) => one.method === c.req.method && one.path.test(path));
    if (given.length === 0 || !route || path === UNCHECKED) return next();
    const detail = unknownParameters(given, route.names);
    if (detail === null) return next();
    return Promise.resolve(errorResponse(c, 422, "invalid_request", detail));
  };
}
