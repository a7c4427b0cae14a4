import { AsyncLocalStorage } from "node:async_hooks";
import { expect, test } from "vitest";
import { ScopeClosedError, spawn, type Scope, type Task, type TaskContext } from "../../src/core/index.ts";
import {
  deferred,
  journal,
  rejection,
  stubborn,
  thrown,
  track,
  turn,
  untilTimers,
  useStage,
} from "./stage.ts";

const stage = useStage();

/** Calls a function outside of any task. */
const fromOutside = AsyncLocalStorage.snapshot();

test("4.2 Draining: draining aborts, signal does not", async () => {
  const app = stage.open();
  let context: TaskContext | undefined;
  const aborts: string[] = [];
  app.scope("inner").spawn("a", async (task) => {
    context = task;
    task.draining.addEventListener("abort", () => aborts.push(`draining at ${stage.now()}`));
    task.signal.addEventListener("abort", () => aborts.push(`signal at ${stage.now()}`));
    await task.sleep("1h");
  });
  await turn();
  expect(context?.draining.aborted).toBe(false);
  const closing = app.close({ drain: "2s" });
  // Heard before anybody looks.
  expect(aborts).toEqual(["draining at 0"]);
  expect(context?.draining.aborted).toBe(true);
  expect(context?.signal.aborted).toBe(false);
  await stage.clock.advance("2s");
  await closing;
  expect(aborts).toEqual(["draining at 0", "signal at 2000"]);
});

test("4.2 Draining: a task that started while it drains finds draining aborted already", async () => {
  const app = stage.open("app", { concurrency: 1 });
  app.spawn("first", (task) => task.sleep("1s"));
  let aborted = false;
  app.spawn("queued", (task) => {
    aborted = task.draining.aborted;
  });
  await turn();
  const closing = app.close({ drain: "10s" });
  await stage.clock.advance("1s");
  await closing;
  expect(aborted).toBe(true);
});

test("4.2 Draining: every() iterators end", async () => {
  const app = stage.open();
  const task = app.spawn("a", async (self) => {
    let ticks = 0;
    for await (const _ of self.every("1s")) ticks++;
    return ticks;
  });
  await stage.clock.advance("2500ms");
  await app.close({ drain: "10s" });
  expect(await task).toBe(2);
  expect(stage.now()).toBe(2500);
});

test("4.2 Draining: delays, back-offs and schedules not yet due are cancelled", async () => {
  const app = stage.open();
  let runs = 0;
  const delayed = app.spawn("delayed", () => void runs++, { delay: "1s" });
  const flaky = app.spawn("flaky", () => Promise.reject(new Error("x")), {
    retry: { attempts: 2, kind: "constant", min: "1s", jitter: "none" },
  });
  const schedule = app.every("tick", "1s", () => void runs++);
  const cron = app.cron("c", "* * * * *", () => void runs++);
  await turn();
  expect(flaky.state).toBe("retrying");
  const report = await app.close({ drain: "10m" });
  expect(stage.now()).toBe(0);
  expect([delayed.state, flaky.state]).toEqual(["cancelled", "cancelled"]);
  expect([schedule.state, cron.state]).toEqual(["cancelled", "cancelled"]);
  expect(report).toMatchObject({ cancelled: 4, failed: 0, abandoned: [] });
  for (const task of [delayed, flaky, schedule, cron])
    expect(await task.outcome()).toMatchObject({ reason: { source: "drain", by: "app" } });
  expect(runs).toBe(0);
});

test("4.2 Draining: an attempt that fails while its scope drains is not tried again", async () => {
  const app = stage.open();
  let attempts = 0;
  const task = app.spawn(
    "flaky",
    async (self) => {
      attempts++;
      await self.sleep("1s");
      throw new Error("x");
    },
    { retry: { attempts: 3, kind: "constant", min: "1s", jitter: "none" } },
  );
  void task.outcome();
  await turn();
  const closing = app.close({ drain: "1h" });
  await stage.clock.advance("1s");
  await closing;
  expect(attempts).toBe(1);
  expect(task.state).not.toBe("succeeded");
});

test("4.2 Draining: a tick that runs is finished, and no other follows", async () => {
  const app = stage.open();
  const log: string[] = [];
  app.every("tick", "1s", async (task) => {
    log.push(`began at ${stage.now()}`);
    await task.sleep("3s");
    log.push(`ended at ${stage.now()}`);
  });
  await stage.clock.advance("1s");
  const closing = app.close({ drain: "10s" });
  await stage.clock.advance("3s");
  await closing;
  expect(log).toEqual(["began at 1000", "ended at 4000"]);
});

