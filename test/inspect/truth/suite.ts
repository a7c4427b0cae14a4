import type { InspectedNode } from "../../../scripts/programs.ts";
import { programPath } from "../../../scripts/programs.ts";
import { runBatch } from "./run-batch.ts";

/** Programs that share a process. */
const BATCH = 50;
/** In CI the same programs are run every time: what fails there fails anywhere. */
const FIXED_SEED = 20_001;

/** What a run of many programs came to. */
export interface Run {
  /** Empty where everything agreed. */
  readonly differences: readonly string[];
  readonly summary: string;
  readonly features: ReadonlyMap<string, number>;
}

/**
 * Runs many programs on one Node, and compares what the inspector sees of them with what they know of themselves and
 * with V8's own stacks. `HOLDFAST_PROGRAMS` sets how many, `HOLDFAST_SEED` where to begin: with the seed that a failure
 * prints and `HOLDFAST_PROGRAMS=50` it is run again alone.
 */
export async function runPrograms(name: InspectedNode, programs: number): Promise<Run> {
  const seed = Number(
    process.env["HOLDFAST_SEED"] ?? (process.env["CI"] === "true" ? FIXED_SEED : newSeed()),
  );
  const count = Number(process.env["HOLDFAST_PROGRAMS"] ?? programs);
  const node = Number(name.replace("node", ""));
  const features = new Map<string, number>();
  const differences: string[] = [];
  let functions = 0;
  let frames = 0;
  for (let index = 0; index * BATCH < count; index++) {
    const batch = { seed: seed + index, programs: Math.min(BATCH, count - index * BATCH), node };
    const again = `HOLDFAST_SEED=${batch.seed} HOLDFAST_PROGRAMS=${batch.programs}`;
    const outcome = await runBatch(batch, programPath(name)).catch((cause: unknown) => {
      throw new Error(`${again} failed`, { cause });
    });
    functions += outcome.functions;
    frames += outcome.frames;
    for (const [feature, times] of outcome.features)
      features.set(feature, (features.get(feature) ?? 0) + times);
    if (outcome.differences.length > 0) differences.push(again, ...outcome.differences);
  }
  const summary = `${name}: ${count} programs from seed ${seed}, ${functions} suspended functions, ${frames} frames of V8's own stacks`;
  return { differences, summary, features };
}

/** Seeds of one run are neighbours: those of two runs are not. */
function newSeed(): number {
  return Math.floor(Math.random() * 2 ** 20) * 2 ** 10;
}

/** How often each feature occurred, most seldom first. */
export function tableOf(features: ReadonlyMap<string, number>): string {
  return [...features]
    .toSorted(([, a], [, b]) => a - b)
    .map(([feature, times]) => `${feature} ${times}`)
    .join(", ");
}
