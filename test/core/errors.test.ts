import { expect, test } from "vitest";
import {
  DeadlockError,
  KeyConflictError,
  NoScopeError,
  QueueFullError,
  ScopeClosedError,
  TaskAbandonedError,
  TaskCancelledError,
  TaskLostError,
  TaskTimeoutError,
  currentTask,
  spawn,
  type Task,
} from "../../src/core/index.ts";
import { deferred, forever, rejection, thrown, turn, useStage } from "./stage.ts";

const stage = useStage();

interface Expected {
  readonly type: abstract new (...args: never) => Error;
  readonly name: string;
  readonly code: string;
  readonly path: string;
}

/** Each class, made by the core itself. */
const made: [string, () => Promise<unknown>, Expected][] = [
  [
    "TaskCancelledError",
    async () => {
      const task = stage.open().spawn("a", (self) => self.sleep("1h"));
      await turn();
      await task.cancel("why");
      return rejection(task);
    },
    { type: TaskCancelledError, name: "AbortError", code: "ABORT_ERR", path: "app/a" },
  ],
  [
    "TaskTimeoutError",
    async () => {
      const error = rejection(stage.open().spawn("a", (self) => self.sleep("1h"), { timeout: "1s" }));
      await stage.clock.advance("1s");
      return error;
    },
    { type: TaskTimeoutError, name: "TimeoutError", code: "HF_TASK_TIMEOUT", path: "app/a" },
  ],
  [
    "TaskLostError",
    async () => new TaskLostError("app/a"),
    { type: TaskLostError, name: "TaskLostError", code: "HF_TASK_LOST", path: "app/a" },
  ],
  [
    "TaskAbandonedError",
    async () => {
      const error = rejection(stage.open().spawn("a", () => forever(), { timeout: "1s", grace: 0 }));
      await stage.clock.advance("2s");
      return error;
    },
    { type: TaskAbandonedError, name: "TaskAbandonedError", code: "HF_TASK_ABANDONED", path: "app/a" },
  ],
  [
    "ScopeClosedError",
    async () => {
      const app = stage.open();
      await app.close();
      return thrown(() => app.spawn("a", () => {}));
    },
    { type: ScopeClosedError, name: "ScopeClosedError", code: "HF_SCOPE_CLOSED", path: "app" },
  ],
  [
    "QueueFullError",
    async () => {
      const app = stage.open("app", { concurrency: 1, queue: 0 });
      app.spawn("a", () => {});
      return thrown(() => app.spawn("b", () => {}));
    },
    { type: QueueFullError, name: "QueueFullError", code: "HF_QUEUE_FULL", path: "app" },
  ],
  [
    "KeyConflictError",
    async () => {
      const app = stage.open();
      app.spawn("a", () => {}, { key: "k" });
      return thrown(() => app.spawn("b", () => {}, { key: "k", onConflict: "reject" }));
    },
    { type: KeyConflictError, name: "KeyConflictError", code: "HF_KEY_CONFLICT", path: "app/a" },
  ],
  [
    "NoScopeError",
    async () => thrown(() => spawn("a", () => {})),
    { type: NoScopeError, name: "NoScopeError", code: "HF_NO_SCOPE", path: "" },
  ],
  [
    "DeadlockError",
    async () => {
      const task: Task<unknown> = stage.open().spawn("a", () => task.outcome());
      return rejection(task);
    },
    { type: DeadlockError, name: "DeadlockError", code: "HF_DEADLOCK", path: "app/a" },
  ],
];

test.each(made)(
  "4.1 %s has a code, a name, and a message that names the path",
  async (_name, make, expected) => {
    const error = await make();
    expect(error).toBeInstanceOf(expected.type);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: expected.name, code: expected.code, path: expected.path });
    expect((error as Error).message).toContain(expected.path);
    expect(String(error)).toContain(expected.name);
  },
);

