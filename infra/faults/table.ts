/** The faults of a drill as docs/drill.md lists them. */
import { table } from "../markdown.ts";
import { DRILLED } from "./index.ts";

export const faultTable = (): string =>
  table(
    ["id", "fault", "cure"],
    DRILLED.map(({ invariantId, title, cured }) => [invariantId, title, cured]),
  );