test.each([true, false])(
  "4.2 Draining: a schedule whose tick runs is cancelled when that has finished (context: %s)",
  async (context) => {
    const app = stage.open("app", { context });
    const inner = app.scope("inner");
    const schedules = [
      inner.every("tick", "1s", (task) => task.sleep("3s"), { overlap: "queue" }),
      inner.cron("minutely", "* * * * * *", (task) => task.sleep("3s"), { overlap: "allow" }),
      inner.every("flaky", "1s", () => Promise.reject(new Error("again")), {
        retry: { attempts: 2, kind: "constant", min: "1h", jitter: "none" },
      }),
    ];
    await untilTimers(stage.clock, 3);
    await stage.clock.advance("1s");
    const closing = app.close({ drain: "1h", reason: "deploy" });
    await stage.clock.advance("2s");
    expect(schedules.map((schedule) => schedule.state)).toEqual(["running", "running", "cancelled"]);
    await stage.clock.advance("1s");
    // Each with its runs; the retry in back-off was not due either.
    expect(await closing).toMatchObject({ succeeded: 2, cancelled: 4, failed: 0 });
    for (const schedule of schedules) {
      expect(await schedule.outcome()).toMatchObject({
        state: "cancelled",
        reason: { source: "drain", by: "app", reason: "deploy" },
      });
    }
  },
);

test("4.2 Draining: a schedule that a task starts while its scope drains is cancelled", async () => {
  const app = stage.open();
  let schedule: Task<void> | undefined;
  app.spawn("a", async (self) => {
    await self.sleep("1s");
    schedule = app.every("tick", "1s", () => expect.unreachable("no tick is due"));
    await self.sleep("5s");
  });
  await turn();
  const closing = app.close({ drain: "10s" });
  await stage.clock.advance("6s");
  await closing;
  expect(await schedule?.outcome()).toMatchObject({ state: "cancelled", reason: { source: "drain" } });
});

test("4.2 Draining: queued tasks still run", async () => {
  const app = stage.open("app", { concurrency: 1 });
  const ran: string[] = [];
  const tasks = ["a", "b", "c"].map((name) =>
    app.spawn(name, async (task) => {
      await task.sleep("1s");
      ran.push(name);
    }),
  );
  await turn();
  const closing = app.close({ drain: "10s" });
  await stage.clock.advance("3s");
  expect(await closing).toMatchObject({ succeeded: 3, cancelled: 0 });
  expect(ran).toEqual(["a", "b", "c"]);
  expect(tasks.map((task) => task.state)).toEqual(["succeeded", "succeeded", "succeeded"]);
});

test("4.2 Draining: new tasks are accepted where the caller's current task is alive inside the draining scope", async () => {
  const app = stage.open();
  const inner = app.scope("inner");
  const made: Task<string>[] = [];
  inner.spawn("a", async (self) => {
    await self.sleep("1s");
    made.push(
      self.spawn("child", () => "child"),
      spawn("ambient", () => "ambient"),
      self.scope.spawn("beside", () => "beside"),
      app.spawn("above", () => "above"),
    );
  });
  await turn();
  const closing = app.close({ drain: "10s" });
  await stage.clock.advance("1s");
  expect(await closing).toMatchObject({ succeeded: 5, cancelled: 0 });
  expect(await Promise.all(made)).toEqual(["child", "ambient", "beside", "above"]);
});

const orders: [string, (app: Scope, inner: Scope) => Promise<unknown>[]][] = [
  ["the inner one first", (app, inner) => [inner.close({ drain: "10s" }), app.close({ drain: "10s" })]],
  ["the outer one first", (app, inner) => [app.close({ drain: "10s" }), inner.close({ drain: "10s" })]],
];

test.each(orders)(
  "4.2 Draining: ... inside the outermost, where a scope drains in one that drains: %s",
  async (_name, close) => {
    const app = stage.open();
    const inner = app.scope("inner");
    inner.spawn("holds the drain", (self) => self.sleep("2s"));
    const beside = app.spawn("beside", async (self) => {
      await self.sleep("1s");
      return await inner.spawn("x", () => "taken");
    });
    await turn();
    const closing = close(app, inner);
    await stage.clock.advance("2s");
    expect(await beside).toBe("taken");
    await Promise.all(closing);
  },
);

