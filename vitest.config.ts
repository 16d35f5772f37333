import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    // Most tests wait for servers. Vitest's default leaves one processor idle, which is half of a small machine.
    maxWorkers: "100%",
    // Only a hang may reach these limits: a loaded machine needs several times as long as an idle one.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
