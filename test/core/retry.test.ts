import { expect, test } from "vitest";
import { TaskAbandonedError, TaskTimeoutError } from "../../src/core/index.ts";
import { journal, rejection, turn, useStage } from "./stage.ts";

const stage = useStage();
const everySecond = { kind: "constant", min: "1s", jitter: "none" } as const;

test("4.1 retry: attempts in all, the first included; the last error is the task's", async () => {
  const app = stage.open();
  const seen: string[] = [];
  const task = app.spawn(
    "flaky",
    (self) => {
      seen.push(`${self.attempt} at ${stage.now()}`);
      throw new Error(`attempt ${self.attempt}`);
    },
    { retry: { attempts: 3, ...everySecond } },
  );
  const error = rejection(task);
  await stage.clock.advance("1m");
  expect(seen).toEqual(["1 at 0", "2 at 1000", "3 at 2000"]);
  expect(await error).toMatchObject({ message: "attempt 3" });
});

test("4.1 retry: one attempt is the default", async () => {
  const app = stage.open();
  let attempts = 0;
  await app
    .spawn("a", () => {
      attempts++;
      throw new Error("x");
    })
    .outcome();
  await stage.clock.advance("1m");
  expect(attempts).toBe(1);
});

test("4.1 retry: exponential from min, doubled up to max, without jitter exactly", async () => {
  const app = stage.open();
  const delays: number[] = [];
  app.on("retry", (event) => delays.push(event.delay));
  const retry = { attempts: 6, min: "100ms", max: "1s", jitter: "none" } as const;
  void app.spawn("a", () => Promise.reject(new Error("x")), { retry }).outcome();
  await stage.clock.advance("1m");
  expect(delays).toEqual([100, 200, 400, 800, 1000]);
});

test("4.1 retry: by default exponential, 100 ms to 10 s, each drawn evenly from zero to its length", async () => {
  const app = stage.open();
  const delays: number[] = [];
  app.on("retry", (event) => delays.push(event.delay));
  void app.spawn("a", () => Promise.reject(new Error("x")), { retry: { attempts: 41 } }).outcome();
  for (let n = 0; n < 50; n++) await stage.clock.advance("10s");
  expect(delays).toHaveLength(40);
  for (const [n, delay] of delays.entries())
    expect(delay).toBeLessThanOrEqual(Math.min(10_000, 100 * 2 ** n));
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
  expect(new Set(delays).size).toBeGreaterThan(20);
});

test("4.1 retry: when says whether this error is worth another attempt", async () => {
  const app = stage.open();
  const asked: [string, number][] = [];
  const task = app.spawn("a", (self) => Promise.reject(new Error(self.attempt < 3 ? "transient" : "fatal")), {
    retry: {
      attempts: 10,
      ...everySecond,
      when: (error, attempt) => {
        asked.push([(error as Error).message, attempt]);
        return (error as Error).message === "transient";
      },
    },
  });
  const error = rejection(task);
  await stage.clock.advance("1m");
  expect(await error).toMatchObject({ message: "fatal" });
  expect(asked).toEqual([
    ["transient", 1],
    ["transient", 2],
    ["fatal", 3],
  ]);
});

test("4.3 retry: a when that throws ends the task, failed, and neither error is lost", async () => {
  const reported: unknown[] = [];
  const app = stage.open("app", { onError: (error) => reported.push(error) });
  const error = new Error("attempt");
  const broken = new Error("when broke");
  const task = app.spawn("a", () => Promise.reject(error), {
    retry: {
      attempts: 3,
      ...everySecond,
      when: () => {
        throw broken;
      },
    },
  });
  await stage.clock.advance("1m");
  await turn();
  expect(task.state).toBe("failed");
  const all = [...reported, await rejection(task)].flatMap((one) => [
    one,
    ...((one as AggregateError).errors ?? []),
    (one as Error).cause,
  ]);
  expect(all).toContain(error);
  expect(all).toContain(broken);
});

