import { setTimeout as pause } from "node:timers/promises";

import { collect, time } from "../rounds.ts";
import { median, medians, type Sample, type Timing } from "../timing.ts";
import type { Contender, Opened } from "./contender.ts";

/** How many jobs, how often. */
export interface Effort {
  readonly rounds: number;
  readonly jobs: number;
  /** Of latencies, in one round. */
  readonly samples: number;
}

export const concurrencies = [10, 100] as const;

/** What was found of one contender. Timings are of one job, in ns. */
export interface Found {
  readonly enqueue: Timing | undefined;
  /** By concurrency. */
  readonly run: ReadonlyMap<number, Timing>;
  /** From the call of enqueue to the start of the job, in ms: medians over the rounds. */
  readonly latency: { readonly p50: number; readonly p99: number } | undefined;
}

/** What one round adds to. */
interface Samples {
  readonly enqueue: Sample[];
  readonly run: Map<number, Sample[]>;
  readonly p50: number[];
  readonly p99: number[];
}

/** Which of it is wanted. */
export interface Wanted {
  readonly throughput: boolean;
  readonly latency: boolean;
}

/** Before what is measured, in ms: then all that was to be stored of the one before is stored. */
const REST = 3;

/** Every contender once a round, each round in another order, each time with a fresh store. One round goes by unmeasured. */
export async function inRounds(
  contenders: readonly Contender[],
  { rounds, jobs, samples }: Effort,
  wanted: Wanted,
): Promise<Map<string, Found>> {
  const all = new Map<string, Samples>(
    contenders.map(({ name }) => [name, { enqueue: [], run: new Map(), p50: [], p99: [] }]),
  );
  for (let round = -1; round < rounds; round++) {
    for (let at = 0; at < contenders.length; at++) {
      const contender = contenders[(at + round + contenders.length) % contenders.length];
      if (contender === undefined) continue;
      const into = round < 0 ? undefined : all.get(contender.name);
      const opened = await contender.open();
      try {
        if (wanted.throughput) await throughput(opened, round < 0 ? jobs / 4 : jobs, into);
        if (wanted.latency) await latencies(opened, round < 0 ? samples / 4 : samples, into);
      } finally {
        await opened.close();
      }
    }
  }
  return new Map([...all].map(([name, found]) => [name, toFound(found)]));
}

async function throughput(opened: Opened, jobs: number, into: Samples | undefined): Promise<void> {
  if (opened.producer === undefined || opened.worker === undefined) return;
  for (const concurrency of concurrencies) {
    const enqueue = await timeEnqueue(await opened.producer(), jobs);
    const run = await timeRun(await opened.worker(concurrency, jobs), jobs);
    into?.enqueue.push(enqueue);
    if (into !== undefined) into.run.set(concurrency, [...(into.run.get(concurrency) ?? []), run]);
  }
}

type Producing = Awaited<ReturnType<NonNullable<Opened["producer"]>>>;
type Working = Awaited<ReturnType<NonNullable<Opened["worker"]>>>;

/** Of one job, in ns. */
export async function timeEnqueue(producer: Producing, jobs: number): Promise<Sample> {
  collect();
  const sample = await time(() => producer.enqueue(jobs));
  await producer.close();
  return { wall: sample.wall / jobs, cpu: sample.cpu / jobs };
}

/** Of one job, in ns. */
export async function timeRun(worker: Working, jobs: number): Promise<Sample> {
  collect();
  const sample = await time(() => worker.run());
  await worker.close();
  return { wall: sample.wall / jobs, cpu: sample.cpu / jobs };
}

/** One at a time, from the call of enqueue to the start of the job in the same process. */
async function latencies(opened: Opened, count: number, into: Samples | undefined): Promise<void> {
  if (opened.listener === undefined) return;
  let start = (): void => undefined;
  const listener = await opened.listener(() => start());
  const found: number[] = [];
  collect();
  try {
    for (let i = 0; i < count; i++) {
      await pause(REST);
      let at = Number.NaN;
      const started = new Promise<void>((resolve) => {
        start = () => {
          at = performance.now();
          resolve();
        };
      });
      const from = performance.now();
      await Promise.all([listener.add(), started]);
      found.push(at - from);
    }
    await pause(REST);
  } finally {
    await listener.close();
  }
  found.sort((a, b) => a - b);
  into?.p50.push(found[Math.floor(count * 0.5)] ?? Number.NaN);
  into?.p99.push(found[Math.floor(count * 0.99)] ?? Number.NaN);
}

function toFound({ enqueue, run, p50, p99 }: Samples): Found {
  return {
    enqueue: enqueue.length === 0 ? undefined : medians(enqueue),
    run: new Map([...run].map(([concurrency, list]) => [concurrency, medians(list)])),
    latency: p50.length === 0 ? undefined : { p50: median(p50), p99: median(p99) },
  };
}
