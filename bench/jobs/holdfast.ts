import assert from "node:assert/strict";

import { openScope } from "holdfast";
import { defineJob, openQueue, type Engine, type Job, type Queue } from "holdfast/jobs";

import { BATCH, type Contender, type Listener, type Producer, type Worker } from "./contender.ts";

/** A store of one's own. */
export interface Ground {
  readonly engine: Engine;
  remove(): unknown;
}

const NAME = "nothing";
/** As with pg-boss, those that are waited for one by one are not in line with what the throughput has left behind. */
const LISTENED = "listened";
const input = {};

/** A queue of holdfast's with all its defaults, on some engine. */
export function holdfast(name: string, make: () => Ground | Promise<Ground>): Contender {
  return {
    name,
    open: async () => {
      const { engine, remove } = await make();
      return {
        producer: () => producer(engine),
        worker: (concurrency, count) => worker(engine, concurrency, count),
        listener: (onStart) => listener(engine, onStart),
        close: async () => {
          await remove();
        },
      };
    },
  };
}

async function open(
  engine: Engine,
  job: Job<object>,
  options: { readonly work: boolean; readonly concurrency?: number },
): Promise<{ readonly queue: Queue; close(): Promise<unknown> }> {
  const scope = openScope("bench");
  const queue = await openQueue({ scope, engine, jobs: [job], ...options });
  return { queue, close: () => scope.close() };
}

export async function producer(engine: Engine): Promise<Producer> {
  const job = defineJob(NAME, { run: () => undefined });
  const { queue, close } = await open(engine, job, { work: false });
  return {
    enqueue: async (count) => {
      for (let left = count; left > 0; left -= BATCH)
        await queue.enqueueMany(
          job,
          Array.from({ length: Math.min(left, BATCH) }, () => ({ input })),
        );
    },
    close,
  };
}

export async function worker(engine: Engine, concurrency: number, count: number): Promise<Worker> {
  let left = count;
  let onLast = (): void => undefined;
  const all = new Promise<void>((resolve) => (onLast = resolve));
  const job = defineJob(NAME, {
    run: async () => {
      if (--left === 0) onLast();
    },
  });
  const before = await open(engine, job, { work: false });
  await before.queue.pause();
  const { succeeded } = await before.queue.stats();
  await before.close();
  const { queue, close } = await open(engine, job, { work: true, concurrency });
  return {
    run: async () => {
      await queue.resume();
      await all;
      await queue.drain();
    },
    close: async () => {
      const stats = await queue.stats();
      assert.equal(stats.succeeded - succeeded, count - left, "not all that have run have succeeded");
      assert.equal(stats.running, 0, "what has run is not settled");
      await close();
    },
  };
}

async function listener(engine: Engine, onStart: () => void): Promise<Listener> {
  const job = defineJob(LISTENED, { run: async () => onStart() });
  const { queue, close } = await open(engine, job, { work: true });
  return { add: () => queue.enqueue(job, input), close };
}
