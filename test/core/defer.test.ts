import { expect, test } from "vitest";
import {
  ScopeClosedError,
  shield,
  sleep,
  TaskTimeoutError,
  type Scope,
  type Task,
  type TaskContext,
} from "../../src/core/index.ts";
import { forever, rejection, stubborn, thrown, track, turn, useStage } from "./stage.ts";

const stage = useStage();

test("4.2 defers run LIFO after all tasks of their owner have ended: a scope's", async () => {
  const app = stage.open();
  const log: string[] = [];
  app.defer(() => void log.push("first"));
  app.defer(async () => {
    await turn();
    log.push("second");
  });
  app.scope("inner").defer(() => void log.push("inner"));
  app.spawn("a", async (task) => {
    await rejection(task.sleep("1h"));
    await task.shield(() => task.sleep("1s"));
    log.push("task");
    task.throwIfCancelled();
  });
  await turn();
  const closing = app.close();
  await stage.clock.advance("1s");
  await turn();
  await closing;
  expect(log).toEqual(["inner", "task", "second", "first"]);
});

test("4.2 defers run LIFO after all tasks of their owner have ended: a task's", async () => {
  const app = stage.open();
  const log: string[] = [];
  const task = app.spawn("a", (self) => {
    self.defer(() => void log.push("first"));
    self.defer(() => void log.push("second"));
    self.spawn("child", async (child) => {
      child.defer(() => void log.push("child's"));
      await child.sleep("1s");
      log.push("child");
    });
    log.push("body");
  });
  await stage.clock.advance("1s");
  await task;
  expect(log).toEqual(["body", "child", "child's", "second", "first"]);
});

test("4.2 a defer that is asynchronous is awaited before the task ends", async () => {
  const app = stage.open();
  const { run, release } = stubborn();
  const task = app.spawn("a", (self) => {
    self.defer(run);
    return "value";
  });
  const outcome = track(task.outcome());
  await turn();
  expect(outcome.state).toBe("pending");
  release();
  await turn();
  expect(outcome).toEqual({ state: "fulfilled", value: { state: "succeeded", value: "value" } });
});

test("4.2 a group's defers run after its tasks: its scope's, like its body's", async () => {
  const app = stage.open();
  const log: string[] = [];
  const group = app.group("g", (scope) => {
    scope.defer(() => void log.push("scope's defer"));
    scope.spawn("member", async (task) => {
      await task.sleep("1s");
      log.push("member");
    });
  });
  await stage.clock.advance("1s");
  await group;
  expect(log).toEqual(["member", "scope's defer"]);
});

const stops: [string, (group: Task<void>, scope: Scope) => unknown][] = [
  ["is cancelled", (group) => void group.cancel()],
  ["fails", (_group, scope) => void scope.spawn("fails", () => Promise.reject(new Error("boom")))],
  ["times out", () => stage.clock.advance("1m")],
];

test.each(stops)(
  "4.3 a group's defers run after its users: after its body, when the group %s",
  async (_, stop) => {
    const app = stage.open();
    const log: string[] = [];
    let scope: Scope | undefined;
    const group = app.group(
      "g",
      async (own) => {
        scope = own;
        own.defer(() => void log.push("the pool is closed"));
        try {
          await sleep("1h");
        } finally {
          await shield(() => sleep("1s"));
          log.push("the last query is done");
          own.defer(() => void log.push("and another defer"));
        }
      },
      { timeout: "1m" },
    );
    void group.outcome();
    await turn();
    await stop(group, scope as Scope);
    await stage.clock.advance("1s");
    expect(log).toEqual(["the last query is done", "and another defer", "the pool is closed"]);
    expect(scope?.state).toBe("closed");
  },
);

