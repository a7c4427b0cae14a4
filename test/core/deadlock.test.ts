import { expect, test } from "vitest";
import { DeadlockError, type Task, type TaskContext } from "../../src/core/index.ts";
import { deferred, forever, rejection, track, turn, useStage } from "./stage.ts";

const stage = useStage();

const waits: [string, (task: Task<unknown>) => PromiseLike<unknown>][] = [
  ["then", (task) => task.then(() => {})],
  ["await", (task) => task],
  ["catch", (task) => task.catch(() => Promise.reject(new Error("catch has seen it")))],
  ["finally", (task) => task.finally(() => {})],
  ["outcome", (task) => task.outcome()],
];
const nativeRules = waits.filter(([name]) => name !== "catch");

test.each(nativeRules)(
  "4.2 Deadlock: %s of itself rejects with DeadlockError naming the cycle",
  async (_name, wait) => {
    const app = stage.open();
    let error: unknown;
    const task: Task<string> = app.spawn("self", async () => {
      await turn();
      error = await rejection(wait(task));
      return "went on";
    });
    expect(await task).toBe("went on");
    expect(error).toBeInstanceOf(DeadlockError);
    expect(error).toMatchObject({ code: "HF_DEADLOCK", cycle: ["app/self"] });
    expect((error as Error).message).toContain("app/self → app/self");
  },
);

test("4.2 Deadlock: catch of itself is told the DeadlockError", async () => {
  const app = stage.open();
  let error: unknown;
  const task: Task<void> = app.spawn("self", async () => {
    await turn();
    await task.catch((reason: unknown) => (error = reason));
  });
  await task;
  expect(error).toBeInstanceOf(DeadlockError);
});

test.each(nativeRules)(
  "4.2 Deadlock: %s of an ancestor rejects with DeadlockError naming the cycle",
  async (_name, wait) => {
    const app = stage.open();
    let error: unknown;
    const top: Task<void> = app.spawn("top", (task) => {
      task.spawn("middle", (middle) => {
        middle.spawn("leaf", async () => {
          error = await rejection(wait(top));
        });
      });
    });
    await turn();
    expect(error).toBeInstanceOf(DeadlockError);
    expect(new Set((error as DeadlockError).cycle)).toEqual(
      new Set(["app/top", "app/top/middle", "app/top/middle/leaf"]),
    );
    await top;
  },
);

test.each(nativeRules)(
  "4.2 Deadlock: %s that closes a cycle of awaiting tasks rejects with DeadlockError",
  async (_name, wait) => {
    const app = stage.open();
    const tasks: Task<unknown>[] = [];
    let error: unknown;
    tasks.push(app.spawn("a", () => tasks[1]));
    tasks.push(app.spawn("b", () => tasks[2]));
    tasks.push(
      app.spawn("c", async () => {
        await turn();
        error = await rejection(wait(tasks[0] as Task<unknown>));
        return "the cycle is cut";
      }),
    );
    await turn();
    await turn();
    expect(error).toBeInstanceOf(DeadlockError);
    expect(new Set((error as DeadlockError).cycle)).toEqual(new Set(["app/a", "app/b", "app/c"]));
    expect(await tasks[0]).toBe("the cycle is cut");
  },
);

test("4.2 Deadlock: returning the task itself is awaiting it", async () => {
  const app = stage.open();
  const task: Task<unknown> = app.spawn("self", () => task);
  expect(await rejection(task)).toBeInstanceOf(DeadlockError);
});

test("4.2 Deadlock: cancel of itself rejects with DeadlockError, and still takes effect", async () => {
  const app = stage.open();
  let error: unknown;
  let next: unknown;
  const task: Task<void> = app.spawn("self", async (self) => {
    await turn();
    error = await rejection(task.cancel("from inside"));
    next = await rejection(self.sleep("1h"));
    throw next;
  });
  expect(await task.outcome()).toMatchObject({ state: "cancelled", reason: { reason: "from inside" } });
  expect(error).toBeInstanceOf(DeadlockError);
  expect((error as DeadlockError).cycle).toEqual(["app/self"]);
  expect(next).toBe(task.signal.reason);
});

test("4.2 Deadlock: cancel of an ancestor rejects with DeadlockError, and still takes effect", async () => {
  const app = stage.open();
  let error: unknown;
  const parent: Task<void> = app.spawn("parent", async (task) => {
    task.spawn("child", async (child) => {
      error = await rejection(parent.cancel("by my child"));
      await child.sleep("1h");
    });
    await task.sleep("1h");
  });
  expect((await parent.outcome()).state).toBe("cancelled");
  expect(error).toBeInstanceOf(DeadlockError);
  expect(parent.signal.reason).toMatchObject({ reason: "by my child" });
});

test("4.2 Deadlock: cancel of one that awaits the caller rejects with DeadlockError, and still takes effect", async () => {
  const app = stage.open();
  let error: unknown;
  const tasks: Task<unknown>[] = [];
  tasks.push(app.spawn("awaiter", () => tasks[1]?.outcome()));
  tasks.push(
    app.spawn("awaited", async () => {
      await turn();
      error = await rejection((tasks[0] as Task<unknown>).cancel());
      return "went on";
    }),
  );
  await turn();
  await turn();
  expect(error).toBeInstanceOf(DeadlockError);
  expect((await tasks[0]?.outcome())?.state).toBe("succeeded");
  expect(tasks[0]?.signal.aborted).toBe(true);
});

