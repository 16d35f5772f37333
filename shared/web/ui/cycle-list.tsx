/** Cycles in a list, each with what it found. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import type { CycleOutline } from "../../wire/schemas/cycles.ts";
import { worstOf } from "../uptime.ts";
import { State, When } from "./parts.tsx";

/** `S-01 14, E-02`: how many violations of each invariant, where there are several. */
const foundWords = (found: CycleOutline["found"]): string =>
  Object.entries(found ?? {})
    .map(([id, { violations }]) => (violations > 1 ? `${id} ${violations.toLocaleString("en")}` : id))
    .join(", ");

/** @param cycles newest first */
export const CycleList = ({ cycles }: { cycles: readonly CycleOutline[] }) => (
  <ul class="facts cycles">
    {cycles.map(({ snapshot_time, trigger, verdicts, found }) => {
      const worst = worstOf(Object.values(verdicts).map((v) => v.status));
      return (
        <li>
          <State state={worst === "missing" ? "off" : worst} />
          <a href={`/cycles/${snapshot_time}`}>
            <When ms={Date.parse(snapshot_time)} />
          </a>
          <span class="ids">{foundWords(found)}</span>
          <span class="number dim">{trigger}</span>
        </li>
      );
    })}
  </ul>
);
