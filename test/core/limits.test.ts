import { expect, test } from "vitest";
import { QueueFullError, TaskCancelledError, type Task, type TaskContext } from "../../src/core/index.ts";
import { deferred, rejection, thrown, track, turn, useStage } from "./stage.ts";

const stage = useStage();

test("4.2 Limits: concurrency bounds what runs directly in a scope, in the order of spawn", async () => {
  const app = stage.open("app", { concurrency: 2 });
  const log: string[] = [];
  const tasks = ["a", "b", "c", "d"].map((name) =>
    app.spawn(name, async (task) => {
      log.push(`${name} at ${stage.now()}`);
      await task.sleep("1s");
    }),
  );
  await turn();
  expect(tasks.map((task) => task.state)).toEqual(["running", "running", "waiting", "waiting"]);
  expect(app.stats()).toMatchObject({ live: 4, waiting: 2 });
  await stage.clock.advance("2s");
  expect(log).toEqual(["a at 0", "b at 0", "c at 1000", "d at 1000"]);
});

test("4.2 Limits: ... not in its child scopes", async () => {
  const app = stage.open("app", { concurrency: 1 });
  const gate = deferred();
  app.spawn("holder", () => gate.promise);
  const inner = app.scope("inner");
  expect(await Promise.all([inner.spawn("x", () => 1), inner.spawn("y", () => 2)])).toEqual([1, 2]);
  gate.resolve();
});

test("4.2 Limits: a slot is held from spawn on", async () => {
  const app = stage.open("app", { concurrency: 1, queue: 0 });
  const first = app.spawn("first", () => "first");
  expect(thrown(() => app.spawn("second", () => {}))).toBeInstanceOf(QueueFullError);
  expect(await first).toBe("first");
  expect(await app.spawn("third", () => "third")).toBe("third");
});

const endings: [string, (task: TaskContext) => unknown][] = [
  ["success", () => turn()],
  ["failure", () => Promise.reject(new Error("boom"))],
  ["cancellation", (task) => task.sleep("1h")],
];

test.each(endings)("4.2 Limits: a slot is freed by %s, exactly once", async (_name, end) => {
  const app = stage.open("app", { concurrency: 1, onError: () => {} });
  const gate = deferred();
  let live = 0;
  let most = 0;
  const count = async (): Promise<void> => {
    most = Math.max(most, ++live);
    await turn();
    live--;
  };
  const first = app.spawn("first", async (task) => {
    await gate.promise;
    await end(task);
  });
  const rest = Array.from({ length: 5 }, () => app.spawn("rest", count));
  await turn();
  gate.resolve();
  void first.cancel();
  void first.cancel();
  await first.outcome();
  void first.cancel();
  await Promise.all(rest);
  expect(most).toBe(1);
});

test("4.2 Limits: queue bounds what waits. Full: spawn throws QueueFullError at once (reject)", async () => {
  const app = stage.open("app", { concurrency: 1, queue: 2, onFull: "reject" });
  const gate = deferred();
  app.spawn("running", () => gate.promise);
  app.spawn("waiting", () => {});
  app.spawn("waiting", () => {});
  const error = thrown(() => app.spawn("one too many", () => {}));
  expect(error).toBeInstanceOf(QueueFullError);
  expect(error).toMatchObject({ code: "HF_QUEUE_FULL", path: "app" });
  expect((error as Error).message).toContain("one too many");
  expect(app.stats().spawned).toBe(3);
  gate.resolve();
  await app.untilIdle();
});

test("4.2 Limits: ... reject is the default", () => {
  const app = stage.open("app", { concurrency: 1, queue: 0 });
  app.spawn("running", (task) => task.sleep("1s"));
  expect(thrown(() => app.spawn("second", () => {}))).toBeInstanceOf(QueueFullError);
});

test("4.2 Limits: ... or the oldest waiting task is cancelled (drop-oldest)", async () => {
  const app = stage.open("app", { concurrency: 1, queue: 2, onFull: "drop-oldest" });
  const gate = deferred();
  const ran: string[] = [];
  const running = app.spawn("running", () => gate.promise);
  const waiting = ["one", "two", "three"].map((name) => app.spawn(name, () => void ran.push(name)));
  const dropped = await rejection(waiting[0] as Task<void>);
  expect(dropped).toBeInstanceOf(TaskCancelledError);
  expect(dropped).toMatchObject({ source: "queue", path: "app/one" });
  expect(running.state).toBe("running");
  gate.resolve();
  await app.untilIdle();
  expect(ran).toEqual(["two", "three"]);
});

