import { expect, test } from "vitest";
import { TaskTimeoutError, sleep, timeout, type Duration, type TaskContext } from "../../src/core/index.ts";
import { deferred, forever, rejection, stubborn, thrown, track, turn, useStage } from "./stage.ts";

const stage = useStage();

const lengths: [Duration, number][] = [
  [0, 0],
  [250, 250],
  ["250ms", 250],
  ["1.5s", 1500],
  ["2m", 120_000],
  ["1h", 3_600_000],
  ["1d", 86_400_000],
];

test.each(lengths)("4.1 a Duration of %s is %i ms", async (duration, ms) => {
  const app = stage.open();
  const task = app.spawn("a", (self) => self.sleep(duration).then(() => stage.now()));
  await turn();
  if (ms > 0) {
    await stage.clock.advance(ms - 1);
    expect(task.state).toBe("running");
  }
  await stage.clock.advance(1);
  expect(await task).toBe(ms);
});

test("4.2 Time: durations beyond the timers' 2³¹ − 1 ms are chained: a sleep of 30 days", async () => {
  const app = stage.open();
  const task = app.spawn("a", (self) => self.sleep("30d").then(() => stage.now()));
  await stage.clock.advance("29d");
  expect(task.state).toBe("running");
  await stage.clock.advance("1d");
  expect(await task).toBe(30 * 86_400_000);
});

test("4.2 Time: ... a timeout, a delay and a grace of 30 days", async () => {
  const app = stage.open();
  const slow = app.spawn("slow", (self) => self.sleep("365d"), { timeout: "30d" });
  const late = app.spawn("late", () => stage.now(), { delay: "30d" });
  const stuck = app.spawn("stuck", () => forever(), { grace: "30d" });
  void stuck.outcome();
  const error = rejection(slow);
  await turn();
  void stuck.cancel();
  await stage.clock.advance("29d");
  expect([slow.state, late.state, stuck.state]).toEqual(["running", "waiting", "cancelling"]);
  await stage.clock.advance("1d");
  expect(await error).toBeInstanceOf(TaskTimeoutError);
  expect(await late).toBe(30 * 86_400_000);
  expect(stuck.state).toBe("abandoned");
});

/** What a function throws, or undefined. */
function caught(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  return undefined;
}

const bad: unknown[] = [-1, NaN, Infinity, -Infinity, "", "soon", "5", "5 s", "-5s", "1e3s", "5x", {}, "s"];

test.each(bad)("4.2 Time: a duration of %j is a RangeError, wherever it is given", async (value) => {
  const app = stage.open();
  const duration = value as Duration;
  const run = (): void => {};
  const places: [string, () => unknown][] = [
    ["timeout", () => app.spawn("a", run, { timeout: duration })],
    ["deadline", () => app.spawn("a", run, { deadline: duration })],
    ["grace", () => app.spawn("a", run, { grace: duration })],
    ["delay", () => app.spawn("a", run, { delay: duration })],
    ["expect", () => app.spawn("a", run, { expect: duration })],
    ["min", () => app.spawn("a", run, { retry: { attempts: 2, min: duration } })],
    ["max", () => app.spawn("a", run, { retry: { attempts: 2, max: duration } })],
    [
      "per",
      () => app.spawn("a", run, { limit: { key: "k", concurrency: 1, rate: { count: 1, per: duration } } }),
    ],
    ["scope grace", () => app.scope("s1", { grace: duration })],
    ["scope timeout", () => app.scope("s2", { timeout: duration })],
    ["deferTimeout", () => app.scope("s3", { deferTimeout: duration })],
    ["every", () => app.every("a", duration, run)],
    ["within", () => app.service("a", run, { intensity: { restarts: 1, within: duration } })],
  ];
  expect(places.filter(([, call]) => !(caught(call) instanceof RangeError)).map(([place]) => place)).toEqual(
    [],
  );
  expect(app.stats()).toMatchObject({ spawned: 0, live: 0 });
  await app.spawn("inside", async (task) => {
    const inside: [string, () => unknown][] = [
      ["task.sleep", () => task.sleep(duration)],
      ["sleep", () => sleep(duration)],
      ["task.timeout", () => task.timeout(duration, async () => {})],
      ["timeout", () => timeout(duration, async () => {})],
      [
        "task.every",
        async () => {
          for await (const _ of task.every(duration)) break;
        },
      ],
    ];
    for (const [place, call] of inside)
      expect(await rejection((async () => call())()), place).toBeInstanceOf(RangeError);
  });
});

