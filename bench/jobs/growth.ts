import { sqlite, type SqliteOptions } from "holdfast/jobs/sqlite";

import { medians, type Sample, type Timing } from "../timing.ts";
import { producer, worker } from "./holdfast.ts";
import { concurrencies, timeEnqueue, timeRun } from "./measure.ts";
import { newFolder } from "./sqlite.ts";

/** How large the store becomes, and what is measured of it. */
interface Size {
  /** So many jobs have ended, and as many wait. */
  readonly of: number;
  readonly jobs: number;
  readonly rounds: number;
}

/** Of one job, in ns. */
export interface Grown {
  readonly what: string;
  readonly empty: Timing;
  readonly full: Timing;
}

interface Measured {
  readonly enqueue: Sample[];
  readonly run: readonly Sample[][];
}

/** The same work on a file that is fresh, and on one with many jobs in it, in turns. */
export async function growth(durability: "normal" | "full", { of, jobs, rounds }: Size): Promise<Grown[]> {
  const options: SqliteOptions = { durability };
  const large = newFolder();
  const samples = { empty: newMeasured(), full: newMeasured() };
  try {
    // Not asked of the disk: it is nothing that is measured.
    await fill(large.file, of);
    for (let round = -1; round < rounds; round++) {
      const small = newFolder();
      try {
        const [empty, full] = round < 0 ? [newMeasured(), newMeasured()] : [samples.empty, samples.full];
        const both = [
          () => measure(small.file, options, jobs, empty),
          () => measure(large.file, options, jobs, full),
        ];
        for (const one of round % 2 === 0 ? both : both.toReversed()) await one();
      } finally {
        small.remove();
      }
    }
  } finally {
    large.remove();
  }
  const grown = (what: string, pick: (measured: Measured) => readonly Sample[]): Grown => ({
    what,
    empty: medians(pick(samples.empty)),
    full: medians(pick(samples.full)),
  });
  return [
    grown("enqueue", (measured) => measured.enqueue),
    ...concurrencies.map((concurrency, at) => grown(`run at ${concurrency}`, ({ run }) => run[at] ?? [])),
  ];
}

function newMeasured(): Measured {
  return { enqueue: [], run: concurrencies.map(() => []) };
}

async function fill(file: string, count: number): Promise<void> {
  const engine = sqlite(file, { durability: "normal" });
  // First those that end, so that they lie before those that wait, as they do after some time.
  await timeEnqueue(await producer(engine), count);
  await timeRun(await worker(engine, 1_000, count), count);
  await timeEnqueue(await producer(engine), count);
}

async function measure(file: string, options: SqliteOptions, jobs: number, into: Measured): Promise<void> {
  const engine = sqlite(file, options);
  for (const [at, concurrency] of concurrencies.entries()) {
    into.enqueue.push(await timeEnqueue(await producer(engine), jobs));
    into.run[at]?.push(await timeRun(await worker(engine, concurrency, jobs), jobs));
  }
}
