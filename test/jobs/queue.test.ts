import { expect, expectTypeOf, test } from "vitest";
import {
  defineJob,
  JobCancelledError,
  JobFailedError,
  JobKeyConflictError,
  JobStateError,
  JobUnknownError,
  QueueClosedError,
} from "../../src/jobs/index.ts";
import { stage } from "./stage.ts";

const add = defineJob("add", { run: (input: { a: number; b: number }) => input.a + input.b });

test("a job is stored, run as a task of the scope, and its result is known to whoever waits for it", async () => {
  const { open, app, log } = stage();
  const paths: string[] = [];
  const shout = defineJob("shout", {
    run: (text: string, job) => {
      paths.push(job.task.path);
      return text.toUpperCase();
    },
  });
  const queue = await open([shout]);
  const { id, isNew } = await queue.enqueue(shout, "ahoy");
  expect(isNew).toBe(true);
  const result = await queue.result(id, shout);
  expectTypeOf(result).toEqualTypeOf<string>();
  expect(result).toBe("AHOY");
  expect(paths).toEqual(["app/jobs/shout"]);
  const record = await queue.get(id);
  expect(record).toMatchObject({
    id,
    name: "shout",
    state: "succeeded",
    attempt: 1,
    failures: 0,
    input: "ahoy",
    result: "AHOY",
  });
  expect(record?.attempts).toMatchObject([{ attempt: 1, end: "succeeded" }]);
  expect(log).toEqual(["start shout", "end shout succeeded"]);
  expect(app.stats().names["shout"]).toMatchObject({ succeeded: 1 });
});

test("the input's type is that of the function's first argument", async () => {
  const { open } = stage();
  const queue = await open([add]);
  // @ts-expect-error: there is no c
  await queue.enqueue(add, { a: 1, c: 2 });
  const { id } = await queue.enqueue(add, { a: 1, b: 2 });
  expect(await queue.result(id)).toBe(3);
});

test("what fails is tried again after its back-off, and is dead when its attempts are used up", async () => {
  const { open, clock, failures, log } = stage();
  let runs = 0;
  const flaky = defineJob("flaky", {
    retry: { attempts: 3, min: "1s", jitter: "none" },
    run: () => {
      throw new Error(`no ${++runs}`);
    },
  });
  const queue = await open([flaky]);
  const { id } = await queue.enqueue(flaky, null);
  const result = queue.result(id);
  const caught = result.catch((error: unknown) => error);
  await clock.settle();
  expect(runs).toBe(1);
  expect(await queue.get(id)).toMatchObject({ state: "queued", failures: 1, error: { message: "no 1" } });
  await clock.advance(999);
  expect(runs).toBe(1);
  await clock.advance(1);
  expect(runs).toBe(2);
  expect(failures).toEqual([]);
  await clock.advance("2s");
  expect(runs).toBe(3);
  expect(await caught).toBeInstanceOf(JobFailedError);
  expect(await caught).toMatchObject({ code: "HF_JOB_FAILED", id, error: { message: "no 3" } });
  expect((await queue.get(id))?.attempts.map(({ error }) => error?.message)).toEqual([
    "no 1",
    "no 2",
    "no 3",
  ]);
  // Of the job's failure somebody hears, of the attempts before it nobody has to.
  expect(failures).toMatchObject([{ message: "no 3" }]);
  expect(log.filter((line) => !line.startsWith("start"))).toEqual([
    "retry flaky",
    "retry flaky",
    "end flaky failed",
  ]);
});

test("retry.when says which errors are worth another attempt", async () => {
  const { open, clock } = stage();
  const picky = defineJob("picky", {
    retry: { attempts: 5, when: (error) => (error as Error).message !== "never" },
    run: (message: string) => {
      throw new Error(message);
    },
  });
  const queue = await open([picky]);
  const { id } = await queue.enqueue(picky, "never");
  await expect(queue.result(id)).rejects.toThrow("never");
  const again = await queue.enqueue(picky, "maybe");
  await clock.settle();
  expect(await queue.get(again.id)).toMatchObject({ state: "queued", failures: 1 });
});

test("an attempt that takes too long is told to stop, and counts as failed", async () => {
  const { open, clock } = stage();
  const slow = defineJob("slow", {
    timeout: "2s",
    retry: { attempts: 1 },
    run: (_: null, job) => job.task.sleep("1h"),
  });
  const queue = await open([slow]);
  const { id } = await queue.enqueue(slow, null);
  await clock.advance("2s");
  expect(await queue.get(id)).toMatchObject({ state: "failed", error: { code: "HF_TASK_TIMEOUT" } });
});

