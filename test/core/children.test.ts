import { expect, test } from "vitest";
import {
  ScopeClosedError,
  TaskCancelledError,
  TaskTimeoutError,
  currentTask,
  group,
  spawn,
  type Task,
  type TaskContext,
} from "../../src/core/index.ts";
import { deferred, forever, journal, rejection, stubborn, track, turn, useStage } from "./stage.ts";

const stage = useStage();

const makers: [string, (task: TaskContext) => Task<unknown>][] = [
  ["task.spawn", (task) => task.spawn("child", () => forever(), { grace: 0 })],
  ["task.group", (task) => task.group("child", () => forever(), { grace: 0 })],
  ["task.map", (task) => task.map("child", [1], () => forever(), { grace: 0 })],
  ["ambient spawn", () => spawn("child", () => forever(), { grace: 0 })],
  ["ambient group", () => group("child", () => forever(), { grace: 0 })],
];

test.each(makers)("4.2 Children are made by %s", async (_name, make) => {
  const app = stage.open();
  let child: Task<unknown> | undefined;
  const parent = app.spawn("parent", (task) => {
    child = make(task);
    void child.outcome();
  });
  await turn();
  expect(child?.path).toBe("app/parent/child");
  expect(parent.state).toBe("running");
  expect(parent.info().children).toBe(1);
  expect(app.tree().tasks).toMatchObject([{ name: "parent", tasks: [{ name: "child" }] }]);
  const ending = parent.cancel();
  await stage.clock.advance("1s");
  await ending;
  stage.takeReports();
});

test("4.2 Children: what is spawned on the scope is not a child of the caller", async () => {
  const app = stage.open();
  const gate = deferred();
  let other: Task<void> | undefined;
  const task = app.spawn("a", (self) => {
    other = self.scope.spawn("other", () => gate.promise);
  });
  await task;
  expect(other?.state).toBe("running");
  expect(other?.path).toBe("app/other");
  gate.resolve();
  await other;
});

test("4.2 Children: a child's failure is isolated and delivered", async () => {
  const delivered: [unknown, string][] = [];
  const app = stage.open("app", { onError: (error, task) => delivered.push([error, task.path]) });
  const error = new Error("boom");
  const gate = deferred();
  let sibling: Task<void> | undefined;
  const parent = app.spawn("parent", async (task) => {
    task.spawn("bad", () => {
      throw error;
    });
    sibling = task.spawn("good", () => gate.promise);
    await gate.promise;
    return "fine";
  });
  await turn();
  expect(delivered).toEqual([[error, "app/parent/bad"]]);
  expect(sibling?.state).toBe("running");
  gate.resolve();
  expect(await parent).toBe("fine");
});

test("4.2 Children: if the body throws, live children are cancelled", async () => {
  const app = stage.open();
  const error = new Error("boom");
  let child: Task<void> | undefined;
  const parent = app.spawn("parent", (task) => {
    child = task.spawn("child", (inner) => inner.sleep("1h"));
    throw error;
  });
  expect(await parent.outcome()).toEqual({ state: "failed", error });
  expect(child?.state).toBe("cancelled");
  expect(await rejection(child as Task<void>)).toMatchObject({ source: "parent", by: "app/parent" });
});

test("4.2 Children: if the body throws, it ends only after its children's clean-up", async () => {
  const app = stage.open();
  const parent = app.spawn("parent", async (task) => {
    task.spawn("child", async (inner) => {
      await rejection(inner.sleep("1h"));
      await inner.shield(() => inner.sleep("2s"));
      inner.throwIfCancelled();
    });
    await task.sleep("1s");
    throw new Error("boom");
  });
  const outcome = track(parent.outcome());
  await stage.clock.advance("2999ms");
  expect(outcome.state).toBe("pending");
  await stage.clock.advance("1ms");
  expect(outcome).toMatchObject({ state: "fulfilled", value: { state: "failed" } });
});

