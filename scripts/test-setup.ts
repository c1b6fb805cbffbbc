import type { TestProject } from "vitest/node";
import { migrate } from "../db/migrate.ts";
import { startTestServer } from "../db/testing-server.ts";

/** Starts the one PostgreSQL that all test files share, and stops it after the last. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startTestServer({ url: process.env["DROVER_TEST_DATABASE_URL"], migrate });
  project.provide("testServer", { url: server.url, template: server.template });
  return server.stop;
}
