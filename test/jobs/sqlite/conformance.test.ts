import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "vitest";

import { engineCases, type EngineBench, type EngineHarness } from "../../../src/jobs/conformance/index.ts";
import type { EngineClock } from "../../../src/jobs/engine.ts";
import { engineClock } from "../../../src/jobs/engine-clock.ts";
import { sqlite } from "../../../src/jobs/sqlite/index.ts";
import { kill, sqliteApart } from "./processes.ts";

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

type Durability = "full" | "normal";

const { capabilities } = sqlite(":memory:");

/** All openings in this process, so that their clock can be moved. */
function together(durability: Durability): EngineHarness {
  return {
    capabilities,
    offers: ["jumpWall"],
    create() {
      const clock = new Clock();
      const { file, ...bench } = newBench(clock);
      const engine = () => sqlite(file, { durability });
      return Promise.resolve({ ...bench, engine, jumpWall: (ms: number) => clock.jumpWall(ms) });
    },
  };
}

/** Each opening in a process of its own, so that it can be killed. */
function apart(durability: Durability): EngineHarness {
  return {
    capabilities,
    offers: ["crash"],
    create() {
      const { file, ...bench } = newBench(engineClock);
      return Promise.resolve({ ...bench, engine: () => sqliteApart(file, durability), crash: kill });
    },
  };
}

/** A file for one case; time that really passes. */
function newBench(clock: EngineClock): Omit<EngineBench, "engine"> & { readonly file: string } {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-conformance-"));
  return {
    file: join(folder, "jobs.db"),
    clock,
    lease: 1000,
    elapse: (ms) => new Promise<void>((resolve) => void clock.later(ms, resolve)),
    destroy() {
      rmSync(folder, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

describe.concurrent.each(["full", "normal"] as const)("durability %s", (durability) => {
  const [here, there] = [together(durability), apart(durability)];
  const ofThere = engineCases(there);
  for (const [at, ofHere] of engineCases(here).entries()) {
    const [on, one] = ofHere.skip === undefined ? [here, ofHere] : [there, ofThere[at] ?? ofHere];
    const { name, group, skip, run } = one;
    test.skipIf(skip !== undefined)(
      `${group}: ${name}${skip === undefined ? "" : ` (${skip})`}`,
      { timeout: 35_000 },
      () => run(on),
    );
  }
});