test("4.2 Time: a close with a bad duration takes no effect; its promise says why", async () => {
  const app = stage.open();
  const error = await rejection((async () => app.close({ drain: "soon" as "1s" }))());
  expect(error).toBeInstanceOf(RangeError);
  expect((error as Error).message).toContain("drain");
  expect(app.state).toBe("open");
});

test("4.1 numbers out of range are RangeErrors that name the option", () => {
  const app = stage.open();
  const run = (): void => {};
  const places: [string, () => unknown][] = [
    ["concurrency", () => app.scope("s", { concurrency: 0 })],
    ["concurrency", () => app.scope("s", { concurrency: 1.5 })],
    ["queue", () => app.scope("s", { queue: -1 })],
    ["attempts", () => app.spawn("a", run, { retry: { attempts: 0 } })],
    ["concurrency", () => app.spawn("a", run, { limit: { key: "k", concurrency: 0 } })],
    [
      "count",
      () => app.spawn("a", run, { limit: { key: "k", concurrency: 1, rate: { count: 0, per: "1s" } } }),
    ],
    ["concurrency", () => app.map("m", [1], run, { concurrency: NaN })],
    ["restarts", () => app.service("a", run, { intensity: { restarts: -1, within: "1m" } })],
  ];
  for (const [option, call] of places) {
    const error = thrown(call);
    expect(error, option).toBeInstanceOf(RangeError);
    expect((error as Error).message).toContain(option);
  }
  expect(app.stats().spawned).toBe(0);
});

test("4.2 Time: all of it through the clock: with the clock standing still nothing is due", async () => {
  const app = stage.open();
  const task = app.spawn("a", (self) => self.sleep(1));
  for (let n = 0; n < 5; n++) await turn();
  expect(task.state).toBe("running");
  await stage.clock.advance(1);
  await task;
});

test("4.2 Time: sleeps that are due at the same moment end in the order in which they began", async () => {
  const app = stage.open();
  const order: number[] = [];
  for (let n = 0; n < 5; n++) app.spawn(`t${n}`, (task) => task.sleep("1s").then(() => order.push(n)));
  await stage.clock.advance("1s");
  expect(order).toEqual([0, 1, 2, 3, 4]);
});

test("4.2 Time: one listener for each external signal, however many tasks hang on it", async () => {
  const app = stage.open();
  const controller = new AbortController();
  const { signal } = controller;
  let added = 0;
  let removed = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>): void => {
    added++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>): void => {
    removed++;
    remove(...args);
  };
  const tasks = Array.from({ length: 100 }, (_, n) =>
    app.spawn(`t${n}`, (task) => task.sleep("1h"), { signal }),
  );
  const { run, release } = stubborn();
  const done = app.spawn("done", run, { signal });
  await turn();
  expect(added).toBe(1);
  release("finished");
  expect(await done).toBe("finished");
  controller.abort("client went away");
  await turn();
  for (const task of tasks) {
    expect(task.state).toBe("cancelled");
    expect(await rejection(task)).toMatchObject({ source: "signal", reason: "client went away" });
  }
  expect(added).toBe(1);
  expect(removed).toBeLessThanOrEqual(1);
});

test("4.2 Time: the listener is gone with the last task that hangs on the signal", async () => {
  const app = stage.open();
  const { signal } = new AbortController();
  let listening = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>): void => {
    listening++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>): void => {
    listening--;
    remove(...args);
  };
  for (let n = 0; n < 10; n++) await app.spawn(`t${n}`, () => {}, { signal });
  expect(listening).toBe(0);
});

test("4.1 a signal that has aborted already: the task never runs", async () => {
  const app = stage.open();
  let calls = 0;
  const task = app.spawn("a", () => void calls++, { signal: AbortSignal.abort("too late") });
  const outcome = await task.outcome();
  expect(outcome.state).toBe("cancelled");
  expect(calls).toBe(0);
});

test("4.1 timeout: a deadline over a block and the children spawned in it", async () => {
  const app = stage.open();
  const log: string[] = [];
  let child: { readonly state: string } | undefined;
  const task = app.spawn("a", async (self: TaskContext) => {
    const error = await rejection(
      self.timeout("1s", async (signal) => {
        signal.addEventListener("abort", () => log.push(`block's signal at ${stage.now()}`));
        child = self.spawn("child", (inner) => inner.sleep("1h"));
        await self.sleep("1h");
      }),
    );
    log.push(
      `${(error as Error).name} at ${stage.now()}, child ${child?.state}, task ${String(self.signal.aborted)}`,
    );
    await self.sleep("1s");
    return "went on";
  });
  await stage.clock.advance("2s");
  expect(await task).toBe("went on");
  expect(log).toEqual(["block's signal at 1000", "TimeoutError at 1000, child cancelled, task false"]);
});

