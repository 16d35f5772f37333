import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    // Live servers start in hooks, and a machine with two cores takes its time.
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
