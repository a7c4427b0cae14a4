import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "vitest";

import { engineCases, type EngineHarness } from "../../../src/jobs/conformance/index.ts";
import type { EngineClock } from "../../../src/jobs/engine.ts";
import { engineClock } from "../../../src/jobs/engine-clock.ts";
import { sqlite, type SqliteOptions } from "../../../src/jobs/sqlite/index.ts";

/** The real clock, whose wall can be moved: locks and the file system are real, and so is the time they take. */
class Clock implements EngineClock {
  #jumped = 0;
  now = engineClock.now;
  later = engineClock.later;
  wall(): number {
    return engineClock.wall() + this.#jumped;
  }
  jumpWall(ms: number): void {
    this.#jumped += ms;
  }
}

/** A file for each case, all openings of which are in this process: `openings.test.ts` has other processes. */
function harness(options: SqliteOptions): EngineHarness {
  return {
    capabilities: sqlite(":memory:").capabilities,
    offers: ["jumpWall"],
    create() {
      const folder = mkdtempSync(join(tmpdir(), "holdfast-conformance-"));
      const clock = new Clock();
      return Promise.resolve({
        clock,
        lease: 1000,
        engine: () => sqlite(join(folder, "jobs.db"), options),
        elapse: (ms: number) => new Promise<void>((resolve) => void clock.later(ms, resolve)),
        jumpWall: (ms: number) => clock.jumpWall(ms),
        destroy() {
          rmSync(folder, { recursive: true, force: true });
          return Promise.resolve();
        },
      });
    },
  };
}

describe.concurrent.each(["full", "normal"] as const)("durability %s", (durability) => {
  const on = harness({ durability });
  for (const { name, group, skip, run } of engineCases(on))
    test.skipIf(skip !== undefined)(
      `${group}: ${name}${skip === undefined ? "" : ` (${skip})`}`,
      { timeout: 35_000 },
      () => run(on),
    );
});
