import { expect, test } from "vitest";
import type { TaskContext } from "../../src/core/index.ts";
import { deferred, rejection, thrown, turn, untilTimers, useStage } from "./stage.ts";

const stage = useStage();

test("4.2 every: fixed rate, first tick after one period", async () => {
  const app = stage.open();
  const ticks: number[] = [];
  app.every("tick", "1s", () => void ticks.push(stage.now()));
  await stage.clock.advance("3500ms");
  expect(ticks).toEqual([1000, 2000, 3000]);
});

test("4.2 every: fixed rate: what a tick takes does not shift the next", async () => {
  const app = stage.open();
  const ticks: number[] = [];
  app.every("tick", "1s", async (task) => {
    ticks.push(stage.now());
    await task.sleep("700ms");
  });
  await stage.clock.advance("4s");
  expect(ticks).toEqual([1000, 2000, 3000, 4000]);
});

test("4.2 every: missed ticks are skipped, never in a burst", async () => {
  const app = stage.open();
  const ticks: number[] = [];
  app.every("tick", "1s", () => void ticks.push(stage.now()));
  await stage.clock.advance("1s");
  // The event loop stands still, or the machine sleeps, for ten periods and a bit.
  await stage.clock.jump("10500ms");
  const after = ticks.slice(1);
  expect(after.length).toBeLessThanOrEqual(1);
  await stage.clock.advance("2s");
  expect(ticks.at(-1)).toBe(13_000);
  expect(ticks.slice(1 + after.length)).toEqual([12_000, 13_000]);
});

test("4.2 every: a failed tick is delivered and the schedule goes on", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (error) => delivered.push((error as Error).message) });
  let n = 0;
  const schedule = app.every("tick", "1s", () => {
    n++;
    throw new Error(`tick ${n}`);
  });
  await stage.clock.advance("3s");
  expect(delivered).toEqual(["tick 1", "tick 2", "tick 3"]);
  expect(schedule.state).toBe("running");
});

const overlaps = [
  ["skip", [1000, 4000, 7000]],
  // One waits while one runs: it starts when the other ends, late.
  ["queue", [1000, 3500, 6000]],
  ["allow", [1000, 2000, 3000, 4000, 5000, 6000, 7000]],
] as const;

test.each(overlaps)("4.1 overlap %s: ticks of 2.5 s every second start at %s", async (overlap, expected) => {
  const app = stage.open();
  const ticks: number[] = [];
  app.every(
    "tick",
    "1s",
    async (task) => {
      ticks.push(stage.now());
      await task.sleep("2500ms");
    },
    { overlap },
  );
  await stage.clock.advance("7s");
  expect(ticks).toEqual(expected);
});

test("4.1 overlap defaults to skip", async () => {
  const app = stage.open();
  const gate = deferred();
  let runs = 0;
  app.every("tick", "1s", () => {
    runs++;
    return gate.promise;
  });
  await stage.clock.advance("5s");
  expect(runs).toBe(1);
  gate.resolve();
  await stage.clock.advance("1s");
  expect(runs).toBe(2);
});

test("4.1 overlap queue: at most one waits", async () => {
  const app = stage.open();
  const gate = deferred();
  let runs = 0;
  app.every(
    "tick",
    "1s",
    () => {
      runs++;
      return runs === 1 ? gate.promise : undefined;
    },
    { overlap: "queue" },
  );
  await stage.clock.advance("5500ms");
  gate.resolve();
  await turn();
  expect(runs).toBe(2);
});

test("4.1 every: each tick is a task of its own, with timeout and retry", async () => {
  const app = stage.open("app", { onError: () => {} });
  const paths = new Set<string>();
  const attempts: number[] = [];
  app.every(
    "tick",
    "1m",
    (task) => {
      paths.add(task.path);
      attempts.push(task.attempt);
      throw new Error("boom");
    },
    { retry: { attempts: 2, kind: "constant", min: "1s", jitter: "none" } },
  );
  await stage.clock.advance("125s");
  expect(attempts).toEqual([1, 2, 1, 2]);
  for (const path of paths) expect(path.startsWith("app/tick")).toBe(true);
});

test("4.1 every: a tick that times out is cut, and the schedule goes on", async () => {
  const app = stage.open("app", { onError: () => {} });
  let runs = 0;
  app.every(
    "tick",
    "1s",
    (task) => {
      runs++;
      return task.sleep("1h");
    },
    { timeout: "500ms" },
  );
  await stage.clock.advance("3s");
  expect(runs).toBe(3);
});

test("4.1 every: cancelling the schedule cancels its running tick, and no further one starts", async () => {
  const app = stage.open();
  let runs = 0;
  let cancelled = 0;
  const schedule = app.every("tick", "1s", async (task) => {
    runs++;
    const error = await rejection(task.sleep("1h"));
    cancelled++;
    throw error;
  });
  await stage.clock.advance("1s");
  expect((await schedule.cancel()).state).toBe("cancelled");
  await stage.clock.advance("10s");
  expect([runs, cancelled]).toEqual([1, 1]);
});

