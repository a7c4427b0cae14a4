import { expect, test } from "vitest";
import { defineJob } from "../../src/jobs/index.ts";
import { stage } from "./stage.ts";

const HOURLY = "0 * * * *";

test("a schedule runs its job at each time, and said again it changes nothing", async () => {
  const { open, clock } = stage();
  const runs: number[] = [];
  const clean = defineJob("clean", { run: () => void runs.push(clock.wall % 3_600_000) });
  const queue = await open([clean]);
  const first = await queue.schedule("hourly", HOURLY, clean, null, { timeZone: "UTC" });
  expect(await queue.schedule("hourly", HOURLY, clean, null, { timeZone: "UTC" })).toEqual({
    id: first.id,
    isNew: false,
  });
  await clock.advance("3h");
  expect(runs).toEqual([0, 0, 0]);
  expect(await queue.list({ schedule: "hourly", state: "queued" })).toMatchObject({
    jobs: [{ name: "clean" }],
  });
  expect(await queue.unschedule("hourly")).toBe(true);
  await clock.advance("3h");
  expect(runs).toHaveLength(3);
  expect(await queue.unschedule("hourly")).toBe(false);
});

test("what was missed while nobody worked runs once, and a worker that never heard of the schedule goes on with it", async () => {
  const { open, clock } = stage();
  let runs = 0;
  const clean = defineJob("clean", { run: () => void runs++ });
  const sayer = await open([clean], { work: false });
  await sayer.schedule("hourly", HOURLY, clean, null, { timeZone: "UTC" });
  await clock.advance("5h");
  await open([clean]);
  await clock.advance("1m");
  expect(runs).toBe(1);
  await clock.advance("2h");
  expect(runs).toBe(3);
});

test("a schedule that says something else replaces what waits", async () => {
  const { open, clock } = stage();
  const seen: unknown[] = [];
  const clean = defineJob("clean", { run: (input: string) => void seen.push(input) });
  const queue = await open([clean]);
  const first = await queue.schedule("s", HOURLY, clean, "old", { timeZone: "UTC" });
  const second = await queue.schedule("s", HOURLY, clean, "new", { timeZone: "UTC" });
  expect(second).toMatchObject({ isNew: true });
  expect(await queue.get(first.id)).toMatchObject({ state: "cancelled" });
  await clock.advance("1h");
  expect(seen).toEqual(["new"]);
});

test("a run that takes longer than its period is not run beside itself", async () => {
  const { open, clock } = stage();
  let running = 0;
  let most = 0;
  const slow = defineJob("slow", {
    run: async (_: null, job) => {
      most = Math.max(most, ++running);
      await job.task.sleep("90m");
      running--;
    },
  });
  const queue = await open([slow]);
  await queue.schedule("hourly", HOURLY, slow, null, { timeZone: "UTC" });
  await clock.advance("9h");
  expect(most).toBe(1);
  expect((await queue.stats()).succeeded).toBeGreaterThanOrEqual(3);
});

test("a failed occurrence does not end the schedule", async () => {
  const { open, clock, failures } = stage();
  let runs = 0;
  const bad = defineJob("bad", {
    retry: { attempts: 1 },
    run: () => {
      runs++;
      throw new Error("bad");
    },
  });
  const queue = await open([bad]);
  await queue.schedule("hourly", HOURLY, bad, null, { timeZone: "UTC" });
  await clock.advance("3h");
  expect(runs).toBe(3);
  expect(failures).toHaveLength(3);
});

test("a waiting occurrence that was cancelled is left out, and the next one comes", async () => {
  const { open, clock } = stage();
  const runs: number[] = [];
  const clean = defineJob("clean", { run: () => void runs.push(clock.now) });
  const queue = await open([clean]);
  const { id } = await queue.schedule("hourly", HOURLY, clean, null, { timeZone: "UTC" });
  await queue.cancel(id);
  const before = clock.now;
  await clock.advance("3h");
  expect(runs).toHaveLength(2);
  expect((runs[0] as number) - before).toBeGreaterThan(3_600_000);
});

test("an expression that is none is refused", async () => {
  const { open } = stage();
  const clean = defineJob("clean", { run: () => undefined });
  const queue = await open([clean]);
  await expect(queue.schedule("s", "every now and then", clean, null)).rejects.toThrow();
  expect((await queue.list()).jobs).toEqual([]);
});