test("4.2 Deadlock: any pending then counts as awaiting, also one that nobody holds", async () => {
  const app = stage.open();
  const tasks: Task<unknown>[] = [];
  let error: unknown;
  const gate = deferred();
  tasks.push(
    app.spawn("a", async () => {
      void tasks[1]?.then(() => {});
      await gate.promise;
    }),
  );
  tasks.push(
    app.spawn("b", async () => {
      await turn();
      error = await rejection(tasks[0] as Task<unknown>);
    }),
  );
  await turn();
  await turn();
  expect(error).toBeInstanceOf(DeadlockError);
  gate.resolve();
  await Promise.all(tasks);
});

test("4.2 Deadlock: any pending outcome counts as awaiting", async () => {
  const app = stage.open();
  const tasks: Task<unknown>[] = [];
  let error: unknown;
  tasks.push(app.spawn("a", () => tasks[1]?.outcome()));
  tasks.push(
    app.spawn("b", async () => {
      await turn();
      error = await rejection((tasks[0] as Task<unknown>).outcome());
    }),
  );
  await Promise.all(tasks);
  expect(error).toBeInstanceOf(DeadlockError);
});

test("4.2 Deadlock: waiting for a slot that oneself holds is a cycle too", async () => {
  const app = stage.open("app", { concurrency: 1 });
  let error: unknown;
  const task = app.spawn("holder", async (self) => {
    const queued = self.scope.spawn("queued", () => "ran");
    error = await rejection(queued);
    return queued;
  });
  const outcome = track(task.outcome());
  await turn();
  expect(error).toBeInstanceOf(DeadlockError);
  expect(new Set((error as DeadlockError).cycle)).toEqual(new Set(["app/holder", "app/queued"]));
  // Returned, it would be awaited again: the same answer.
  expect(outcome).toMatchObject({ state: "fulfilled", value: { state: "failed" } });
});

test("4.2 Deadlock: waiting for a slot that one's awaiter holds is a cycle too", async () => {
  const app = stage.open();
  const narrow = app.scope("narrow", { concurrency: 1 });
  let error: unknown;
  let queued: Task<string> | undefined;
  const holder = narrow.spawn("holder", () =>
    app.spawn("helper", async () => {
      await turn();
      queued = narrow.spawn("queued", () => "ran");
      error = await rejection(queued);
      return "went on";
    }),
  );
  await turn();
  await turn();
  expect(error).toBeInstanceOf(DeadlockError);
  expect((error as DeadlockError).cycle).toEqual(
    expect.arrayContaining(["app/narrow/holder", "app/narrow/queued"]),
  );
  expect(await holder).toBe("went on");
  expect(await queued).toBe("ran");
});

test("4.2 Deadlock: waiting for a limit by key that oneself holds is a cycle too", async () => {
  const app = stage.open();
  const limit = { key: "endpoint", concurrency: 1 };
  let error: unknown;
  await app.spawn(
    "holder",
    async () => {
      error = await rejection(app.spawn("queued", () => "ran", { limit }));
    },
    { limit },
  );
  expect(error).toBeInstanceOf(DeadlockError);
});

const innocent: [string, (task: TaskContext, other: Task<unknown>) => PromiseLike<unknown>][] = [
  ["a task beside it", (_task, other) => other],
  ["a child", (task) => task.spawn("child", () => turn())],
  [
    "a slot held by somebody else",
    (task) => task.scope.scope("narrow", { concurrency: 1 }).spawn("x", () => turn()),
  ],
];

test.each(innocent)("4.2 Deadlock: no cycle, no error: awaiting %s", async (_name, wait) => {
  const app = stage.open();
  const gate = deferred();
  const other = app.spawn("other", () => gate.promise);
  const task = app.spawn("a", async (self) => {
    await wait(self, other);
    return "fine";
  });
  await turn();
  gate.resolve();
  expect(await task).toBe("fine");
});

test("4.2 Deadlock: awaiting from outside of any task is no cycle", async () => {
  const app = stage.open();
  const task = app.spawn("a", () => forever());
  const outcome = track(task.outcome());
  await turn();
  expect(outcome.state).toBe("pending");
});

test("4.2 Deadlock: awaiting one's own task in its defer", async () => {
  const app = stage.open();
  let error: unknown;
  const task: Task<string> = app.spawn("a", (self) => {
    self.defer(async () => {
      error = await rejection(task);
    });
    return "value";
  });
  expect(await task).toBe("value");
  expect(error).toBeInstanceOf(DeadlockError);
});

test("4.2 Deadlock: two tasks that cancel one another: both end, and one of them is told", async () => {
  const app = stage.open();
  const errors: unknown[] = [];
  const tasks: Task<unknown>[] = [];
  for (const n of [0, 1]) {
    tasks.push(
      app.spawn(`t${n}`, async (self) => {
        await turn();
        await tasks[1 - n]?.cancel().catch((error: unknown) => errors.push(error));
        self.throwIfCancelled();
      }),
    );
  }
  const outcomes = Promise.all(tasks.map((task) => task.outcome()));
  await turn();
  await turn();
  expect((await outcomes).map((outcome) => outcome.state)).toEqual(["cancelled", "cancelled"]);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toBeInstanceOf(DeadlockError);
});

test("4.2 Deadlock: a task that awaits the one that replaces it, which waits for its end", async () => {
  const app = stage.open();
  let replacer: Task<string> | undefined;
  let error: unknown;
  const old = app.spawn(
    "old",
    async (self) => {
      await rejection(self.sleep("1h"));
      error = await rejection((replacer as Task<string>).outcome());
      self.throwIfCancelled();
    },
    { key: "k" },
  );
  await turn();
  replacer = app.spawn("new", () => "new", { key: "k", onConflict: "replace" });
  expect(await replacer).toBe("new");
  expect(old.state).toBe("cancelled");
  expect(error).toBeInstanceOf(DeadlockError);
});
