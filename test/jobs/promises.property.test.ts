import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { openScope } from "../../src/index.ts";
import { engineClock } from "../../src/jobs/engine-clock.ts";
import { defineJob, openQueue, type JobContext, type JobRecord, type Queue } from "../../src/jobs/index.ts";
import { useManualClock } from "../../src/testing/index.ts";
import { memoryEngine, MemoryOpening } from "./memory-engine.ts";
import { MemoryJobs } from "./memory-jobs.ts";

/*
 * What is promised of jobs, held against random programs: workers come, go in good order, and are cut off from the store
 * in the middle of what they do; jobs fail, sleep, are cancelled and retried.
 */

const PROGRAMS = Number(process.env["HOLDFAST_PROGRAMS"] ?? 400);
const LEASE = 3000;
const CONCURRENCY = 3;
const PER_TENANT = 2;
const ATTEMPTS = 3;

/** What a job does, decided where it is enqueued. */
interface Plan {
  readonly n: number;
  readonly tenant: string | null;
  /** How many of its attempts fail. */
  readonly failures: number;
  /** How long it takes, in ms, before each of its two steps. */
  readonly ms: number;
  /** A long sleep between them. */
  readonly sleeps: boolean;
  /** It does not listen when it is told to stop. */
  readonly isDeaf: boolean;
}

type Operation =
  | {
      readonly do: "enqueue";
      readonly plan: Omit<Plan, "n">;
      readonly key: number | null;
      readonly delay: number;
    }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "cancel" | "retry"; readonly which: number }
  | { readonly do: "cut" | "close"; readonly which: number }
  | { readonly do: "open" };

const plan = fc.record({
  tenant: fc.constantFrom(null, "a", "b"),
  failures: fc.constantFrom(0, 0, 0, 1, 4),
  ms: fc.constantFrom(0, 10, 500, 4000),
  sleeps: fc.constantFrom(false, false, false, true),
  isDeaf: fc.constantFrom(false, false, false, true),
});
const which = fc.nat(30);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("enqueue" as const),
      plan,
      key: fc.constantFrom(null, null, 1, 2),
      delay: fc.constantFrom(0, 0, 0, 700),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(0, 15, 300, 2500) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("cancel" as const, "retry" as const), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("cut" as const, "close" as const), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("open" as const) }) },
);

const seen: Record<string, number> = {};
const count = (what: string): void => void (seen[what] = (seen[what] ?? 0) + 1);
afterAll(() => console.log(seen));

/** A worker, as a process of its own would have it. */
interface Worker {
  readonly queue: Queue;
  readonly openings: MemoryOpening[];
  /** Jobs that run here: also those that it may no longer know of. */
  running: number;
  isCut: boolean;
}