test("4.1 every: a period that cannot be read is a RangeError", () => {
  const app = stage.open();
  for (const period of [-1, NaN, Infinity, "soon" as "1s"]) {
    expect(
      thrown(() => app.every("tick", period, () => {})),
      String(period),
    ).toBeInstanceOf(RangeError);
  }
});

test("4.1 task.every yields 1, 2, 3… at a fixed rate, first after one period", async () => {
  const app = stage.open();
  const ticks: [number, number][] = [];
  const task = app.spawn("a", async (self) => {
    for await (const n of self.every("1s")) {
      ticks.push([n, stage.now()]);
      if (n === 3) break;
      await self.sleep("300ms");
    }
  });
  await stage.clock.advance("3s");
  await task;
  expect(ticks).toEqual([
    [1, 1000],
    [2, 2000],
    [3, 3000],
  ]);
});

test("4.1 task.every: missed ticks are skipped", async () => {
  const app = stage.open();
  const ticks: number[] = [];
  app.spawn("a", async (self) => {
    for await (const _ of self.every("1s")) {
      ticks.push(stage.now());
      if (ticks.length === 1) await self.sleep("3500ms");
    }
  });
  await stage.clock.advance("7s");
  const late = ticks.filter((at) => at > 1000 && at < 5000);
  expect(late.length).toBeLessThanOrEqual(1);
  expect(ticks.filter((at) => at >= 5000)).toEqual([5000, 6000, 7000]);
});

test("4.1 task.every ends when the scope drains, and the body goes on", async () => {
  const app = stage.open();
  const log: string[] = [];
  const task = app.spawn("a", async (self: TaskContext) => {
    for await (const n of self.every("1s")) log.push(`tick ${n}`);
    await self.sleep("500ms");
    log.push(`finished at ${stage.now()}`);
  });
  await stage.clock.advance("1500ms");
  const closing = app.close({ drain: "10s" });
  await stage.clock.advance("500ms");
  await closing;
  expect(log).toEqual(["tick 1", "finished at 2000"]);
  expect(task.state).toBe("succeeded");
});

test("4.1 cron runs by its expression, in its time zone", async () => {
  const app = stage.open();
  const runs: string[] = [];
  const run = (): void => void runs.push(new Date(stage.clock.wall).toISOString().slice(0, 16));
  app.cron("nightly", "0 3 * * *", run, { timeZone: "UTC" });
  await untilTimers(stage.clock, 1);
  await stage.clock.advance("49h");
  expect(runs).toEqual(["2026-01-01T03:00", "2026-01-02T03:00"]);
});

test("4.1 cron: what was missed is skipped, never made up for in a burst", async () => {
  const app = stage.open();
  let runs = 0;
  app.cron("minutely", "* * * * *", () => void runs++, { timeZone: "UTC" });
  await untilTimers(stage.clock, 1);
  await stage.clock.advance("1m");
  expect(runs).toBe(1);
  await stage.clock.jump("1h");
  expect(runs).toBeLessThanOrEqual(2);
  const before = runs;
  await stage.clock.advance("2m");
  expect(runs).toBe(before + 2);
});

test("4.1 cron: a failed run is delivered and the schedule goes on", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (error) => delivered.push(error) });
  const error = new Error("boom");
  const schedule = app.cron("minutely", "* * * * *", () => Promise.reject(error), { timeZone: "UTC" });
  await untilTimers(stage.clock, 1);
  await stage.clock.advance("3m");
  expect(delivered).toEqual([error, error, error]);
  expect(schedule.state).toBe("running");
});

test.each([
  ["not a cron", undefined, /^expression is "not a cron": expected one that croner can read \(TypeError: /],
  ["0 3 * * *", "Mars/Base", /^expression is "0 3 \* \* \*": .* in the time zone "Mars\/Base" \(/],
])(
  "4.1 cron: %s in the time zone %s cannot be read, and fails by name",
  async (expression, timeZone, message) => {
    const app = stage.open();
    const schedule = app.cron("c", expression, () => {}, timeZone === undefined ? {} : { timeZone });
    expect(await rejection(schedule)).toMatchObject({
      code: "HF_BAD_OPTION",
      option: "expression",
      message: expect.stringMatching(message) as string,
    });
  },
);

test("runs are counted by the name of their schedule, so that a slow one is not measured by a fast one", async () => {
  const app = stage.open();
  app.every("sync", "1s", () => undefined);
  app.every("nightly", "2s", (task) => task.sleep("500ms"));
  await stage.clock.advance("4s");
  const { names } = app.stats();
  expect(names["sync.run"]?.succeeded).toBe(4);
  expect(names["nightly.run"]).toMatchObject({ live: 1, succeeded: 1 });
  expect([...app.tasks()].map(({ path }) => path)).toContain("app/nightly/nightly.run");
});