test("4.3 a group's defers do not wait for a body that closes the group's scope by hand", async () => {
  const app = stage.open();
  const log: string[] = [];
  const group = app.group("g", async (own) => {
    own.defer(() => void log.push("defer"));
    await rejection(sleep("1h"));
    await own.close();
    log.push("body");
  });
  void group.outcome();
  await turn();
  await group.cancel();
  expect(log).toEqual(["defer", "body"]);
});

test("4.3 a group's defers do not wait for a body that is abandoned", async () => {
  const app = stage.open();
  const log: string[] = [];
  const group = app.group("g", (own) => {
    own.defer(() => void log.push(`defer at ${stage.now()}`));
    return forever();
  });
  void group.outcome();
  await turn();
  void group.cancel();
  await stage.clock.advance("5s");
  expect(log).toEqual(["defer at 5000"]);
  expect(group.state).toBe("abandoned");
});

const endings: [string, (task: TaskContext) => unknown][] = [
  ["returns", () => 1],
  ["throws", () => Promise.reject(new Error("boom"))],
  ["is cancelled", (task) => task.sleep("1h")],
];

test.each(endings)("4.2 a task's defers run when it %s", async (_name, end) => {
  const app = stage.open();
  let ran = 0;
  const task = app.spawn("a", (self) => {
    self.defer(() => void ran++);
    return end(self);
  });
  void task.outcome();
  await turn();
  await task.cancel();
  expect(ran).toBe(1);
});

test("4.2 a task's defers run once for each attempt", async () => {
  const app = stage.open();
  const log: string[] = [];
  const task = app.spawn(
    "a",
    (self) => {
      const { attempt } = self;
      log.push(`attempt ${attempt}`);
      self.defer(() => void log.push(`defer of ${attempt}`));
      if (attempt < 3) throw new Error("again");
      return "third";
    },
    { retry: { attempts: 3, kind: "constant", min: "1s", jitter: "none" } },
  );
  await stage.clock.advance("2s");
  expect(await task).toBe("third");
  expect(log).toEqual(["attempt 1", "defer of 1", "attempt 2", "defer of 2", "attempt 3", "defer of 3"]);
});

test("4.2 a task's defer has 5 s: then the next one runs, and the task has failed", async () => {
  const app = stage.open();
  const log: string[] = [];
  const task = app.spawn("a", (self) => {
    self.defer(() => void log.push(`first at ${stage.now()}`));
    self.defer(() => forever());
    return "value";
  });
  const error = rejection(task);
  await stage.clock.advance("4999ms");
  expect(log).toEqual([]);
  await stage.clock.advance("1ms");
  expect(log).toEqual(["first at 5000"]);
  expect(await error).toBeInstanceOf(TaskTimeoutError);
  expect(await error).toMatchObject({ ms: 5000 });
});

test("4.2 a scope's defer has 5 s, or its deferTimeout, each", async () => {
  const app = stage.open("app", { deferTimeout: "1s", onError: () => {} });
  app.defer(() => forever());
  app.defer(() => forever());
  const closing = app.close();
  await stage.clock.advance("2s");
  const report = await closing;
  expect(report.ms).toBe(2000);
  expect(report.errors).toHaveLength(2);
});

test("4.2 the errors of defers turn success into failure", async () => {
  const app = stage.open();
  const error = new Error("clean-up broke");
  const task = app.spawn("a", (self) => {
    self.defer(() => Promise.reject(error));
    return "value";
  });
  expect(await task.outcome()).toEqual({ state: "failed", error });
});

test("4.2 the errors of several defers are all told", async () => {
  const app = stage.open();
  const ran: string[] = [];
  const one = new Error("one");
  const two = new Error("two");
  const task = app.spawn("a", (self) => {
    self.defer(() => void ran.push("last"));
    self.defer(() => Promise.reject(one));
    self.defer(() => {
      throw two;
    });
  });
  const error = await rejection(task);
  expect(ran).toEqual(["last"]);
  expect(error instanceof AggregateError ? new Set(error.errors) : error).toEqual(new Set([one, two]));
});

