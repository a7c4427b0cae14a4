import { expect, test } from "vitest";
import {
  ScopeClosedError,
  TaskCancelledError,
  TaskTimeoutError,
  checkpoint,
  shield,
  sleep,
  spawn,
  type Scope,
  type Task,
  type TaskContext,
} from "../../src/core/index.ts";
import { deferred, forever, rejection, thrown, track, turn, useStage } from "./stage.ts";

const stage = useStage();

/** The places at which a cancelled task's wait is rejected. */
const points: [string, (task: TaskContext, other: Task<unknown>) => PromiseLike<unknown>][] = [
  ["sleep", (task) => task.sleep("1h")],
  ["ambient sleep", () => sleep("1h")],
  [
    "every",
    async (task) => {
      for await (const _ of task.every("1h")) break;
    },
  ],
  ["checkpoint", (task) => task.checkpoint()],
  ["ambient checkpoint", () => checkpoint()],
  ["awaiting another Task", (_task, other) => other],
  ["then", (_task, other) => other.then(() => {})],
  ["catch", (_task, other) => other.catch((error: unknown) => Promise.reject(error))],
  ["finally", (_task, other) => other.finally(() => {})],
];

test("4.2 Cancelling is level-triggered, as in Trio: every wait after the cancel rejects, not only the first", async () => {
  const app = stage.open();
  const seen: unknown[] = [];
  const task = app.spawn("a", async (self) => {
    for (let n = 0; n < 3; n++) seen.push(await rejection(self.sleep("1s")));
  });
  await turn();
  const cancelled = task.cancel();
  await cancelled;
  expect(seen).toHaveLength(3);
  for (const error of seen) expect(error).toBeInstanceOf(TaskCancelledError);
  expect(stage.now()).toBe(0);
});

test("4.2 Cancelling: signal.reason is this task's TaskCancelledError", async () => {
  const app = stage.open();
  let child: Task<never> | undefined;
  let thrownBySleep: unknown;
  const reasons: unknown[] = [];
  const task = app.spawn("parent", async (self) => {
    child = self.spawn(
      "child",
      async (inner) => {
        inner.signal.addEventListener("abort", () => reasons.push(inner.signal.reason));
        return forever();
      },
      { grace: 0 },
    );
    self.signal.addEventListener("abort", () => reasons.push(self.signal.reason));
    thrownBySleep = await rejection(self.sleep("1h"));
    throw thrownBySleep;
  });
  await turn();
  const ending = task.cancel("enough");
  await stage.clock.advance("1s");
  await ending;
  expect(reasons).toHaveLength(2);
  const own = reasons.find((reason) => reason instanceof TaskCancelledError && reason.path === "app/parent");
  const childs = reasons.find(
    (reason) => reason instanceof TaskCancelledError && reason.path === "app/parent/child",
  );
  expect(own).toMatchObject({ source: "task", reason: "enough" });
  expect(thrownBySleep).toBe(own);
  expect(task.signal.reason).toBe(own);
  expect(childs).toMatchObject({ source: "parent", by: "app/parent" });
  expect(child?.state).toBe("abandoned");
  expect(stage.takeReports()).toHaveLength(1);
});

test("4.2 Cancelling: signal.reason is this task's TaskTimeoutError", async () => {
  const app = stage.open();
  let reason: unknown;
  const task = app.spawn(
    "slow",
    async (self) => {
      self.signal.addEventListener("abort", () => (reason = self.signal.reason));
      await self.sleep("1h");
    },
    { timeout: "1s" },
  );
  const error = rejection(task);
  await stage.clock.advance("1s");
  expect(await error).toBe(reason);
  expect(reason).toBeInstanceOf(TaskTimeoutError);
  expect(reason).toMatchObject({ path: "app/slow", ms: 1000 });
});

test.each(points)(
  "4.2 Cancelling: from then on %s rejects at once, also in finally",
  async (_name, point) => {
    const app = stage.open();
    const other = app.spawn("other", () => forever(), { grace: 0 });
    void other.outcome();
    const log: unknown[] = [];
    const task = app.spawn("a", async (self) => {
      try {
        await rejection(self.sleep("1h"));
        log.push(await rejection(point(self, other)));
        log.push(await rejection(point(self, other)));
      } finally {
        log.push(await rejection(point(self, other)));
      }
      throw self.signal.reason;
    });
    await turn();
    expect((await task.cancel()).state).toBe("cancelled");
    expect(log).toEqual([task.signal.reason, task.signal.reason, task.signal.reason]);
    expect(stage.now()).toBe(0);
    expect(other.state).toBe("running");
  },
);