test("4.1 timeout: in time, the block's value or error comes out, and its children are awaited", async () => {
  const app = stage.open();
  const error = new Error("boom");
  const task = app.spawn("a", async (self) => {
    const value = await self.timeout("10s", async () => {
      self.spawn("child", (child) => child.sleep("1s"));
      return "value";
    });
    const at = stage.now();
    return [value, at, await rejection(self.timeout("10s", () => Promise.reject(error)))];
  });
  await stage.clock.advance("1s");
  expect(await task).toEqual(["value", 1000, error]);
});

test("4.1 timeout: grace as for tasks: a block that does not stop is given up when it is over", async () => {
  const app = stage.open();
  const task = app.spawn("a", (self) => self.timeout("1s", () => forever()), { grace: "2s" });
  const outcome = track(task.outcome());
  await stage.clock.advance("2999ms");
  expect(outcome.state).toBe("pending");
  await stage.clock.advance("1ms");
  await turn();
  expect(outcome.state).toBe("fulfilled");
});

test("4.1 deadline: for all attempts, from spawn", async () => {
  const app = stage.open();
  let attempts = 0;
  const task = app.spawn(
    "a",
    async (self) => {
      attempts++;
      await self.sleep("1s");
      throw new Error("again");
    },
    { deadline: "2500ms", retry: { attempts: 10, kind: "constant", min: 0, jitter: "none" } },
  );
  const error = rejection(task);
  await stage.clock.advance("2500ms");
  expect(await error).toBeInstanceOf(TaskTimeoutError);
  expect(attempts).toBe(3);
});

test("4.1 deadline: it runs while the task waits, and then run is never called", async () => {
  const app = stage.open("app", { concurrency: 1 });
  const gate = deferred();
  app.spawn("first", () => gate.promise);
  let calls = 0;
  const task = app.spawn("second", () => void calls++, { deadline: "1s" });
  const error = rejection(task);
  await stage.clock.advance("1s");
  expect(await error).toBeInstanceOf(TaskTimeoutError);
  gate.resolve();
  await turn();
  expect(calls).toBe(0);
});

test.each([0, new Date(0)])(
  "4.1 deadline: one that is over before the first turn (%s): run is never called",
  async (deadline) => {
    const app = stage.open();
    const task = app.spawn("a", () => expect.unreachable("it is too late"), { deadline });
    expect(task.state).toBe("failed");
    expect(await rejection(task)).toBeInstanceOf(TaskTimeoutError);
  },
);

test("4.1 deadline: a Date is a moment of the wall clock", async () => {
  const app = stage.open();
  const task = app.spawn("a", (self) => self.sleep("1h"), { deadline: new Date(stage.clock.wall + 3000) });
  const error = rejection(task);
  await stage.clock.advance("2999ms");
  expect(task.state).toBe("running");
  await stage.clock.advance("1ms");
  expect(await error).toBeInstanceOf(TaskTimeoutError);
});

test("4.1 timeout of a task: for each attempt, from running, not while it waits", async () => {
  const app = stage.open("app", { concurrency: 1 });
  app.spawn("first", (self) => self.sleep("10s"));
  const task = app.spawn("second", (self) => self.sleep("1s").then(() => "in time"), { timeout: "2s" });
  await stage.clock.advance("11s");
  expect(await task).toBe("in time");
});

test("4.1 timeout: a block that awaits another task stops waiting, and the task is untouched", async () => {
  const app = stage.open();
  const gate = deferred<string>();
  const other = app.spawn("other", () => gate.promise);
  const task = app.spawn("a", async (self) => {
    const error = await rejection(self.timeout("1s", () => other));
    return [error, await other];
  });
  await stage.clock.advance("1s");
  gate.resolve("fine");
  const [error, value] = await task;
  expect(error).toBeInstanceOf(TaskTimeoutError);
  expect(value).toBe("fine");
});

test("4.1 checkpoint needs no time, and lets other work run: timers and I/O", async () => {
  const app = stage.open();
  let isStopped = false;
  const task = app.spawn("loop", async (self) => {
    while (!isStopped) await self.checkpoint();
  });
  setImmediate(() => (isStopped = true));
  await task;
  expect(stage.now()).toBe(0);
});
