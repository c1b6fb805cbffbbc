import { writeFileSync } from "node:fs";
import type { Reporter, SerializedError, TestModule } from "vitest/node";

/**
 * Writes what `scripts/test` ends with: the skipped tests with their reasons, then `N passed, N failed[, N skipped]`.
 * The file is named by DROVER_TEST_SUMMARY. A test file that cannot be loaded, or an error outside of tests, is a failure.
 */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const file = process.env["DROVER_TEST_SUMMARY"];
    if (file !== undefined) writeFileSync(file, summarise(modules, unhandledErrors.length).join("\n") + "\n");
  }
}

function summarise(modules: readonly TestModule[], unhandled: number): string[] {
  const count = { passed: 0, failed: unhandled, skipped: 0 };
  const reasons = new Map<string, number>();
  for (const module of modules) {
    count.failed += module.errors().length;
    for (const test of module.children.allTests()) {
      const result = test.result();
      if (result.state === "passed") count.passed += 1;
      else if (result.state === "failed") count.failed += 1;
      else {
        count.skipped += 1;
        // A test says its reason when it skips itself; a whole suite says it in its name.
        const reason = `${module.relativeModuleId}: ${(result.state === "skipped" && result.note) || (test.parent.type === "suite" ? test.parent.name : test.name)}`;
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      }
    }
  }
  const skipped = [...reasons].map(([reason, tests]) => `skipped ${tests} in ${reason}`);
  const tail = count.skipped > 0 ? `, ${count.skipped} skipped` : "";
  return [...skipped, `${count.passed} passed, ${count.failed} failed${tail}`];
}
