/** Where the platform's queue accessor is. */
import { address } from "../../config/source-variables.ts";
import { token } from "../../config/variable.ts";

export const QUEUE_COUNTS = {
  url: address("QUEUE_COUNTS_URL", {
    meaning:
      'where the platform\'s queue accessor answers `{"counts": {"<agent>": <n>}}`. Not set: the accessor\'s own SQL is run',
    schemes: ["https:", "http:"],
    example: "https://trinity.example.com/api/queue-counts",
  }),
  token: token("QUEUE_COUNTS_TOKEN", "sent to it as a bearer token"),
};
