import { setTimeout as sleep } from "node:timers/promises";

import { openScope, watch } from "holdfast";

import { collect } from "../rounds.ts";
import { median } from "../timing.ts";

/** Older than the sweep that is measured. */
const AGE = 20;
const SWEEP = "10ms";

/** Times in ms. */
export interface Sweeping {
  readonly array: number;
  readonly first: number;
  readonly later: number;
}

/** Sweeps over so many tasks that sleep, in turns with a walk over an array of as many objects. */
export async function sweeping(tasks: number, rounds: number): Promise<Sweeping> {
  const scope = openScope("herd");
  for (let i = 0; i < tasks; i++) scope.spawn("sleeper", (task) => task.sleep("1h"));
  await sleep(AGE);
  const array = Array.from({ length: tasks }, (_, createdAt) => ({ createdAt, flags: createdAt % 7 }));
  collect();
  // Its own sweeps come between the rounds only: nothing here gives a turn away while it is timed.
  const watching = watch(scope, { journal: true, sweep: SWEEP, blockAfter: false });
  const first = timed(() => void watching.sweep());
  const walks: number[] = [];
  const sweeps: number[] = [];
  let sum = 0;
  for (let round = 0; round < rounds; round++) {
    sweeps.push(timed(() => void watching.sweep()));
    walks.push(
      timed(() => {
        for (const { createdAt, flags } of array) if (flags !== 3) sum += createdAt;
      }),
    );
  }
  if (sum === 0) throw new Error("nothing was walked over");
  watching.stop();
  await scope.close();
  return { array: median(walks), first, later: median(sweeps) };
}

function timed(work: () => void): number {
  const started = performance.now();
  work();
  return performance.now() - started;
}