test.each(points.filter(([name]) => !name.includes("checkpoint")))(
  "4.2 Cancelling: %s that is pending rejects at once",
  async (_name, point) => {
    const app = stage.open();
    const other = app.spawn("other", () => forever(), { grace: 0 });
    void other.outcome();
    const task = app.spawn("a", async (self) => {
      await point(self, other);
    });
    await turn();
    const error = rejection(task);
    expect((await task.cancel()).state).toBe("cancelled");
    expect(await error).toBe(task.signal.reason);
    expect(stage.now()).toBe(0);
    expect(other.state).toBe("running");
  },
);

test("4.2 Cancelling: throwIfCancelled throws the cancellation, before it nothing", async () => {
  const app = stage.open();
  const task = app.spawn("a", async (self) => {
    self.throwIfCancelled();
    await rejection(self.sleep("1h"));
    const error = thrown(() => self.throwIfCancelled());
    expect(error).toBe(self.signal.reason);
    throw error;
  });
  await turn();
  expect((await task.cancel()).state).toBe("cancelled");
});

test("4.2 Cancelling: clean-up that must await those goes into shield", async () => {
  const app = stage.open();
  const log: string[] = [];
  const task = app.spawn("a", async (self) => {
    try {
      await self.sleep("1h");
    } finally {
      await shield(async () => {
        await sleep("1s");
        log.push(await spawn("farewell", () => "said goodbye"));
      });
    }
  });
  await turn();
  const ending = task.cancel();
  await stage.clock.advance("1s");
  expect((await ending).state).toBe("cancelled");
  expect(log).toEqual(["said goodbye"]);
  expect(stage.now()).toBe(1000);
});

test("4.2 Cancelling: the awaiter's wait is rejected with the awaiter's error, the awaited task is untouched", async () => {
  const app = stage.open();
  const gate = deferred<string>();
  const awaited = app.spawn("awaited", () => gate.promise);
  let error: unknown;
  const awaiter = app.spawn("awaiter", async () => {
    error = await rejection(awaited);
    throw error;
  });
  await turn();
  await awaiter.cancel("mine");
  expect(error).toBeInstanceOf(TaskCancelledError);
  expect(error).toMatchObject({ path: "app/awaiter", reason: "mine" });
  expect(awaited.state).toBe("running");
  gate.resolve("fine");
  expect(await awaited).toBe("fine");
});

test("4.2 Cancelling: ... unless it is a child: the awaited child is cancelled with its parent", async () => {
  const app = stage.open();
  let child: Task<void> | undefined;
  const parent = app.spawn("parent", async (task) => {
    child = task.spawn("child", (inner) => inner.sleep("1h"));
    await child;
  });
  await turn();
  expect((await parent.cancel()).state).toBe("cancelled");
  expect(child?.state).toBe("cancelled");
});

test("4.2 Cancelling: outcome() and cancel() are not cancellation points: a finally may await them", async () => {
  const app = stage.open();
  const gate = deferred<string>();
  const first = app.spawn("first", () => gate.promise);
  const second = app.spawn("second", async (self) => {
    await rejection(self.sleep("1h"));
    await self.shield(() => self.sleep("1s"));
    throw self.signal.reason;
  });
  const log: unknown[] = [];
  const task = app.spawn("a", async (self) => {
    try {
      await self.sleep("1h");
    } finally {
      log.push((await second.cancel()).state);
      log.push(await first.outcome());
    }
  });
  await turn();
  const ending = track(task.cancel());
  await stage.clock.advance("1s");
  expect(log).toEqual(["cancelled"]);
  expect(ending.state).toBe("pending");
  gate.resolve("value");
  await turn();
  expect(log).toEqual(["cancelled", { state: "succeeded", value: "value" }]);
  expect(ending).toMatchObject({ state: "fulfilled", value: { state: "cancelled" } });
});

const spawners: [string, (task: TaskContext) => unknown][] = [
  ["task.spawn", (task) => task.spawn("late", () => {})],
  ["task.group", (task) => task.group("late", () => {})],
  ["task.map", (task) => task.map("late", [1], () => {})],
  ["ambient spawn", () => spawn("late", () => {})],
];

test.each(spawners)(
  "4.2 Cancelling: %s from a task that is cancelling throws ScopeClosedError with the cancellation as its cause",
  async (_name, start) => {
    const app = stage.open();
    let error: unknown;
    const task = app.spawn("a", async (self) => {
      await rejection(self.sleep("1h"));
      error = thrown(() => start(self));
      throw self.signal.reason;
    });
    await turn();
    await task.cancel();
    expect(error).toBeInstanceOf(ScopeClosedError);
    expect(error).toMatchObject({ cause: task.signal.reason });
    expect((error as Error).message).toContain("app/a");
  },
);

