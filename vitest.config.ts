import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    // Only a hang may reach these limits: a loaded machine needs several times as long as an idle one.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
