import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{proto,packages,db,apps,scripts}/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    globalSetup: "scripts/test-setup.ts",
    pool: "threads",
    // Modules are loaded once a worker instead of once a file, so nothing mutable may live in a module.
    isolate: false,
    // A signal is waited for as long as a busy machine may need; whoever measures how soon it comes says so.
    expect: { poll: { timeout: 10_000, interval: 25 } },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    restoreMocks: true,
    unstubEnvs: true,
  },
});