test.each(spawners)(
  "4.2 Cancelling: %s from a task that is cancelling is allowed in a shield",
  async (_name, start) => {
    const app = stage.open();
    let child: unknown;
    const task = app.spawn("a", async (self) => {
      await rejection(self.sleep("1h"));
      await self.shield(async () => {
        child = start(self);
        await (child as Task<unknown>);
      });
    });
    await turn();
    await task.cancel();
    expect(child).toMatchObject({ state: "succeeded" });
  },
);

test.each([
  ["a group's scope in its body", (app: Scope, run: (scope: Scope) => unknown) => app.group("a", run)],
  [
    "its own scope that closes",
    (app: Scope, run: (scope: Scope) => unknown) => app.spawn("a", () => run(app)),
  ],
])(
  "4.2 Cancelling: spawning on %s from a task that is cancelling, too, has the cancellation as its cause",
  async (_name, start) => {
    const app = stage.open();
    let error: unknown;
    const task = start(app, async (scope) => {
      await rejection(sleep("1h"));
      error = thrown(() => scope.spawn("late", () => {}));
      throw error;
    });
    await turn();
    await app.cancel("why");
    expect(error).toBeInstanceOf(ScopeClosedError);
    expect(error).toMatchObject({ cause: task.signal.reason });
    expect(task.signal.reason).toBeInstanceOf(TaskCancelledError);
    expect(task.state).toBe("cancelled");
  },
);

test("4.2 Cancelling: spawning after a timeout throws ScopeClosedError with the timeout as its cause", async () => {
  const app = stage.open();
  let error: unknown;
  const task = app.spawn(
    "a",
    async (self) => {
      await rejection(self.sleep("1h"));
      error = thrown(() => self.spawn("late", () => {}));
      throw error;
    },
    { timeout: "1s" },
  );
  void task.outcome();
  await stage.clock.advance("1s");
  expect(error).toBeInstanceOf(ScopeClosedError);
  expect((error as Error).cause).toBeInstanceOf(TaskTimeoutError);
});

test("4.2 Cancelling: a scope that is none of its own stays open to a task that is cancelling", async () => {
  const app = stage.open();
  const elsewhere = app.scope("elsewhere");
  let other: Task<string> | undefined;
  const task = app.spawn("a", async (self) => {
    await rejection(self.sleep("1h"));
    other = elsewhere.spawn("compensate", () => "compensated");
  });
  await turn();
  await task.cancel();
  expect(await other).toBe("compensated");
});

test("4.2 Cancelling: ctx.signal is that of the attempt; Task.signal aborts only when the whole task is cancelled", async () => {
  const app = stage.open();
  const signals: AbortSignal[] = [];
  const task = app.spawn(
    "a",
    async (self) => {
      signals.push(self.signal);
      await self.sleep("1h");
    },
    { timeout: "1s", retry: { attempts: 3, kind: "constant", min: "1s", jitter: "none" } },
  );
  const { signal } = task;
  await stage.clock.advance("2s");
  await turn();
  expect(signals).toHaveLength(2);
  expect(signals[0]?.aborted).toBe(true);
  expect(signals[0]?.reason).toBeInstanceOf(TaskTimeoutError);
  expect(signals[1]?.aborted).toBe(false);
  expect(signal.aborted).toBe(false);
  await task.cancel("all of it");
  expect(signals[1]?.aborted).toBe(true);
  expect(signal.aborted).toBe(true);
  expect(signals[1]?.reason).toBe(signal.reason);
  expect(task.signal).toBe(signal);
});

test("4.2 Cancelling: a signal first read after the cancel is aborted already", async () => {
  const app = stage.open();
  let aborted = false;
  const task = app.spawn("a", async (self) => {
    await rejection(self.sleep("1h"));
    aborted = self.signal.aborted;
    throw self.signal.reason;
  });
  await turn();
  await task.cancel();
  expect(aborted).toBe(true);
  expect(task.signal.aborted).toBe(true);
});

test("4.2 Cancelling: a loop of checkpoints is stopped by a cancel", async () => {
  const app = stage.open();
  let loops = 0;
  const task = app.spawn("loop", async (self) => {
    for (;;) {
      loops++;
      await self.checkpoint();
    }
  });
  await turn();
  await turn();
  expect((await task.cancel()).state).toBe("cancelled");
  expect(loops).toBeGreaterThan(0);
});
