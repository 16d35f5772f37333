/** `/api/local/…` of what `npm start` runs: breaks an invariant on purpose, cures it, and lists what can be broken. */
import type { Context } from "hono";
import { z } from "zod";
import { formatInstant } from "../../shared/time.ts";
import { unknownParameters } from "../../shared/web/api/parameters.ts";
import type { RegisterRoutes } from "../../shared/web/api/route.ts";
import { describeIssues, errorResponse } from "../../shared/web/errors.ts";
import { type Breaks, type Broken, Refused, whenRed } from "./breaks.ts";
import type { BrokenBody } from "./breaks-wire.ts";

const BreakRequest = z.strictObject({ invariant_id: z.string(), fault: z.string().optional() });
const CureRequest = z.union([
  z.strictObject({ invariant_id: z.string() }),
  z.strictObject({ all: z.literal(true) }),
]);
const CURE_EXAMPLE = 'send {"invariant_id": "S-02"} or {"all": true}';

const bodyOf = ({ fault, agent, sinceMs, tookHold }: Broken): BrokenBody => ({
  invariant_id: fault.invariantId,
  fault: fault.name,
  title: fault.title,
  agent: agent.name,
  took_hold: tookHold,
  since: formatInstant(sinceMs),
  expect: whenRed(fault),
});

/** Reads the JSON body, does the work, and answers what the caller can do about an error. */
async function answer<T>(
  c: Context,
  schema: z.ZodType<T>,
  hint: string,
  work: (request: T) => Promise<object>,
): Promise<Response> {
  const request = schema.safeParse(await c.req.json().catch(() => null));
  if (!request.success)
    return errorResponse(c, 422, "invalid_request", `${describeIssues(request.error)}: ${hint}`);
  try {
    return c.json(await work(request.data));
  } catch (error) {
    if (error instanceof RangeError) return errorResponse(c, 422, "unknown_invariant", error.message);
    if (error instanceof Refused) return errorResponse(c, 409, "refused", error.message);
    throw error;
  }
}

/** @param breaks gives those of the platform; it throws Refused while the platform starts */
export const registerBreaks =
  (breaks: () => Breaks): RegisterRoutes =>
  (app) => {
    // None of these routes takes one.
    app.use("/api/local/*", (c, next) => {
      const refusal = unknownParameters(Object.keys(c.req.query()), []);
      return refusal === null ? next() : Promise.resolve(errorResponse(c, 422, "invalid_request", refusal));
    });
    app.get("/api/local/faults", (c) =>
      c.json({
        faults: breaks()
          .list()
          .map(({ fault, obstacle, on }) => ({
            invariant_id: fault.invariantId,
            fault: fault.name,
            title: fault.title,
            obstacle,
            on: on && bodyOf(on),
          })),
      }),
    );
    app.post("/api/local/break", (c) =>
      answer(c, BreakRequest, 'send {"invariant_id": "S-02"}', async ({ invariant_id, fault }) => {
        const broken = await breaks().break(invariant_id, fault);
        return { ...bodyOf(broken), was_on: broken.wasOn };
      }),
    );
    app.post("/api/local/cure", (c) =>
      answer(c, CureRequest, CURE_EXAMPLE, async (request) => {
        const cured =
          "all" in request ? await breaks().cureAll() : [await breaks().cure(request.invariant_id)];
        return {
          cured: cured
            .filter((one) => one !== null)
            .map((one) => ({ ...bodyOf(one), cure: one.fault.cured })),
        };
      }),
    );
  };
