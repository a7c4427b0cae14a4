import { expect, test } from "vitest";
import { defineJob, JobStepError, LeaseLostError } from "../../src/jobs/index.ts";
import { settingsOf } from "../../src/jobs/define.ts";
import type { JobStore } from "../../src/jobs/engine.ts";
import { RunningJob } from "../../src/jobs/running-job.ts";
import { stage } from "./stage.ts";

test("a step is done once, whatever becomes of the attempt around it", async () => {
  const { open, clock } = stage();
  const done: string[] = [];
  const seen: unknown[] = [];
  const order = defineJob("order", {
    retry: { attempts: 4, min: "1s", jitter: "none" },
    run: async (_: null, job) => {
      const receipt = await job.step("charge", () => {
        done.push("charge");
        return { at: new Date(0), amount: 3 };
      });
      seen.push(receipt);
      await job.step("ship", () => {
        done.push("ship");
        if (job.failures < 2) throw new Error("no ship");
      });
    },
  });
  const queue = await open([order]);
  const { id } = await queue.enqueue(order, null);
  await clock.advance("10s");
  expect(done).toEqual(["charge", "ship", "ship", "ship"]);
  // The first attempt sees what the others do: what went through JSON.
  const asJson = { at: "1970-01-01T00:00:00.000Z", amount: 3 };
  expect(seen).toEqual([asJson, asJson, asJson]);
  expect((await queue.get(id))?.steps.map(({ name }) => name)).toEqual(["charge", "ship"]);
});

test("a step's name used twice in one attempt is an error, and so is a value that is no JSON", async () => {
  const { open, clock } = stage();
  const errors: unknown[] = [];
  const odd = defineJob("odd", {
    retry: { attempts: 1 },
    run: async (_: null, job) => {
      await job.step("a", () => 1);
      await job.step("a", () => 2).catch((error: unknown) => errors.push(error));
      await job.step("b", () => 1n).catch((error: unknown) => errors.push(error));
      await job.step("holdfast:x", () => 1).catch((error: unknown) => errors.push(error));
    },
  });
  const queue = await open([odd]);
  const { id } = await queue.enqueue(odd, null);
  await clock.settle();
  expect(await queue.get(id)).toMatchObject({ state: "succeeded", steps: [{ name: "a", value: 1 }] });
  expect(errors[0]).toBeInstanceOf(JobStepError);
  expect(errors).toMatchObject([
    { code: "HF_JOB_STEP", step: "a", id },
    { code: "HF_JOB_STEP", step: "b", id },
    { code: "HF_BAD_OPTION" },
  ]);
});

test("a long sleep gives back the worker and the lease, and uses up no attempt", async () => {
  const { open, clock, log } = stage();
  const runs: number[] = [];
  let finallyRan = 0;
  const wait = defineJob("wait", {
    retry: { attempts: 1 },
    run: async (_: null, job) => {
      runs.push(clock.now);
      try {
        await job.sleep("3s");
        await job.sleep("1h");
        await job.sleep("2h");
        return "rested";
      } finally {
        finallyRan++;
      }
    },
  });
  const other = defineJob("other", { run: () => undefined });
  const queue = await open([wait, other], { concurrency: 1 });
  const { id } = await queue.enqueue(wait, null);
  await clock.advance("3s");
  expect(await queue.get(id)).toMatchObject({ state: "queued", attempts: [{ end: "slept" }], failures: 0 });
  // The one place there is, is free meanwhile.
  await queue.result((await queue.enqueue(other, null)).id);
  await clock.advance("4h");
  expect(await queue.get(id)).toMatchObject({
    state: "succeeded",
    result: "rested",
    attempt: 3,
    failures: 0,
  });
  // The short sleep is slept again in each attempt, the long ones are not.
  expect(runs.map((at) => at - (runs[0] as number))).toEqual([0, 3_603_000, 10_806_000]);
  expect(finallyRan).toBe(3);
  expect(log.filter((line) => line === "sleep wait")).toHaveLength(2);
});

test("one who swallows the cancellation of a long sleep sleeps all the same", async () => {
  const { open, clock } = stage();
  let runs = 0;
  const deaf = defineJob("deaf", {
    run: async (_: null, job) => {
      runs++;
      await job.sleep("1h").catch(() => undefined);
      return runs;
    },
  });
  const queue = await open([deaf]);
  const { id } = await queue.enqueue(deaf, null);
  await clock.settle();
  expect(await queue.get(id)).toMatchObject({ state: "queued" });
  await clock.advance("1h");
  expect(await queue.get(id)).toMatchObject({ state: "succeeded", result: 2 });
});