async function run(operations: readonly Operation[]): Promise<void> {
  const clock = useManualClock();
  const jobs = new MemoryJobs(engineClock);
  const app = openScope("app", { onError: () => undefined });
  const workers: Worker[] = [];
  const plans: string[] = [];
  const cancelled = new Set<string>();
  const completions = new Map<string, number>();
  let enqueued = 0;
  /** What was broken where a failure would be taken for the job's. */
  const broken: string[] = [];
  const must = (holds: boolean, otherwise: string): void => void (holds || broken.push(otherwise));

  const definition = (worker: () => Worker) =>
    defineJob("work", {
      retry: { attempts: ATTEMPTS, min: 50, max: 200 },
      grace: 100,
      lapses: 1000,
      concurrencyKey: (input: Plan) => input.tenant ?? undefined,
      concurrencyPerKey: PER_TENANT,
      run: (input: Plan, job) => attempt(input, job, worker()),
    });

  async function attempt(input: Plan, job: JobContext, worker: Worker): Promise<number> {
    must(++worker.running <= CONCURRENCY, `${worker.running} attempts at one worker`);
    // By the store's own word: what runs at a worker that is cut off counts until its lease has ended.
    if (input.tenant !== null) {
      const running = runningOf(input.tenant);
      must(running <= PER_TENANT, `${running} jobs of one tenant`);
    }
    let isOver = false;
    const leave = (): void => {
      if (!isOver) worker.running--;
      isOver = true;
    };
    // Also where it is given up: then its place is free, though its code may still run.
    leavers.set(job.task.id, leave);
    for (const step of ["one", "two"]) {
      if (input.isDeaf && step === "two")
        await new Promise<void>((resolve) => void engineClock.later(input.ms, resolve));
      else await job.task.sleep(input.ms);
      await job.step(step, () => {
        must(!recorded.has(`${job.id} ${step}`), `step ${step} of ${job.id} is done again`);
      });
      recorded.add(`${job.id} ${step}`);
      if (step === "one" && input.sleeps) await job.sleep("6s");
      if (step === "one" && job.failures < input.failures) throw new Error("planned");
    }
    return input.n;
  }
  const runningOf = (tenant: string): number => {
    const { jobs: all } = jobs.list({ state: "running", limit: 1000 });
    return all.filter(({ concurrencyKey }) => concurrencyKey === tenant).length;
  };
  const recorded = new Set<string>();
  const leavers = new Map<number, () => void>();
  app.on("end", ({ task }) => {
    leavers.get(task.id)?.();
    leavers.delete(task.id);
  });

  async function open(): Promise<void> {
    const openings: MemoryOpening[] = [];
    class Noted extends MemoryOpening {
      constructor(...args: ConstructorParameters<typeof MemoryOpening>) {
        super(...args);
        openings.push(this);
      }
    }
    const worker: { -readonly [K in keyof Worker]: Worker[K] } = {
      queue: undefined as unknown as Queue,
      openings,
      running: 0,
      isCut: false,
    };
    worker.queue = await openQueue({
      scope: app,
      name: `worker${workers.length}`,
      engine: memoryEngine(jobs, Noted),
      jobs: [definition(() => worker)],
      lease: LEASE,
      concurrency: CONCURRENCY,
      onTrouble: () => undefined,
    });
    worker.queue.on((event) => {
      if (event.type === "end") completions.set(event.job.id, (completions.get(event.job.id) ?? 0) + 1);
      count(event.type === "end" ? `end ${event.state}` : event.type);
    });
    workers.push(worker);
  }

  try {
    await open();
    const outside = await openQueue({
      scope: app,
      name: "outside",
      engine: memoryEngine(jobs),
      jobs: [],
      work: false,
    });
    const known = definition(() => workers[0] as Worker);
    for (const one of operations) {
      count(one.do);
      switch (one.do) {
        case "enqueue": {
          const input = { ...one.plan, n: enqueued++ };
          const options = { delay: one.delay, ...(one.key !== null && { key: String(one.key) }) };
          const { id, isNew } = await outside.enqueue(known, input, options);
          if (isNew) plans.push(id);
          break;
        }
        case "pass":
          await clock.advance(one.ms);
          break;
        case "cancel": {
          const id = plans[one.which % Math.max(1, plans.length)];
          cancelled.add(id ?? "");
          // Not awaited: a worker that is cut off answers only when its lease has ended.
          if (id !== undefined) void outside.cancel(id).catch(() => undefined);
          await clock.settle();
          break;
        }
        case "retry": {
          const id = plans[one.which % Math.max(1, plans.length)];
          if (id === undefined) break;
          const isQueued = await outside.retry(id).then(
            () => true,
            () => false,
          );
          if (isQueued) completions.delete(id);
          break;
        }
        case "cut": {
          const worker = workers[one.which % workers.length];
          if (worker === undefined || worker.isCut) break;
          worker.isCut = true;
          for (const opening of worker.openings) opening.crash();
          break;
        }
        case "close": {
          const worker = workers[one.which % workers.length];
          if (worker === undefined || worker.isCut) break;
          const closing = worker.queue.close({ drain: 100 });
          await clock.advance(400);
          await closing;
          break;
        }
        default:
          if (workers.length < 6) await open();
      }
    }
    // Somebody works until the end.
    await open();
    for (let round = 0; round < 60; round++) {
      await clock.advance(LEASE);
      const { queued, running } = await outside.stats();
      if (queued + running === 0) break;
    }
    expect(broken).toEqual([]);
    expect(await outside.stats()).toMatchObject({ queued: 0, running: 0 });
    for (const id of plans) {
      const record = await outside.get(id);
      expect(record?.endedAt, `job ${id} has ended`).toBeDefined();
      expect(completions.get(id) ?? 0, `completions of ${id}`).toBeLessThanOrEqual(1);
      // How it ends is what was planned, but where somebody cancelled it.
      const { failures } = (record as JobRecord).input as Plan;
      const planned = failures >= ATTEMPTS ? "failed" : "succeeded";
      const possible = cancelled.has(id) ? [planned, "cancelled"] : [planned];
      expect(possible, `how job ${id} ended`).toContain(record?.state);
      if (record?.state === "failed") expect(record.failures).toBe(ATTEMPTS);
    }
  } finally {
    const closing = app.close();
    await clock.advance("2m");
    await closing;
    clock.uninstall();
  }
}

test(`${PROGRAMS} random programs: everything enqueued ends, once, and no recorded step is done again`, async () => {
  await fc.assert(fc.asyncProperty(fc.array(operation, { minLength: 8, maxLength: 40 }), run), {
    numRuns: PROGRAMS,
    endOnFailure: false,
  });
});
