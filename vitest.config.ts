import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** Long files whose servers, processes and signals are their own, and what replaces a module that others have loaded. */
const APART = [
  "test/live/**/*.test.ts",
  "test/infra/{chaos,drill,soak}/**/*.test.ts",
  "test/infra/local.test.ts",
  "test/functions/api.test.ts",
  "test/store/memory-codec.test.ts",
];

export default defineConfig({
  test: {
    environment: "node",
    // Most tests wait for servers: with a worker for each processor, a small machine is idle for a third of the time.
    maxWorkers: availableParallelism() + 1,
    // Only a hang may reach these limits: a loaded machine needs several times as long as an idle one.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    projects: [
      { extends: true, test: { name: "apart", include: APART } },
      // Loading the modules again for each file takes as long as the tests of most files.
      {
        extends: true,
        test: { name: "together", include: ["test/**/*.test.ts"], exclude: APART, isolate: false },
      },
    ],
  },
});