test("progress and log lines are stored within a second, and the last word for certain", async () => {
  const { open, clock } = stage();
  const talk = defineJob("talk", {
    run: async (_: null, job) => {
      job.progress(1, 10, "pages");
      job.log("begun");
      await job.task.sleep("10s");
      for (let line = 0; line < 300; line++) job.log(`line ${line} ${"x".repeat(3000)}`);
      job.progress(10, 10);
    },
  });
  const queue = await open([talk]);
  const { id } = await queue.enqueue(talk, null);
  await clock.advance("1s");
  expect(await queue.get(id)).toMatchObject({
    state: "running",
    progress: { done: 1, total: 10, note: "pages" },
    log: [{ attempt: 1, text: "begun" }],
  });
  await clock.advance("9s");
  const record = await queue.get(id);
  expect(record).toMatchObject({ state: "succeeded", progress: { done: 10, total: 10 } });
  expect(record?.log).toHaveLength(200);
  expect(record?.log.at(-1)?.text).toMatch(/^line 299 x+…$/);
  expect(record?.log.at(-1)?.text).toHaveLength(2000);
});

test("a lease is renewed for as long as its attempt runs", async () => {
  const { open, clock } = stage();
  const long = defineJob("long", { run: (_: null, job) => job.task.sleep("1h") });
  const one = await open([long]);
  await open([long]);
  const { id } = await one.enqueue(long, null);
  await clock.advance("1h");
  expect(await one.get(id)).toMatchObject({ state: "succeeded", attempt: 1, lapses: 0 });
});

test("a worker that died is found out when its lease has ended, and no attempt is counted as failed", async () => {
  const { open, clock, jobs } = stage();
  let runs = 0;
  const work = defineJob("work", {
    retry: { attempts: 1 },
    run: async (_: null, job) => {
      runs++;
      if (job.attempt === 1) await job.task.sleep("1h");
    },
  });
  const enqueuer = await open([], { work: false });
  // As a worker that is gone right after its claim would leave it.
  const { id } = await enqueuer.enqueue(work, null);
  const [claimed] = jobs.claim(
    { limit: 1, names: [{ name: "work", limit: 1 }] },
    { worker: "gone", lease: 30_000 },
  ).jobs;
  expect(claimed?.id).toBe(id);
  await open([work]);
  await clock.advance("29s");
  expect(runs).toBe(0);
  await clock.advance("2s");
  expect(await enqueuer.get(id)).toMatchObject({
    state: "succeeded",
    failures: 0,
    lapses: 1,
    attempts: [{ end: "lapsed" }, { end: "succeeded" }],
  });
});

test("a job that kills its workers is given up after so many lapses", async () => {
  const { open, clock, jobs } = stage();
  const bomb = defineJob("bomb", { lapses: 1, run: () => undefined });
  const queue = await open([], { work: false });
  const { id } = await queue.enqueue(bomb, null);
  for (let round = 0; round < 2; round++) {
    jobs.claim({ limit: 1, names: [{ name: "bomb", limit: 1 }] }, { worker: "gone", lease: 1000 });
    await clock.advance("2s");
  }
  await open([bomb]);
  await clock.settle();
  expect(await queue.get(id)).toMatchObject({
    state: "failed",
    lapses: 2,
    error: { code: "HF_LEASE_LAPSED" },
  });
});

test("what cannot renew its lease is told to stop before the lease ends, and stores nothing more", async () => {
  const { open, clock, jobs, log, failures } = stage();
  const reasons: unknown[] = [];
  const stopped: number[] = [];
  const work = defineJob("work", {
    run: async (_: null, job) => {
      try {
        await job.task.sleep("1h");
      } catch (error) {
        stopped.push(clock.now);
        reasons.push((error as { reason: unknown }).reason);
        await job.step("late", () => "late");
      }
    },
  });
  const troubles: unknown[] = [];
  const queue = await open([work], { onTrouble: (error) => troubles.push(error) });
  const { id } = await queue.enqueue(work, null);
  await clock.settle();
  const began = clock.now;
  const { EngineError } = await import("../../src/jobs/index.ts");
  jobs.renew = () => {
    throw new EngineError("HF_ENGINE_UNAVAILABLE", "memory", "the cable is out");
  };
  await clock.advance("29s");
  expect(stopped[0]).toBeGreaterThanOrEqual(began + 20_000);
  expect(stopped[0]).toBeLessThan(began + 30_000);
  expect(reasons[0]).toBeInstanceOf(LeaseLostError);
  expect(log).toContain("lost work");
  // Told once, however often it was tried.
  expect(troubles).toHaveLength(1);
  expect(failures).toEqual([]);
  expect((await queue.get(id))?.steps).toEqual([]);
});