test("4.2 Limits: room is asked for at spawn: delayed or not, a task is refused where there is none", () => {
  const app = stage.open("app", { concurrency: 1, queue: 0 });
  app.spawn("running", (task) => task.sleep("1s"));
  expect(thrown(() => app.spawn("later", () => {}, { delay: "1h" }))).toBeInstanceOf(QueueFullError);
});

test("4.2 Limits: ... one that was accepted takes no place during its delay, and is not refused after it", async () => {
  const app = stage.open("app", { concurrency: 1, queue: 0 });
  const starts: [string, number][] = [];
  const run = async (task: TaskContext): Promise<void> => {
    starts.push([task.name, stage.now()]);
    await task.sleep("10s");
  };
  app.spawn("one", run, { delay: "1s" });
  app.spawn("two", run, { delay: "1s" });
  // Neither holds the slot yet.
  app.spawn("now", run);
  await stage.clock.advance("5s");
  expect(starts).toEqual([["now", 0]]);
  // Both wait for it by now, more than may.
  expect(thrown(() => app.spawn("refused", run))).toBeInstanceOf(QueueFullError);
  await stage.clock.advance("30s");
  expect(starts).toEqual([
    ["now", 0],
    ["one", 10_000],
    ["two", 20_000],
  ]);
});

test("4.2 Limits: a waiting task that is cancelled makes room in the queue", async () => {
  const app = stage.open("app", { concurrency: 1, queue: 1 });
  const gate = deferred();
  app.spawn("running", () => gate.promise);
  const waiting = app.spawn("waiting", () => {});
  await waiting.cancel();
  const next = app.spawn("next", () => "ran");
  gate.resolve();
  expect(await next).toBe("ran");
});

test("4.2 Limits: back-pressure is await scope.untilRoom() before spawn", async () => {
  const app = stage.open("app", { concurrency: 2, queue: 1 });
  const starts: number[] = [];
  const producer = (async () => {
    for (let n = 0; n < 7; n++) {
      await app.untilRoom();
      app.spawn(`item${n}`, async (task) => {
        starts.push(stage.now());
        await task.sleep("1s");
      });
    }
  })();
  await stage.clock.advance("4s");
  await producer;
  expect(starts).toEqual([0, 0, 1000, 1000, 2000, 2000, 3000]);
});

test("4.2 Limits: untilRoom resolves at once where there is room, and where nothing is bounded", async () => {
  const app = stage.open();
  await app.untilRoom();
  await app.scope("bounded", { concurrency: 1, queue: 0 }).untilRoom();
});

test("4.2 Limits: several who wait for room all find it, one after the other", async () => {
  const app = stage.open("app", { concurrency: 1, queue: 0 });
  const done: number[] = [];
  const waiters = [1, 2, 3].map(async (n) => {
    await app.untilRoom();
    await app.spawn(`w${n}`, () => void done.push(n));
  });
  await Promise.all(waiters);
  expect(done).toEqual([1, 2, 3]);
});

test("4.2 Limits: limit bounds by key (one endpoint, one tenant)", async () => {
  const app = stage.open();
  const starts: string[] = [];
  const spawn = (name: string, key: string): Task<void> =>
    app.spawn(
      name,
      async (task) => {
        starts.push(`${name} at ${stage.now()}`);
        await task.sleep("1s");
      },
      { limit: { key, concurrency: 1 } },
    );
  spawn("a1", "a");
  spawn("a2", "a");
  spawn("b1", "b");
  await stage.clock.advance("2s");
  expect(starts).toEqual(["a1 at 0", "b1 at 0", "a2 at 1000"]);
});

test("4.2 Limits: limit bounds by key across the scopes of one root", async () => {
  const app = stage.open();
  const limit = { key: "tenant", concurrency: 1 };
  const gate = deferred();
  const first = app.scope("one").spawn("first", () => gate.promise, { limit });
  const second = app.scope("two").spawn("second", () => "second", { limit });
  const elsewhere = stage.open("elsewhere").spawn("third", () => "third", { limit });
  expect(await elsewhere).toBe("third");
  expect(second.state).toBe("waiting");
  gate.resolve();
  await first;
  expect(await second).toBe("second");
});

test("4.2 Limits: limit with a rate: so many starts within any window", async () => {
  const app = stage.open();
  const starts: number[] = [];
  const limit = { key: "api", concurrency: 10, rate: { count: 2, per: "1s" } } as const;
  for (let n = 0; n < 5; n++) app.spawn(`call${n}`, () => void starts.push(stage.now()), { limit });
  await stage.clock.advance("10s");
  await app.untilIdle();
  expect(starts).toEqual([0, 0, 1000, 1000, 2000]);
});