const sources: [string, string | undefined, () => Promise<unknown>][] = [
  [
    "task",
    undefined,
    async () => {
      const task = stage.open().spawn("a", (self) => self.sleep("1h"));
      await turn();
      await task.cancel();
      return rejection(task);
    },
  ],
  [
    "parent",
    "app/parent",
    async () => {
      let child: Task<void> | undefined;
      const parent = stage.open().spawn("parent", async (self) => {
        child = self.spawn("child", (inner) => inner.sleep("1h"));
        await self.sleep("1h");
      });
      await turn();
      await parent.cancel();
      return rejection(child as Task<void>);
    },
  ],
  [
    "scope",
    "app",
    async () => {
      const app = stage.open();
      const task = app.scope("inner").spawn("a", (self) => self.sleep("1h"));
      await app.cancel();
      return rejection(task);
    },
  ],
  [
    "sibling",
    "app/g",
    async () => {
      let rest: Task<void> | undefined;
      await stage
        .open()
        .group("g", (group) => {
          rest = group.spawn("rest", (self) => self.sleep("1h"));
          group.spawn("bad", () => Promise.reject(new Error("boom")));
        })
        .outcome();
      return rejection(rest as Task<void>);
    },
  ],
  [
    "signal",
    undefined,
    async () => {
      const controller = new AbortController();
      const task = stage.open().spawn("a", (self) => self.sleep("1h"), { signal: controller.signal });
      await turn();
      controller.abort();
      return rejection(task);
    },
  ],
  [
    "key",
    undefined,
    async () => {
      const app = stage.open();
      const task = app.spawn("a", (self) => self.sleep("1h"), { key: "k" });
      await turn();
      app.spawn("b", () => {}, { key: "k", onConflict: "replace" });
      return rejection(task);
    },
  ],
  [
    "queue",
    undefined,
    async () => {
      const app = stage.open("app", { concurrency: 1, queue: 1, onFull: "drop-oldest" });
      app.spawn("running", (self) => self.sleep("1h"));
      const task = app.spawn("oldest", () => {});
      app.spawn("newest", () => {});
      return rejection(task);
    },
  ],
  [
    "drain",
    undefined,
    async () => {
      const app = stage.open();
      const task = app.spawn("a", () => {}, { delay: "1h" });
      await app.close({ drain: "1s" });
      return rejection(task);
    },
  ],
  [
    "deadline",
    undefined,
    async () => {
      let child: Task<void> | undefined;
      const parent = stage.open().spawn(
        "parent",
        async (self) => {
          child = self.spawn("child", (inner) => inner.sleep("1h"));
          await self.sleep("1h");
        },
        { timeout: "1s" },
      );
      void parent.outcome();
      await stage.clock.advance("1s");
      return rejection(child as Task<void>);
    },
  ],
];

test.each(sources)("4.1 TaskCancelledError carries its source: %s, by %s", async (source, by, make) => {
  const error = await make();
  expect(error).toBeInstanceOf(TaskCancelledError);
  expect(error).toMatchObject({ name: "AbortError", code: "ABORT_ERR", source });
  if (by !== undefined) expect(error).toMatchObject({ by });
});

test("4.1 TaskCancelledError carries by whom and the reason, which is its cause", async () => {
  const app = stage.open();
  const reason = new Error("the client went away");
  const task = app.spawn("a", (self) => self.sleep("1h"));
  await turn();
  app.spawn("killer", () => {
    void task.cancel(reason);
  });
  const error = await rejection(task);
  expect(error).toMatchObject({ source: "task", by: "app/killer", reason, cause: reason });
  expect((error as Error).message).toContain("the client went away");
});

test("4.1 an error that the core makes tells where the user's program was, or nothing, never the core's insides", async () => {
  const app = stage.open("app", { concurrency: 1, queue: 0 });
  app.spawn("a", () => {});
  const error = thrown(() => app.spawn("b", () => {})) as Error;
  expect(error.stack).toContain("QueueFullError");
  expect(error.stack).toContain("errors.test.ts");
});

test("4.1 the stack trace limit of the program is left as it was", async () => {
  const before = Error.stackTraceLimit;
  const task = stage.open().spawn("a", (self) => self.sleep("1h"));
  await turn();
  await task.cancel();
  expect(Error.stackTraceLimit).toBe(before);
});

test("4.1 an AbortError of fetch and friends that passed on the task's signal ends the task cancelled", async () => {
  const app = stage.open();
  const task = app.spawn("a", async (self) => {
    await new Promise((_resolve, reject) => {
      self.signal.addEventListener("abort", () => reject(self.signal.reason));
    });
  });
  await turn();
  expect((await task.cancel()).state).toBe("cancelled");
});

test("4.1 throwIfAborted of the signal throws the same error", async () => {
  const app = stage.open();
  const gate = deferred();
  const task = app.spawn("a", async (self) => {
    await gate.promise;
    self.signal.throwIfAborted();
  });
  await turn();
  const ending = task.cancel();
  gate.resolve();
  expect((await ending).state).toBe("cancelled");
  expect(currentTask()).toBeUndefined();
});