test("an attempt that does not stop is given up, and another may begin", async () => {
  const { open, clock } = stage();
  const deaf = defineJob("deaf", {
    timeout: "1s",
    grace: "1s",
    retry: { attempts: 2, min: "1s", jitter: "none" },
    run: (_: null, job) => (job.attempt === 1 ? new Promise<void>(() => undefined) : undefined),
  });
  const queue = await open([deaf]);
  const { id } = await queue.enqueue(deaf, null);
  const result = queue.result(id);
  let isOver = false;
  void result.then(() => (isOver = true));
  // Where it stands is read from this process's own memory meanwhile, which takes real time.
  while (!isOver) await clock.advance("1s");
  const [first] = (await queue.get(id))?.attempts ?? [];
  expect(first).toMatchObject({
    end: "failed",
    error: { code: "HF_TASK_ABANDONED", cause: { code: "HF_TASK_TIMEOUT" } },
  });
});

test("what is returned and is no JSON fails the job at once", async () => {
  const { open, clock } = stage();
  const odd = defineJob("odd", { run: () => 1n });
  const queue = await open([odd]);
  const { id } = await queue.enqueue(odd, null);
  await clock.settle();
  expect(await queue.get(id)).toMatchObject({
    state: "failed",
    attempt: 1,
    error: { code: "HF_JOB_RESULT" },
  });
});

test("what the engine will not store now is stored later, while the lease lasts", async () => {
  const { open, clock, jobs } = stage();
  const { EngineError } = await import("../../src/jobs/index.ts");
  let refusals = 3;
  const settle = jobs.settle.bind(jobs);
  jobs.settle = (settlement) => {
    if (refusals-- > 0) throw new EngineError("HF_ENGINE_FULL", "memory", "there is no room");
    return settle(settlement);
  };
  const quick = defineJob("quick", { run: () => "done" });
  const queue = await open([quick]);
  const { id } = await queue.enqueue(quick, null);
  await clock.advance("5s");
  expect(await queue.get(id)).toMatchObject({ state: "succeeded", result: "done", attempt: 1 });
});

test("trouble with claims is told once, and they go on when it is over", async () => {
  const { open, clock, jobs } = stage();
  const { EngineError } = await import("../../src/jobs/index.ts");
  const claim = jobs.claim.bind(jobs);
  let isOut = true;
  let claims = 0;
  jobs.claim = (...given) => {
    claims++;
    if (isOut) throw new EngineError("HF_ENGINE_UNAVAILABLE", "memory", "the cable is out");
    return claim(...given);
  };
  const troubles: unknown[] = [];
  const quick = defineJob("quick", { run: () => "done" });
  const queue = await open([quick], { onTrouble: (error) => troubles.push(error) });
  const { id } = await queue.enqueue(quick, null);
  await clock.advance("1m");
  expect(troubles).toHaveLength(1);
  expect(claims).toBeGreaterThan(10);
  expect(claims).toBeLessThan(30);
  isOut = false;
  await clock.advance("5s");
  expect(await queue.get(id)).toMatchObject({ state: "succeeded" });
});

test("a worker that lost a lease runs the job again itself, where nobody else does", async () => {
  const { open, clock, jobs } = stage();
  const { EngineError } = await import("../../src/jobs/index.ts");
  const work = defineJob("work", {
    run: async (_: null, job) => {
      if (job.attempt === 1) await job.task.sleep("1h");
    },
  });
  const queue = await open([work], { onTrouble: () => undefined });
  const { id } = await queue.enqueue(work, null);
  const renew = jobs.renew.bind(jobs);
  jobs.renew = () => {
    throw new EngineError("HF_ENGINE_UNAVAILABLE", "memory", "the cable is out");
  };
  await clock.advance("29s");
  jobs.renew = renew;
  await clock.advance("3s");
  expect(await queue.get(id)).toMatchObject({
    state: "succeeded",
    attempts: [{ end: "lapsed" }, { end: "succeeded" }],
  });
});

test("a step is not begun once the lease is over, though no timer has said so yet", async () => {
  const { app, clock } = stage();
  const done: string[] = [];
  const late = defineJob("late", { run: (_: null, job) => job.step("one", () => done.push("one")) });
  // As it is where the event loop stood: the time has gone by, and the step comes before every timer.
  const claimed = {
    id: "1",
    token: 1,
    name: "late",
    input: "null",
    priority: 0,
    createdAt: 0,
    attempt: 1,
    failures: 0,
    steps: [],
    isCancelling: false,
  };
  const job = new RunningJob(claimed, settingsOf(late), {} as JobStore, clock.now, () => undefined);
  const task = app.spawn("late", (own) => job.run(own));
  await expect(task).rejects.toThrow(LeaseLostError);
  expect(done).toEqual([]);
});
