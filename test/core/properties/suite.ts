import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { programs } from "./arbitrary.ts";
import { checkProgram } from "./check.ts";
import { ProgramClock } from "./clock.ts";
import { Histogram } from "./histogram.ts";
import type { Program } from "./program.ts";
import { showProgram } from "./show.ts";

/** Programs in all parts together. */
const PROGRAMS = Number(process.env["HOLDFAST_PROGRAMS"] ?? 20_000);
/** Of what is wanted, each must be seen in so many of the programs. */
const SHARE = 0.01;
const MEDIAN = 12;
const CI_SEEDS = [80_001_753, 38_234_282, 80_034_010, 79_025_903];

/** One of several files that share the programs, so that they run side by side. */
export function testPrograms(part: number, parts: number): void {
  const given = process.env["HOLDFAST_SEED"];
  // Each part has its own; a seed and a path are given again to replay. In CI they stay the same, so that a red run
  // is the doing of the change that it judges; everywhere else each run looks at other programs.
  const fresh =
    process.env["CI"] === "true" ? CI_SEEDS[part - 1] : (Date.now() ^ (process.pid << 12) ^ (part << 8)) | 0;
  const seed = given === undefined ? (fresh ?? part) : Number(given);
  const path = process.env["HOLDFAST_PATH"];
  const numRuns = Math.ceil(PROGRAMS / parts);
  const histogram = new Histogram();
  const clock = new ProgramClock();
  afterAll(() => clock.close());

  test(`invariants 1 to 12 hold for ${numRuns} random programs (part ${part} of ${parts})`, async () => {
    const began = performance.now();
    const property = fc.asyncProperty(programs, async (program: Program) => {
      const { world, wrongs } = await checkProgram(program, clock);
      histogram.add(world);
      if (wrongs.length > 0) throw new Error(wrongs.slice(0, 8).join("\n"));
    });
    const result = await fc.check(property, {
      seed,
      numRuns,
      ...(path === undefined ? {} : { path }),
      endOnFailure: process.env["HOLDFAST_BAIL"] === "1",
      interruptAfterTimeLimit: 240_000,
    });
    const ms = performance.now() - began;
    const perProgram = (ms / Math.max(1, histogram.programs)).toFixed(2);
    console.log(
      `seed ${seed}, part ${part} of ${parts}: ${perProgram} ms a program\n${histogram.toString()}`,
    );
    if (result.failed) throw new Error(describe(seed, result, part));
    if (path !== undefined) return;
    expect(histogram.programs).toBe(numRuns);
    expect(histogram.median()).toBeGreaterThanOrEqual(MEDIAN);
    // A share of few programs says little.
    if (numRuns >= 2_000) expect(histogram.rare(SHARE), "seen in less than 1 % of the programs").toEqual([]);
  });
}

function describe(seed: number, result: fc.RunDetails<[Program]>, part: number): string {
  const { errorInstance, counterexamplePath, counterexample, numRuns, numShrinks } = result;
  const message = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
  return [
    `program ${numRuns} failed (shrunk ${numShrinks} times):`,
    message,
    counterexample === null ? "" : showProgram(counterexample[0]),
    "replay it with",
    `HOLDFAST_SEED=${seed} HOLDFAST_PATH=${counterexamplePath} npx vitest run programs-${part}`,
  ].join("\n");
}