test.each([true, false])(
  "4.2 Draining: ... so a map that runs takes its further items (context: %s)",
  async (context) => {
    const app = stage.open("app", { context });
    const map = app.map(
      "m",
      [1, 2, 3, 4, 5],
      async (item, task) => {
        await task.sleep("1s");
        return item;
      },
      { concurrency: 2 },
    );
    void map.outcome();
    await stage.clock.advance(500);
    const closing = app.close({ drain: "10s" });
    await stage.clock.advance("10s");
    await closing;
    expect(await map.outcome()).toEqual({ state: "succeeded", value: [1, 2, 3, 4, 5] });
  },
);

test("4.2 Draining: ... and who waits for room inside the draining scope still gets it", async () => {
  const app = stage.open();
  const bounded = app.scope("bounded", { concurrency: 1, queue: 0 });
  const ran: number[] = [];
  const producer = app.spawn("producer", async () => {
    for (let item = 1; item <= 3; item++) {
      await bounded.untilRoom();
      bounded.spawn("item", async (task) => {
        await task.sleep("1s");
        ran.push(item);
      });
    }
  });
  void producer.outcome();
  await stage.clock.advance(500);
  const room = track(bounded.untilRoom());
  const closing = app.close({ drain: "10s" });
  const later = track(bounded.untilRoom());
  await stage.clock.advance("10s");
  await closing;
  expect(ran).toEqual([1, 2, 3]);
  expect(producer.state).toBe("succeeded");
  for (const outside of [room, later]) {
    expect(outside.state).toBe("rejected");
    expect(outside.value).toBeInstanceOf(ScopeClosedError);
  }
});

/** How a group may come to begin while its scope drains. */
const lateGroups: readonly [string, (task: TaskContext, body: (group: Scope) => unknown) => unknown][] = [
  ["queued before", (task, body) => task.scope.group("late", body).outcome()],
  ["spawned during it", (task, body) => task.sleep("1s").then(() => task.group("late", body).outcome())],
];

test.each(lateGroups)(
  "4.2 Draining: a group that begins while its scope drains (%s) begins as draining",
  async (_, begin) => {
    const app = stage.open("app", { concurrency: 1 });
    const lines = journal(app, "state");
    const { body, seen } = lateGroup();
    app.spawn("first", async (task) => {
      void begin(task, body);
      await task.sleep("2s");
    });
    await turn();
    const closing = app.close({ drain: "10s", reason: "deploy" });
    await stage.clock.advance("3s");
    await closing;
    expect(seen).toEqual(["draining", true, "deploy", "refused", "no more ticks", "boom 1"]);
    expect(lines[1]).toMatch(/late draining$/);
  },
);

test("4.2 Draining: ... and so does one that begins in a shield when the drain is over", async () => {
  const app = stage.open();
  const { body, seen } = lateGroup();
  app.spawn("first", async (task) => {
    const stop = await rejection(task.sleep("1h"));
    await task.shield(() => task.group("late", body).outcome());
    throw stop;
  });
  await turn();
  const closing = app.close({ drain: "1s", reason: "deploy" });
  await stage.clock.advance("2s");
  await closing;
  expect(seen).toEqual(["draining", true, "deploy", "refused", "no more ticks", "boom 1"]);
});

/** The body of a group that looks at what a drain means for it, and at what it saw. */
function lateGroup(): { body: (group: Scope) => Promise<void>; seen: unknown[] } {
  const seen: unknown[] = [];
  let attempts = 0;
  const retry = { attempts: 2, kind: "constant", min: 0, jitter: "none" } as const;
  const body = async (group: Scope): Promise<void> => {
    seen.push(group.state, group.draining.aborted, group.draining.reason);
    const refusal = fromOutside(() => thrown(() => group.spawn("stranger", () => undefined)));
    seen.push(refusal instanceof ScopeClosedError && "refused");
    await group.spawn("ticks", async (task) => {
      for await (const tick of task.every("10ms")) seen.push(tick);
      seen.push("no more ticks");
    });
    await group.spawn("parent", async (task) => {
      const flaky = task.spawn("flaky", () => Promise.reject(new Error(`boom ${++attempts}`)), { retry });
      seen.push(((await rejection(flaky)) as Error).message);
    });
  };
  return { body, seen };
}