test("no more run at once than the queue, and than the definition, allows", async () => {
  const { open, clock } = stage();
  let running = 0;
  let most = 0;
  const body = async (_: null, job: { task: { sleep(ms: number): Promise<void> } }): Promise<void> => {
    most = Math.max(most, ++running);
    await job.task.sleep(100);
    running--;
  };
  const wide = defineJob("wide", { run: body });
  const narrow = defineJob("narrow", { concurrency: 2, run: body });
  const queue = await open([wide, narrow], { concurrency: 5 });
  await queue.enqueueMany(
    narrow,
    Array.from({ length: 6 }, () => ({ input: null })),
  );
  await clock.settle();
  expect(running).toBe(2);
  await queue.enqueueMany(
    wide,
    Array.from({ length: 20 }, () => ({ input: null })),
  );
  await clock.settle();
  expect(running).toBe(5);
  await clock.advance("1s");
  expect(most).toBe(5);
  expect((await queue.stats()).succeeded).toBe(26);
});

test("a key joins, replaces or refuses while the other is unfinished", async () => {
  const { open, clock } = stage();
  const runs: string[] = [];
  const sync = defineJob("sync", {
    run: async (text: string, job) => {
      runs.push(text);
      await job.task.sleep("10s");
    },
  });
  const queue = await open([sync]);
  const first = await queue.enqueue(sync, "a", { key: "k" });
  expect(await queue.enqueue(sync, "b", { key: "k" })).toEqual({ id: first.id, isNew: false });
  await expect(queue.enqueue(sync, "c", { key: "k", onConflict: "reject" })).rejects.toThrow(
    JobKeyConflictError,
  );
  await clock.settle();
  const second = await queue.enqueue(sync, "d", { key: "k", onConflict: "replace" });
  await clock.settle();
  expect(await queue.get(first.id)).toMatchObject({ state: "cancelled" });
  expect(runs).toEqual(["a", "d"]);
  await clock.advance("10s");
  expect(await queue.get(second.id)).toMatchObject({ state: "succeeded" });
  expect((await queue.enqueue(sync, "e", { key: "k" })).isNew).toBe(true);
});

test("what is due later waits, and follows the wall clock", async () => {
  const { open, clock, log } = stage();
  const queue = await open([add]);
  const soon = await queue.enqueue(add, { a: 1, b: 1 }, { delay: "1h" });
  await clock.advance("59m");
  expect(log).toEqual([]);
  await clock.advance("1m");
  expect(await queue.result(soon.id)).toBe(2);
  await queue.enqueue(add, { a: 1, b: 1 }, { runAt: new Date(clock.wall + 3_600_000) });
  clock.setWall(clock.wall + 3_600_000);
  // Within what a sleeping process notices: something else happens, or a look every few seconds.
  await queue.enqueue(add, { a: 2, b: 2 });
  await clock.settle();
  expect(log.filter((line) => line.startsWith("end"))).toHaveLength(3);
});

test("cancel stops a job where it runs, and resolves when it has stopped", async () => {
  const { open, clock } = stage();
  let cleaned = false;
  const deep = defineJob("deep", {
    run: async (_: null, job) => {
      try {
        await job.task.sleep("1h");
      } finally {
        await job.task.shield(async () => {
          await job.task.sleep("1s");
          cleaned = true;
        });
      }
    },
  });
  const here = await open([deep]);
  const { id } = await here.enqueue(deep, null);
  const there = await open([], { work: false });
  await clock.settle();
  const waiting = there.result(id).catch((error: unknown) => error);
  const cancelling = there.cancel(id, "not needed any more");
  await clock.settle();
  expect((await there.get(id))?.isCancelling).toBe(true);
  await clock.advance("1s");
  expect(await cancelling).toMatchObject({ state: "cancelled", error: { message: "not needed any more" } });
  expect(cleaned).toBe(true);
  expect(await waiting).toBeInstanceOf(JobCancelledError);
  // Again changes nothing.
  expect(await here.cancel(id)).toMatchObject({ state: "cancelled" });
  await expect(here.cancel("nobody")).rejects.toThrow(JobUnknownError);
});

test("a job that was cancelled or failed can be retried, and what ended can be removed", async () => {
  const { open, clock } = stage();
  let isBroken = true;
  const steps: string[] = [];
  const two = defineJob("two", {
    retry: { attempts: 1 },
    run: async (_: null, job) => {
      await job.step("one", () => void steps.push("one"));
      if (isBroken) throw new Error("broken");
      await job.step("two", () => void steps.push("two"));
    },
  });
  const queue = await open([two]);
  const { id } = await queue.enqueue(two, null);
  await clock.settle();
  expect(await queue.get(id)).toMatchObject({ state: "failed" });
  isBroken = false;
  expect(await queue.retry(id)).toMatchObject({ failures: 0 });
  await queue.result(id);
  expect(steps).toEqual(["one", "two"]);
  await expect(queue.retry(id)).rejects.toThrow(JobStateError);
  await queue.remove(id);
  expect(await queue.get(id)).toBeUndefined();
  await expect(queue.remove(id)).rejects.toThrow(JobUnknownError);
  await expect(queue.result(id)).rejects.toThrow(JobUnknownError);
});

