/** The variables of a cycle and of its state. */
import { text, wholeNumber } from "./variable.ts";

export const CYCLE = {
  sourceDeadlineMs: wholeNumber(
    "SOURCE_DEADLINE_MS",
    "how long one source may take in one read, retries included (one container's process list: half of it)",
    { fallback: 10_000, range: [100, 60_000] },
  ),
  confirmAfterMs: wholeNumber("CONFIRM_AFTER_MS", "how long after the first read a new red is read again", {
    fallback: 3_000,
    range: [0, 60_000],
  }),
  expectAgents: wholeNumber(
    "EXPECT_AGENTS",
    "how many agents the roster has at least: with fewer, what rests on the roster is unknown, not green. An empty roster is too few in any case",
    { fallback: 0, range: [0, 100_000] },
  ),
  dwellSeconds: wholeNumber(
    "R01_DWELL_SECONDS",
    "how long the same zombie (the same pid in the same start of a container) has to be there, across cycles, before R-01 counts it. A deployed environment has 600 by default",
    { fallback: 0, range: [0, 86_400] },
  ),
};

export const STATE = {
  table: text(
    "STATE_TABLE",
    "the DynamoDB table (string keys `pk` and `sk`, TTL attribute `expires_at`). Not set, on the command line: a memory that ends with the process, so that each run starts from nothing and E-02 has nothing to compare with. The functions need it",
  ),
};
