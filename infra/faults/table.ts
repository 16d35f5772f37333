/** The table of the drill's faults for docs/drill.md. */
import { table } from "../markdown.ts";
import { DRILLED } from "./index.ts";

export const faultTable = (): string =>
  table(
    ["id", "fault", "cure"],
    DRILLED.map(({ invariantId, title, cured }) => [invariantId, title, cured]),
  );
