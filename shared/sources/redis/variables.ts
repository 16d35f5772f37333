/** Where Redis is. */
import { address } from "../../config/source-variables.ts";
import { token } from "../../config/variable.ts";

export const REDIS = {
  url: address("UPSTASH_REDIS_REST_URL", {
    meaning:
      "Redis over the Upstash REST protocol: Upstash itself, or serverless-redis-http in front of a Redis",
    schemes: ["https:", "http:"],
    example: "https://redis.example.com",
  }),
  token: token("UPSTASH_REDIS_REST_TOKEN", "its token"),
};