test("4.2 Children: if the body throws, nothing more begins in it, neither a timeout nor a shield", async () => {
  const app = stage.open();
  const began: string[] = [];
  const parent = app.spawn("parent", async (self) => {
    self.spawn("child", async (child) => {
      await rejection(child.sleep("1h"));
      await child.shield(() => child.sleep("1s"));
    });
    await turn();
    void gate.promise.then(() => {
      const open = (name: string) => async (): Promise<never> => {
        began.push(name);
        return forever();
      };
      void self.timeout("1h", open("timeout"));
      void self.shield(open("shield"));
    });
    throw new Error("boom");
  });
  const gate = deferred();
  const error = rejection(parent);
  await turn();
  await turn();
  gate.resolve();
  await stage.clock.advance("1s");
  expect(await error).toMatchObject({ message: "boom" });
  expect(began).toEqual([]);
});

test("4.2 Children: if the body is cancelled, live children are cancelled", async () => {
  const app = stage.open();
  let leaf: Task<void> | undefined;
  const parent = app.spawn("parent", async (task) => {
    task.spawn("child", async (child) => {
      leaf = child.spawn("leaf", (inner) => inner.sleep("1h"));
    });
    await task.sleep("1h");
  });
  await turn();
  await parent.cancel();
  expect(leaf?.state).toBe("cancelled");
});

test("4.2 Children: if the body times out, live children are cancelled", async () => {
  const app = stage.open();
  let child: Task<void> | undefined;
  const parent = app.spawn(
    "parent",
    async (task) => {
      child = task.spawn("child", (inner) => inner.sleep("1h"));
      await task.sleep("1h");
    },
    { timeout: "1s" },
  );
  const error = rejection(parent);
  await stage.clock.advance("1s");
  expect(await error).toBeInstanceOf(TaskTimeoutError);
  expect(child?.state).toBe("cancelled");
  const reason = await rejection(child as Task<void>);
  expect(reason).toBeInstanceOf(TaskCancelledError);
  expect(reason).toMatchObject({ source: "deadline", path: "app/parent/child" });
});

test("4.2 Children: if the body returns, they are awaited", async () => {
  const app = stage.open();
  const ends = journal(app, "end");
  const parent = app.spawn("parent", (task) => {
    task.spawn("child", (child) => {
      child.spawn("leaf", (leaf) => leaf.sleep("2s"));
    });
    return "value";
  });
  const outcome = track(parent.outcome());
  await stage.clock.advance("1999ms");
  expect(parent.state).toBe("running");
  expect(outcome.state).toBe("pending");
  await stage.clock.advance("1ms");
  expect(outcome).toEqual({ state: "fulfilled", value: { state: "succeeded", value: "value" } });
  expect(ends).toEqual(["end leaf", "end child", "end parent"]);
});

test("4.2 Children: an attempt's timeout includes its children", async () => {
  const app = stage.open();
  let child: Task<void> | undefined;
  const parent = app.spawn(
    "parent",
    (task) => {
      child = task.spawn("child", (inner) => inner.sleep("1h"));
    },
    { timeout: "1s" },
  );
  const outcome = track(parent.outcome());
  await stage.clock.advance("999ms");
  expect(child?.state).toBe("running");
  await stage.clock.advance("1ms");
  expect(child?.state).toBe("cancelled");
  expect(await rejection(child as Task<void>)).toMatchObject({ source: "deadline" });
  // The body had returned before: as with a cancel, that is success.
  expect(outcome).toMatchObject({ state: "fulfilled", value: { state: "succeeded" } });
});