test("4.2 Limits: a task that waits for its key's bound and is cancelled never runs, and passes its turn on", async () => {
  const app = stage.open();
  const limit = { key: "k", concurrency: 1 };
  const gate = deferred();
  app.spawn("first", () => gate.promise, { limit });
  let calls = 0;
  const second = app.spawn("second", () => void calls++, { limit });
  const third = app.spawn("third", () => "third", { limit });
  await second.cancel();
  gate.resolve();
  expect(await third).toBe("third");
  expect(calls).toBe(0);
});

test("4.2 Limits: a child waits for its limit by key like any other task", async () => {
  const app = stage.open();
  const limit = { key: "k", concurrency: 1 };
  const gate = deferred();
  app.spawn("first", () => gate.promise, { limit });
  const child = track(app.spawn("parent", (task) => task.spawn("child", () => "child", { limit })));
  await turn();
  expect(child.state).toBe("pending");
  gate.resolve();
  await turn();
  expect(child).toEqual({ state: "fulfilled", value: "child" });
});

test("4.2 Limits: a retried task holds its slot's place: never more at once than concurrency", async () => {
  const app = stage.open("app", { concurrency: 1 });
  let live = 0;
  let most = 0;
  const run = async (attempt: number): Promise<void> => {
    most = Math.max(most, ++live);
    await turn();
    live--;
    if (attempt < 3) throw new Error("again");
  };
  const retry = { attempts: 3, kind: "constant", min: "1s", jitter: "none" } as const;
  const tasks = [1, 2, 3].map((n) => app.spawn(`t${n}`, (task) => run(task.attempt), { retry }));
  const all = track(Promise.all(tasks));
  for (let round = 0; round < 60 && all.state === "pending"; round++) await stage.clock.advance("1s");
  expect(all.state).toBe("fulfilled");
  expect(most).toBe(1);
});

test("4.2 Limits: a slot is held from spawn on, also over back-off", async () => {
  const app = stage.open("app", { concurrency: 1 });
  const flaky = app.spawn(
    "flaky",
    (self) => (self.attempt === 1 ? Promise.reject(new Error("x")) : "second"),
    { retry: { attempts: 2, kind: "constant", min: "1s", jitter: "none" } },
  );
  const next = app.spawn("next", () => stage.now());
  await turn();
  expect(flaky.state).toBe("retrying");
  expect(next.state).toBe("waiting");
  await stage.clock.advance("1s");
  expect(await next).toBe(1000);
});

test("4.2 Limits: the runs of a schedule are its children, and wait for no slot", async () => {
  const app = stage.open("app", { concurrency: 1 });
  let runs = 0;
  app.every("s", "1s", () => void runs++);
  await stage.clock.advance("3s");
  expect(runs).toBe(3);
});

test("4.2 Limits: a producer that awaits room before each spawn never meets a full queue", async () => {
  const app = stage.open("app", { concurrency: 3, queue: 0 });
  let done = 0;
  app.service("producer", async (self) => {
    for (let n = 0; n < 10; n++) {
      await self.scope.untilRoom();
      self.scope.spawn("job", async (job) => {
        await job.sleep("1s");
        done++;
      });
    }
  });
  await stage.clock.advance("1m");
  expect(done).toBe(10);
});

test("4.3 with every scope closed a rate holds no timer, however long its window", async () => {
  const app = stage.open();
  const limit = { key: "api", concurrency: 1, rate: { count: 1, per: "1d" } } as const;
  await app.spawn("first", () => {}, { limit });
  const second = app.spawn("second", () => {}, { limit });
  await turn();
  await second.cancel();
  await app.close();
  expect(stage.clock.pending).toBe(0);
});

test("4.2 Limits: drop-oldest drops what has waited longest, for a slot or for a bound by key", async () => {
  const app = stage.open("app", { concurrency: 2, queue: 2, onFull: "drop-oldest" });
  const limit = { key: "k", concurrency: 1 };
  const gate = deferred();
  app.spawn("one", () => gate.promise, { limit });
  app.spawn("two", () => gate.promise);
  const byKey = app.spawn("waits for the key", () => {}, { limit });
  const bySlot = app.spawn("waits for a slot", () => {});
  app.spawn("three", () => {});
  expect([byKey.state, bySlot.state]).toEqual(["cancelled", "waiting"]);
  app.spawn("four", () => {});
  expect(bySlot.state).toBe("cancelled");
  gate.resolve();
  await app.untilIdle();
});
