import { AsyncLocalStorage } from "node:async_hooks";

import { medians, type Sample, type Timing } from "./timing.ts";

/**
 * Runs in the empty async context of the start. `als.run()` leaves an entry behind in the context of who called it,
 * and every later frame of any store in that context would be copied from it, entry by entry: one contender would
 * slow down all that come after it.
 */
export const fromTheStart: <R>(fn: () => R) => R = AsyncLocalStorage.snapshot();

/** What is timed: does its work so many times. */
export interface Case {
  readonly name: string;
  readonly run: (count: number) => Promise<unknown>;
}

/** How carefully to measure. */
export interface Effort {
  readonly rounds: number;
  /** How long one sample should take, in ms. */
  readonly sample: number;
  /** How long a case runs before it is measured, in ms: the optimizing compiler wants to have seen it. */
  readonly warmUp: number;
}

export const collect: () => void = (() => {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error("start with node --expose-gc: npm run bench:core does");
  return () => {
    gc();
  };
})();

/** CPU time of this thread in µs: what others do on the machine does not count. Since Node 23.9. */
const threadCpu: () => number = (() => {
  const { threadCpuUsage } = process as {
    threadCpuUsage?: () => { user: number; system: number };
  };
  return () => {
    const { user, system } = (threadCpuUsage ?? process.cpuUsage)();
    return user + system;
  };
})();

/** Times one call, in ns. */
export async function time(work: () => Promise<unknown>): Promise<Sample> {
  const cpu = threadCpu();
  const started = process.hrtime.bigint();
  await fromTheStart(work);
  const wall = Number(process.hrtime.bigint() - started);
  return { wall, cpu: (threadCpu() - cpu) * 1_000 };
}

/** The bursts are of 1,000: counts are multiples of that. */
const STEP = 1_000;

/** Warms a case up, and finds how many operations fill a sample: by its best run, whatever else the machine does. */
async function warmUp({ run }: Case, { sample, warmUp: ms }: Effort): Promise<number> {
  let count = STEP;
  let best = Number.POSITIVE_INFINITY;
  for (let spent = 0; spent < ms;) {
    const { wall } = await time(() => run(count));
    spent += wall / 1e6;
    best = Math.min(best, wall / count);
    count = Math.min(count * 4, Math.max(STEP, Math.round((sample * 1e6) / best / STEP) * STEP));
  }
  return count;
}

/**
 * Times every case once a round, each round in another order, so that whatever drifts meets all alike.
 * Two rounds go by unmeasured.
 */
export async function inRounds(cases: readonly Case[], effort: Effort): Promise<Map<string, Timing>> {
  const counts = new Map<Case, number>();
  for (const one of cases) counts.set(one, await warmUp(one, effort));
  const samples = new Map<Case, Sample[]>(cases.map((one) => [one, []]));
  for (let round = -2; round < effort.rounds; round++) {
    for (let i = 0; i < cases.length; i++) {
      const one = cases[(i + round + cases.length) % cases.length];
      const count = one && counts.get(one);
      if (one === undefined || count === undefined) continue;
      collect();
      const { wall, cpu } = await time(() => one.run(count));
      if (round >= 0) samples.get(one)?.push({ wall: wall / count, cpu: cpu / count });
    }
  }
  return new Map([...samples].map(([one, list]) => [one.name, medians(list)]));
}