test("4.2 Children: attempt n + 1 starts after all of attempt n has ended", async () => {
  const app = stage.open();
  const log: string[] = [];
  const parent = app.spawn(
    "parent",
    async (task) => {
      log.push(`attempt ${task.attempt} at ${stage.now()}`);
      const attempt = task.attempt;
      task.spawn("child", async (child) => {
        await rejection(child.sleep("1h"));
        await child.shield(() => child.sleep("2s"));
        log.push(`child of ${attempt} at ${stage.now()}`);
        child.throwIfCancelled();
      });
      await task.sleep("1s");
      throw new Error("boom");
    },
    { retry: { attempts: 2, kind: "constant", min: "1s", jitter: "none" } },
  );
  const error = rejection(parent);
  await stage.clock.advance("1m");
  expect(await error).toMatchObject({ message: "boom" });
  expect(log).toEqual(["attempt 1 at 0", "child of 1 at 3000", "attempt 2 at 4000", "child of 2 at 7000"]);
});

test("4.2 Children: an attempt includes its children: between two attempts neither a timeout nor a shield begins", async () => {
  const app = stage.open();
  let context: TaskContext | undefined;
  const began: string[] = [];
  const flaky = app.spawn(
    "flaky",
    (self) => {
      context = self;
      throw new Error("boom");
    },
    { retry: { attempts: 2, kind: "constant", min: "1m", jitter: "none" } },
  );
  await turn();
  expect(flaky.state).toBe("retrying");
  const begin = (name: string) => async (): Promise<never> => {
    began.push(name);
    return forever();
  };
  const refused = [
    rejection(context?.timeout("1s", begin("timeout")) as Promise<never>),
    rejection(context?.shield(begin("shield")) as Promise<never>),
  ];
  await turn();
  expect(began).toEqual([]);
  for (const error of await Promise.all(refused)) {
    expect(error).toBeInstanceOf(ScopeClosedError);
    expect((error as Error).message).toMatch(/^app\/flaky is between two attempts: no (timeout|shield) can/);
  }
  // Cancelled in back-off it ends on the spot, and leaves nothing.
  await flaky.cancel();
  expect(stage.clock.pending).toBe(0);
});

test("4.2 Children: ... nor does a sleep or a checkpoint, and every() has ended", async () => {
  const app = stage.open();
  let context: TaskContext | undefined;
  const flaky = app.spawn(
    "flaky",
    (self) => {
      context = self;
      throw new Error("boom");
    },
    { retry: { attempts: 2, kind: "constant", min: "1m", jitter: "none" } },
  );
  await turn();
  expect(flaky.state).toBe("retrying");
  const waits = [context?.sleep("30s"), context?.sleep("2m"), context?.checkpoint()];
  const ticked = track(context?.every("30s")[Symbol.asyncIterator]().next() as Promise<unknown>);
  const refused = waits.map((wait) => track(wait as Promise<void>));
  await turn();
  for (const { value } of refused) {
    expect(value).toBeInstanceOf(ScopeClosedError);
    expect((value as Error).message).toBe("app/flaky is between two attempts: nothing can wait in it");
  }
  expect(ticked.value).toEqual({ done: true, value: undefined });
  // The back-off is all that is waited for.
  expect(stage.clock.pending).toBe(1);
});

test("4.2 Children: ... and a shield that was refused holds no timeout of the next one up", async () => {
  const app = stage.open();
  let context: TaskContext | undefined;
  const flaky = app.spawn(
    "flaky",
    async (self) => {
      context = self;
      if (self.attempt === 1) throw new Error("boom");
      await self.sleep("1h");
    },
    { timeout: "5s", retry: { attempts: 2, kind: "constant", min: "1m", jitter: "none" } },
  );
  const error = rejection(flaky);
  await turn();
  void context?.shield(() => forever());
  await stage.clock.advance("2m");
  expect(await error).toBeInstanceOf(TaskTimeoutError);
});