test("4.1 retry: a timed-out attempt is tried again, after it has ended", async () => {
  const app = stage.open();
  const log: string[] = [];
  const task = app.spawn(
    "slow",
    async (self) => {
      log.push(`${self.attempt} at ${stage.now()}`);
      if (self.attempt === 2) return "second";
      try {
        await self.sleep("1h");
      } finally {
        await self.shield(() => self.sleep("2s"));
        log.push(`cleaned at ${stage.now()}`);
      }
      return "never";
    },
    { timeout: "1s", retry: { attempts: 2, ...everySecond } },
  );
  await stage.clock.advance("10s");
  expect(await task).toBe("second");
  expect(log).toEqual(["1 at 0", "cleaned at 3000", "2 at 4000"]);
});

test("4.3 a timed-out attempt is never retried on top of itself", async () => {
  const app = stage.open();
  let running = 0;
  let most = 0;
  const task = app.spawn(
    "slow",
    async (self) => {
      most = Math.max(most, ++running);
      await rejection(self.sleep("1h"));
      await self.shield(() => self.sleep("3s"));
      running--;
      throw new Error("too slow");
    },
    { timeout: "1s", retry: { attempts: 4, ...everySecond } },
  );
  const error = rejection(task);
  await stage.clock.advance("1m");
  await error;
  expect(most).toBe(1);
});

test("4.1 retry: the last attempt's timeout is what awaiters get", async () => {
  const app = stage.open();
  const task = app.spawn("slow", (self) => self.sleep("1h"), {
    timeout: "1s",
    retry: { attempts: 2, ...everySecond },
  });
  const error = rejection(task);
  await stage.clock.advance("10s");
  expect(await error).toBeInstanceOf(TaskTimeoutError);
  expect(task.info().attempts).toMatchObject([{ attempt: 1, error: { name: "TimeoutError" } }]);
});

test("4.1 retry: a cancelled task is not retried", async () => {
  const app = stage.open();
  let attempts = 0;
  const task = app.spawn(
    "a",
    (self) => {
      attempts++;
      return self.sleep("1h");
    },
    { retry: { attempts: 5, ...everySecond } },
  );
  await turn();
  expect((await task.cancel()).state).toBe("cancelled");
  await stage.clock.advance("1m");
  expect(attempts).toBe(1);
});

test("4.1 retry: a cancelled task whose clean-up fails is not retried either", async () => {
  const app = stage.open("app", { onError: () => {} });
  let attempts = 0;
  const task = app.spawn(
    "a",
    async (self) => {
      attempts++;
      await rejection(self.sleep("1h"));
      throw new Error("clean-up broke");
    },
    { retry: { attempts: 5, ...everySecond } },
  );
  await turn();
  expect((await task.cancel()).state).toBe("failed");
  await stage.clock.advance("1m");
  expect(attempts).toBe(1);
});

test("4.1 retry: in back-off the state is retrying", async () => {
  const app = stage.open();
  const lines = journal(app, "start", "retry", "end");
  const task = app.spawn("a", (self) => (self.attempt === 1 ? Promise.reject(new Error("x")) : "second"), {
    retry: { attempts: 2, ...everySecond },
  });
  await turn();
  expect(task.state).toBe("retrying");
  await stage.clock.advance("1s");
  expect(await task).toBe("second");
  expect(lines).toEqual(["start a", "retry a", "start a", "end a"]);
});

test("4.1 retry: an abandoned attempt's error says so", async () => {
  const app = stage.open();
  const task = app.spawn("a", () => new Promise(() => {}), {
    timeout: "1s",
    grace: "1s",
    retry: { attempts: 2 },
  });
  const error = rejection(task);
  await stage.clock.advance("2s");
  expect(await error).toBeInstanceOf(TaskAbandonedError);
});

test("4.1 retry: a deadline ends the back-off too", async () => {
  const app = stage.open();
  const task = app.spawn("a", () => Promise.reject(new Error("x")), {
    deadline: "1500ms",
    retry: { attempts: 9, ...everySecond },
  });
  const error = rejection(task);
  await stage.clock.advance("1499ms");
  expect(task.state).toBe("retrying");
  await stage.clock.advance("1ms");
  expect(await error).toBeInstanceOf(TaskTimeoutError);
});