test("4.2 Draining: others get ScopeClosedError", async () => {
  const app = stage.open();
  const inner = app.scope("inner");
  const outsider = stage.open("elsewhere").spawn("outsider", async (task) => {
    await task.sleep("1s");
    return [thrown(() => app.spawn("x", () => {})), thrown(() => inner.spawn("x", () => {}))];
  });
  app.spawn("holds the drain", (task) => task.sleep("2s"));
  await turn();
  const closing = app.close({ drain: "10s" });
  const errors = [
    thrown(() => app.spawn("x", () => {})),
    thrown(() => inner.spawn("x", () => {})),
    thrown(() => app.group("x", () => {})),
    thrown(() => app.map("x", [1], () => {})),
    thrown(() => app.service("x", () => {})),
    thrown(() => app.every("x", "1s", () => {})),
    thrown(() => app.cron("x", "* * * * *", () => {})),
    thrown(() => app.scope("x")),
  ];
  await stage.clock.advance("1s");
  errors.push(...(await outsider));
  for (const error of errors) {
    expect(error).toBeInstanceOf(ScopeClosedError);
    expect((error as Error).message).toContain("app");
  }
  await stage.clock.advance("1s");
  expect(await closing).toMatchObject({ succeeded: 1 });
});

test("4.2 Draining: a draining child scope does not close its parent to others", async () => {
  const app = stage.open();
  const inner = app.scope("inner");
  inner.spawn("a", (task) => task.sleep("1s"));
  await turn();
  const closing = inner.close({ drain: "10s" });
  expect(await app.spawn("b", () => "fine")).toBe("fine");
  expect(thrown(() => inner.spawn("x", () => {}))).toBeInstanceOf(ScopeClosedError);
  await stage.clock.advance("1s");
  await closing;
});

test("4.2 Draining: when only services are left, all are cancelled", async () => {
  const app = stage.open();
  const service = app.service("s", (task) => task.sleep("365d"));
  const work = app.spawn("work", (task) => task.sleep("1s"));
  await turn();
  const closing = app.close({ drain: "20s" });
  await stage.clock.advance("999ms");
  expect(service.state).toBe("running");
  await stage.clock.advance("1ms");
  await closing;
  expect([work.state, service.state]).toEqual(["succeeded", "cancelled"]);
  expect(stage.now()).toBe(1000);
});

test("4.2 Draining: when drain is over, all are cancelled", async () => {
  const app = stage.open("app", { concurrency: 1 });
  const running = app.spawn("running", (task) => task.sleep("1h"));
  const queued = app.spawn("queued", () => {});
  await turn();
  const closing = app.close({ drain: "2s", reason: "time is up" });
  await stage.clock.advance("2s");
  await closing;
  expect([running.state, queued.state]).toEqual(["cancelled", "cancelled"]);
  expect(await rejection(running)).toMatchObject({ source: "scope", reason: "time is up" });
});

test("4.2 Draining: with nothing to wait for it closes at once", async () => {
  const app = stage.open();
  const report = await app.close({ drain: "1h" });
  expect(report).toMatchObject({ ms: 0, succeeded: 0, cancelled: 0 });
});

test("4.2 Draining: a task abandoned during the drain does not hold it", async () => {
  const app = stage.open();
  const { run, release } = stubborn();
  const task = app.spawn("stubborn", run, { grace: "1s" });
  void task.outcome();
  await turn();
  const closing = track(app.close({ drain: "1h" }));
  void task.cancel();
  await stage.clock.advance("1s");
  expect(closing).toMatchObject({ state: "fulfilled", value: { abandoned: [{ name: "stubborn" }] } });
  release();
});

test("4.2 Draining: a task of a callback that outlived its own task is refused", async () => {
  const app = stage.open();
  const gate = deferred();
  let error: unknown;
  await app.spawn("a", () => {
    void gate.promise.then(() => (error = thrown(() => app.spawn("x", () => {}))));
  });
  app.spawn("holds the drain", (task) => task.sleep("1s"));
  await turn();
  const closing = app.close({ drain: "10s" });
  gate.resolve();
  await stage.clock.advance("1s");
  await closing;
  expect(error).toBeInstanceOf(ScopeClosedError);
});

test("4.2 Draining: ... also on another scope inside the one that drains", async () => {
  const app = stage.open();
  const inner = app.scope("inner");
  const beside = app.scope("beside");
  const made: string[] = [];
  const spawnThere = async (task: TaskContext): Promise<void> => {
    await task.sleep("1s");
    made.push(await inner.spawn("down", () => "down"));
  };
  app.spawn("above", spawnThere);
  beside.spawn("next door", spawnThere);
  await turn();
  const closing = app.close({ drain: "10s" });
  await stage.clock.advance("1s");
  expect(await closing).toMatchObject({ succeeded: 4, cancelled: 0 });
  expect(made).toEqual(["down", "down"]);
});