test("nobody begins what is paused, and what runs goes on", async () => {
  const { open, clock, log } = stage();
  const queue = await open([add]);
  await queue.pause(add);
  const { id } = await queue.enqueue(add, { a: 1, b: 1 });
  await clock.advance("1m");
  expect(log).toEqual([]);
  expect((await queue.stats()).names["add"]).toMatchObject({ queued: 1, isPaused: true });
  await queue.resume(add);
  expect(await queue.result(id)).toBe(2);
});

test("jobs that no worker knows are left for one that does", async () => {
  const { open, clock } = stage();
  const old = await open([]);
  const { id } = await old.enqueue(add, { a: 20, b: 22 });
  await clock.advance("10m");
  expect(await old.get(id)).toMatchObject({ state: "queued", attempt: 0 });
  const young = await open([add]);
  expect(await young.result(id)).toBe(42);
});

test("who closes hands back what runs, and another worker runs it at once without an attempt lost", async () => {
  const { open, clock, log } = stage();
  const drained: boolean[] = [];
  const long = defineJob("long", {
    retry: { attempts: 1 },
    run: async (_: null, job) => {
      job.draining.addEventListener("abort", () => drained.push(job.signal.aborted));
      await job.task.sleep("1h");
    },
  });
  const one = await open([long]);
  const { id } = await one.enqueue(long, null);
  await clock.settle();
  const other = await open([long]);
  const closing = one.close({ drain: "5s" });
  await clock.settle();
  // The flag comes first, the signal after the drain.
  expect(drained).toEqual([false]);
  expect((await other.get(id))?.attempts).toHaveLength(1);
  await clock.advance("5s");
  await closing;
  expect(log.toSorted()).toEqual(["release long", "start long", "start long"]);
  expect(await other.get(id)).toMatchObject({
    state: "running",
    failures: 0,
    attempts: [{ end: "released" }, {}],
  });
  await expect(one.enqueue(long, null)).rejects.toThrow(QueueClosedError);
  await clock.advance("1h");
  expect(await other.get(id)).toMatchObject({ state: "succeeded" });
});

test("drain begins nothing more, and resolves when what runs has ended", async () => {
  const { open, clock } = stage();
  const nap = defineJob("nap", { run: (_: null, job) => job.task.sleep("3s") });
  const queue = await open([nap], { concurrency: 1 });
  await queue.enqueueMany(nap, [{ input: null }, { input: null }]);
  await clock.settle();
  let isDrained = false;
  const draining = queue.drain().then(() => (isDrained = true));
  await clock.advance("2s");
  expect(isDrained).toBe(false);
  await clock.advance("1s");
  await draining;
  expect(await queue.stats()).toMatchObject({ queued: 1, running: 0, succeeded: 1 });
});

test("a rate bounds how many begin within any window", async () => {
  const { open, clock } = stage();
  const begun: number[] = [];
  const call = defineJob("call", { rate: { count: 3, per: "1s" }, run: () => void begun.push(clock.now) });
  const queue = await open([call]);
  await queue.enqueueMany(
    call,
    Array.from({ length: 9 }, () => ({ input: null })),
  );
  await clock.advance("5s");
  expect(begun).toHaveLength(9);
  for (const [at, moment] of begun.entries())
    if (at >= 3) expect(moment - (begun[at - 3] as number)).toBeGreaterThanOrEqual(1000);
});

test("a concurrency key bounds what runs of one tenant, over all workers", async () => {
  const { open, clock } = stage();
  const running = new Map<string, number>();
  let most = 0;
  const work = defineJob("work", {
    concurrencyKey: (input: { tenant: string }) => input.tenant,
    concurrencyPerKey: 2,
    run: async ({ tenant }, job) => {
      const now = (running.get(tenant) ?? 0) + 1;
      running.set(tenant, now);
      most = Math.max(most, now);
      await job.task.sleep("1s");
      running.set(tenant, (running.get(tenant) ?? 0) - 1);
    },
  });
  const one = await open([work]);
  await open([work]);
  await one.enqueueMany(
    work,
    Array.from({ length: 20 }, (_, at) => ({ input: { tenant: at % 2 === 0 ? "a" : "b" } })),
  );
  await clock.settle();
  expect([...running.values()]).toEqual([2, 2]);
  await clock.advance("5s");
  expect(most).toBe(2);
  expect((await one.stats()).succeeded).toBe(20);
});
