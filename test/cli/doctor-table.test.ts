/** What the doctor prints, on a terminal of 80 columns. */
import { expect, test } from "vitest";
import { renderExamination } from "../../shared/cli/doctor-table.ts";

test("why an invariant can't be judged stands whole below it, where there is no room beside it", () => {
  const text = renderExamination(
    {
      examined_at: "2026-11-23T10:00:00.000Z",
      sections: [],
      invariants: [
        {
          id: "S-01",
          title: "Slot–row bijection",
          outcome: "unknown",
          reason: "sqlite: not configured",
          checked: 0,
          red_subjects: [],
          unseen: [],
        },
        {
          id: "S-02",
          title: "Slot overbooking",
          outcome: "judged",
          reason: null,
          checked: 4,
          red_subjects: [],
          unseen: [],
        },
      ],
    },
    { width: 80, colour: false, nowMs: 0, utc: false, verbose: false },
  );
  expect(text.split("\n").slice(-3)).toEqual([
    expect.stringMatching(/^ {2}. S-01 {2}unknown {2}Slot–row bijection$/),
    "      none checked, sqlite: not configured",
    expect.stringMatching(/^ {2}. S-02 {2}judged {3}Slot overbooking +4 checked$/),
  ]);
});