test("4.2 the errors of defers ... or go to onError: where the task had failed already", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (error) => delivered.push(error) });
  const first = new Error("body");
  const second = new Error("clean-up");
  const task = app.spawn("a", (self) => {
    self.defer(() => Promise.reject(second));
    throw first;
  });
  expect(await task.outcome()).toEqual({ state: "failed", error: first });
  await turn();
  expect(delivered).toEqual([second]);
});

test("4.2 the errors of a scope's defers go to onError and the report", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (error) => delivered.push(error) });
  const error = new Error("pool would not close");
  app.defer(() => Promise.reject(error));
  const report = await app.close();
  await turn();
  expect(delivered).toEqual([error]);
  expect(report.errors).toHaveLength(1);
  expect(report.errors[0]).toMatchObject({ message: "pool would not close" });
  expect(JSON.stringify(report)).toContain("pool would not close");
});

test("4.2 a task's defers are spared: they may sleep and spawn though the task is cancelled", async () => {
  const app = stage.open();
  const log: string[] = [];
  const task = app.spawn("a", async (self) => {
    self.defer(async () => {
      await self.sleep("1s");
      log.push(`slept until ${stage.now()}`);
    });
    await self.sleep("1h");
  });
  await turn();
  const ending = task.cancel();
  await stage.clock.advance("1s");
  expect((await ending).state).toBe("cancelled");
  expect(log).toEqual(["slept until 1000"]);
});

test("4.1 use disposes of the resource at the end, and returns it", async () => {
  const app = stage.open();
  const log: string[] = [];
  const pool = { name: "pool", [Symbol.asyncDispose]: async () => void log.push("pool closed") };
  const file = { name: "file", [Symbol.dispose]: () => void log.push("file closed") };
  expect(app.use(pool)).toBe(pool);
  await app.spawn("a", (task) => {
    expect(task.use(file)).toBe(file);
    log.push("body");
  });
  expect(log).toEqual(["body", "file closed"]);
  await app.close();
  expect(log).toEqual(["body", "file closed", "pool closed"]);
});

test("4.1 use prefers asyncDispose, and calls it on the resource", async () => {
  const app = stage.open();
  class Both {
    readonly log: string[] = [];
    async [Symbol.asyncDispose](): Promise<void> {
      this.log.push("async");
    }
    [Symbol.dispose](): void {
      this.log.push("sync");
    }
  }
  const both = app.use(new Both());
  await app.close();
  expect(both.log).toEqual(["async"]);
});

test("4.2 a defer registered by a defer runs too", async () => {
  const app = stage.open();
  const log: string[] = [];
  app.defer(() => {
    log.push("outer");
    try {
      app.defer(() => void log.push("inner"));
    } catch {
      log.push("refused");
    }
  });
  await app.close();
  expect(log[0]).toBe("outer");
  expect(log).toHaveLength(2);
});

test("4.2 a defer registered too late is not dropped silently: it throws", async () => {
  const app = stage.open();
  let context: TaskContext | undefined;
  await app.spawn("a", (self) => {
    context = self;
  });
  await app.close();
  expect(() => context?.defer(() => {})).toThrow();
  expect(() => app.defer(() => {})).toThrow();
});

test("4.2 the errors of a task's defers are in the report of the close that waits for it, too", async () => {
  const app = stage.open("app", { onError: () => {} });
  app.spawn("a", async (self) => {
    self.defer(() => Promise.reject(new Error("clean-up broke")));
    await self.sleep("1h");
  });
  await turn();
  const report = await app.close();
  expect(report.errors).toMatchObject([{ message: "clean-up broke" }]);
});

test("4.2 a defer of a scope starts no task in it: all of them have ended", async () => {
  const app = stage.open();
  let error: unknown;
  app.defer(() => {
    error = thrown(() => app.spawn("late", () => {}));
  });
  await app.close();
  expect(error).toBeInstanceOf(ScopeClosedError);
});
