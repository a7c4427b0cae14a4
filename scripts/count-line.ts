import { writeFileSync } from "node:fs";
import type { Reporter, SerializedError, TestModule } from "vitest/node";

/** What a run of the tests came to. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** The sentence that closes every run: `412 passed, 0 failed`, with `, 3 skipped` where there were any. */
export const countLine = ({ passed, failed, skipped }: Counts): string =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;

/**
 * Ends a vitest run with one plain line that people and CI can read. A file that could not be loaded and an error
 * outside of any test count as failures: the line never says `0 failed` about a run that was not clean.
 * Where HOLDFAST_COUNT_FILE names a file the line is written there as well.
 */
export class CountLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const counts: Counts = { passed: 0, failed: errors.length, skipped: 0 };
    for (const module of modules) {
      let failedInside = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") counts.passed += 1;
        else if (state === "skipped") counts.skipped += 1;
        else failedInside += 1;
      }
      counts.failed += failedInside;
      if (failedInside === 0 && module.state() === "failed") counts.failed += 1;
    }
    const line = countLine(counts);
    const file = process.env["HOLDFAST_COUNT_FILE"];
    if (file !== undefined && file !== "") writeFileSync(file, `${line}\n`);
    process.stdout.write(`\n${line}\n`);
  }
}
