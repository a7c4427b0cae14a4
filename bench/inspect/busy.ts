import { setTimeout as sleep } from "node:timers/promises";

import { median, medians, type Timing } from "../timing.ts";
import { roundsOf, type Effort } from "./effort.ts";
import { readOnce, type Reading } from "./readings.ts";
import type { Target } from "./target.ts";

/** A dump of a target that works. Times in ms. */
export interface Busy {
  readonly dump: Timing;
  /** Async calls a second that it has really made. */
  readonly rate: number;
  /** Functions in a dump, and of those such as changed. */
  readonly functions: number;
  readonly changing: number;
  readonly rounds: number;
}

/** Calls a second that the target is told to make. */
const RATE = 200_000;
const WARM_UP = 500;

/** Dumps a target while it makes many async calls, next to all that waits in it. */
export async function measureBusy(target: Target, effort: Effort): Promise<Busy> {
  await target.tell("work", { rate: RATE });
  await sleep(WARM_UP);
  const first = await readOnce(target.pid);
  const dumps: Reading[] = [];
  const rounds = roundsOf(first.wall, effort);
  for (let round = 0; round < rounds; round++) dumps.push(await readOnce(target.pid));
  const { calls, ms } = await target.tell("rest");
  return {
    dump: medians(dumps),
    rate: (calls * 1_000) / ms,
    functions: median(dumps.map(({ functions }) => functions)),
    changing: median(dumps.map(({ changing }) => changing)),
    rounds,
  };
}