test("4.2 Children: ... its children abandoned at worst", async () => {
  const app = stage.open();
  const starts: string[] = [];
  const { run, release } = stubborn();
  const parent = app.spawn(
    "parent",
    async (task) => {
      starts.push(`attempt ${task.attempt} at ${stage.now()}`);
      if (task.attempt > 1) return "second";
      task.spawn("stubborn", run, { grace: "3s" });
      await turn();
      throw new Error("boom");
    },
    { retry: { attempts: 2, kind: "constant", min: 0, jitter: "none" } },
  );
  await turn();
  await turn();
  await stage.clock.advance("1m");
  expect(await parent).toBe("second");
  expect(starts).toEqual(["attempt 1 at 0", "attempt 2 at 3000"]);
  expect(stage.takeReports().join("\n")).toContain("app/parent/stubborn");
  release();
  await turn();
});

test("4.2 Children: if the body itself is abandoned, so is the task, and it is not retried", async () => {
  const app = stage.open();
  const attempts: number[] = [];
  const task = app.spawn(
    "stubborn",
    (self) => {
      attempts.push(self.attempt);
      return forever();
    },
    { timeout: "1s", grace: "1s", retry: { attempts: 3, kind: "constant", min: 0, jitter: "none" } },
  );
  const outcome = task.outcome();
  await stage.clock.advance("1h");
  expect((await outcome).state).toBe("abandoned");
  expect(attempts).toEqual([1]);
});

test("4.2 Children run under their ancestor's slot of a concurrency limit: concurrency 1, a child awaited by its parent", async () => {
  const app = stage.open("app", { concurrency: 1 });
  const parent = app.spawn("parent", (task) =>
    task.spawn("child", (child) => child.spawn("leaf", () => "from the leaf")),
  );
  const next = app.spawn("next", () => "next");
  expect(await parent).toBe("from the leaf");
  expect(await next).toBe("next");
});

test("4.2 Children run under their ancestor's slot: they take none of those that wait", async () => {
  const app = stage.open("app", { concurrency: 2, queue: 0 });
  const gate = deferred();
  app.spawn("parent", (task) => {
    for (let n = 0; n < 5; n++) task.spawn(`child${n}`, () => gate.promise);
  });
  await turn();
  const beside = app.spawn("beside", () => "ran");
  expect(await beside).toBe("ran");
  gate.resolve();
});

test("4.2 Children: when a task ends, its remaining sleeps are removed and reject with ScopeClosedError", async () => {
  const app = stage.open();
  let sleeping: Promise<void> | undefined;
  let ticking: Promise<unknown> | undefined;
  let context: TaskContext | undefined;
  const task = app.spawn("a", (self) => {
    context = self;
    sleeping = self.sleep("1h");
    ticking = self.every("1h")[Symbol.asyncIterator]().next();
  });
  await task;
  const errors = [await rejection(sleeping as Promise<void>), await rejection(ticking as Promise<unknown>)];
  for (const error of errors) {
    expect(error).toBeInstanceOf(ScopeClosedError);
    expect((error as Error).message).toContain("app/a");
  }
  expect(await rejection((context as TaskContext).sleep(1))).toBeInstanceOf(ScopeClosedError);
  expect(stage.now()).toBe(0);
});

test("4.2 Children: ... which nobody must handle", async () => {
  const app = stage.open();
  await app.spawn("a", (self) => {
    void self.sleep("1h");
  });
  await turn();
  expect(stage.takeUnhandled()).toEqual([]);
});

test("4.2 Children: a task that has ended spawns no more", async () => {
  const app = stage.open();
  let context: TaskContext | undefined;
  await app.spawn("a", (self) => {
    context = self;
    expect(currentTask()).toBe(self);
  });
  let error: unknown;
  try {
    context?.spawn("late", () => {});
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(ScopeClosedError);
  expect((error as Error).message).toContain("app/a");
});

test("4.2 Children: a child may be spawned after the body has returned, by a sibling's callback, while others live", async () => {
  const app = stage.open();
  const gate = deferred();
  let late: Task<string> | undefined;
  const parent = app.spawn("parent", (task) => {
    task.spawn("first", async () => {
      await gate.promise;
      late = task.spawn("late", () => "late child");
    });
  });
  await turn();
  gate.resolve();
  await parent;
  expect(late?.state).toBe("succeeded");
});
