import { expect, test } from "vitest";
import { TaskAbandonedError, type Task, type TaskInfo } from "../../src/core/index.ts";
import { deferred, forever, journal, rejection, turn, useStage } from "./stage.ts";

const stage = useStage();
const retryAtOnce = { attempts: 2, kind: "constant", min: 0, jitter: "none" } as const;

test("4.2 Delivery is decided when the microtasks of the failing turn have drained: awaited by then, no onError", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (error) => delivered.push(error) });
  const error = new Error("boom");
  const gate = deferred();
  const task = app.spawn("a", () => gate.promise);
  await turn();
  let caught: unknown;
  gate.reject(error);
  // Twenty microtasks on, the task has failed long since; the turn has not ended.
  for (let n = 0; n < 20; n++) await Promise.resolve();
  expect(task.state).toBe("failed");
  task.catch((reason: unknown) => (caught = reason));
  await turn();
  expect(caught).toBe(error);
  expect(delivered).toEqual([]);
});

test("4.2 Delivery is decided when the microtasks of the failing turn have drained: awaited later, onError was told", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (error) => delivered.push(error) });
  const error = new Error("boom");
  const task = app.spawn("a", () => Promise.reject(error));
  await turn();
  expect(delivered).toEqual([error]);
  expect(await rejection(task)).toBe(error);
  expect(delivered).toEqual([error]);
});

const awaiting: [string, (task: Task<unknown>) => unknown][] = [
  ["then", (task) => task.then(undefined, () => {})],
  ["catch", (task) => task.catch(() => {})],
  ["finally", (task) => task.finally(() => {}).catch(() => {})],
  ["outcome", (task) => task.outcome()],
];

test.each(awaiting)("4.2 Delivery: to those who called %s by then", async (_name, call) => {
  const app = stage.open("app", { onError: () => expect.unreachable("somebody awaits it") });
  const task = app.spawn("a", () => Promise.reject(new Error("boom")));
  void call(task);
  await turn();
  expect(task.state).toBe("failed");
});

test("4.2 Delivery: else to onError of the task", async () => {
  const calls: [string, unknown, TaskInfo][] = [];
  const app = stage.open("app", { onError: () => expect.unreachable("the task has its own") });
  const error = new Error("boom");
  app.spawn("a", () => Promise.reject(error), {
    onError: (reason, info) => calls.push(["task", reason, info]),
  });
  await turn();
  expect(calls).toMatchObject([
    ["task", error, { path: "app/a", state: "failed", error: { message: "boom" } }],
  ]);
});

test("4.2 Delivery: ... then of the nearest scope that has one", async () => {
  const calls: string[] = [];
  const app = stage.open("app", { onError: () => calls.push("app") });
  const near = app.scope("near", { onError: (_error, info) => calls.push(`near: ${info.path}`) });
  near.scope("bare").spawn("a", () => Promise.reject(new Error("boom")));
  await turn();
  expect(calls).toEqual(["near: app/near/bare/a"]);
});

test("4.2 Delivery: a child's failure goes to its own onError, else to the scope's, not to its parent task's", async () => {
  const calls: string[] = [];
  const app = stage.open("app", { onError: (_error, info) => calls.push(`scope: ${info.name}`) });
  const parent = app.spawn("parent", (task) => {
    task.spawn("own", () => Promise.reject(new Error("x")), {
      onError: (_error, info) => calls.push(`own: ${info.name}`),
    });
    task.spawn("none", () => Promise.reject(new Error("y")));
  });
  await parent;
  await turn();
  expect(calls).toEqual(["own: own", "scope: none"]);
});

test("4.2 Delivery: ... else to the default reporter (stderr: path, error, cause chain)", async () => {
  const app = stage.open();
  app.spawn("a", () => {
    throw new Error("outer", { cause: new TypeError("inner", { cause: new RangeError("root of it") }) });
  });
  await turn();
  const [report, ...more] = stage.takeReports();
  expect(more).toEqual([]);
  for (const word of ["app/a", "outer", "TypeError", "inner", "RangeError", "root of it"])
    expect(report).toContain(word);
});

test("4.2 Delivery: a cause chain that is a ring does not hang the default reporter", async () => {
  const app = stage.open();
  const error = new Error("ring");
  error.cause = error;
  app.spawn("a", () => Promise.reject(error));
  await turn();
  expect(stage.takeReports().join("\n")).toContain("ring");
});

test("4.2 Delivery: whoever awaits later gets it too", async () => {
  const app = stage.open("app", { onError: () => {} });
  const error = new Error("boom");
  const task = app.spawn("a", () => Promise.reject(error));
  await turn();
  await turn();
  expect(await rejection(task)).toBe(error);
  expect(await rejection(task.catch(() => Promise.reject(error)))).toBe(error);
  expect(await task.outcome()).toEqual({ state: "failed", error });
});

test("4.2 Delivery: cancel() is not awaiting", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (error) => delivered.push(error) });
  const error = new Error("clean-up broke");
  const task = app.spawn("a", async (self) => {
    await rejection(self.sleep("1h"));
    throw error;
  });
  await turn();
  expect(await task.cancel()).toEqual({ state: "failed", error });
  await turn();
  expect(delivered).toEqual([error]);
});

test("4.2 Delivery: cancelled outcomes are not delivered", async () => {
  const app = stage.open("app", { onError: () => expect.unreachable("cancelled") });
  const task = app.spawn("a", (self) => self.sleep("1h"));
  await turn();
  await task.cancel();
  await turn();
  expect(task.state).toBe("cancelled");
});

test("4.2 Delivery: abandoned are, like failures", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (error) => delivered.push(error) });
  const task = app.spawn("a", () => forever(), { grace: "1s" });
  await turn();
  void task.cancel();
  await stage.clock.advance("1s");
  expect(delivered).toHaveLength(1);
  expect(delivered[0]).toBeInstanceOf(TaskAbandonedError);
});

test("4.2 Delivery: an attempt that will be retried is not (it is in the record and an event)", async () => {
  const app = stage.open("app", { onError: () => expect.unreachable("it is retried") });
  const events: unknown[] = [];
  app.on("retry", (event) => events.push(event));
  const task = app.spawn(
    "flaky",
    (self) => {
      if (self.attempt === 1) throw new Error("first");
      return "second";
    },
    { retry: retryAtOnce },
  );
  await stage.clock.advance(1);
  expect(await task).toBe("second");
  expect(events).toMatchObject([{ type: "retry", error: { message: "first" }, task: { path: "app/flaky" } }]);
  expect(task.info().attempts).toMatchObject([{ attempt: 1, error: { message: "first" } }]);
});

test("4.2 Delivery: after the last attempt its error is delivered, once", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (error) => delivered.push((error as Error).message) });
  app.spawn("flaky", (self) => Promise.reject(new Error(`attempt ${self.attempt}`)), { retry: retryAtOnce });
  await stage.clock.advance(1);
  await turn();
  expect(delivered).toEqual(["attempt 2"]);
});

const breaking: [string, (error: Error) => unknown][] = [
  [
    "throws",
    (error) => {
      throw error;
    },
  ],
  ["rejects", (error) => Promise.reject(error)],
];

test.each(breaking)(
  "4.2 Delivery: an onError that %s: both errors go to the next outer one",
  async (_name, fail) => {
    const outer: unknown[] = [];
    const app = stage.open("app", { onError: (error) => outer.push(error) });
    const inner = app.scope("inner", { onError: () => fail(second) });
    const first = new Error("first");
    const second = new Error("second");
    inner.spawn("a", () => Promise.reject(first));
    await turn();
    await turn();
    expect(flat(outer)).toEqual([first, second]);
  },
);

test.each(breaking)(
  "4.2 Delivery: a task's onError that %s: both errors go to its scope's",
  async (_name, fail) => {
    const outer: unknown[] = [];
    const app = stage.open("app", { onError: (error) => outer.push(error) });
    const first = new Error("first");
    const second = new Error("second");
    app.spawn("a", () => Promise.reject(first), { onError: () => fail(second) });
    await turn();
    await turn();
    expect(flat(outer)).toEqual([first, second]);
  },
);

test.each(breaking)(
  "4.2 Delivery: ... at last to the default reporter, when every onError %s",
  async (_name, fail) => {
    const app = stage.open("app", { onError: () => fail(new Error("third")) });
    const inner = app.scope("inner", { onError: () => fail(new Error("second")) });
    inner.spawn("a", () => Promise.reject(new Error("first")));
    for (let n = 0; n < 4; n++) await turn();
    const text = stage.takeReports().join("\n");
    for (const word of ["first", "second", "third", "app/inner/a"]) expect(text).toContain(word);
  },
);

test.each(breaking)(
  "4.2 Delivery: many onErrors, each of which %s, hear no more for each of them, and nothing is lost",
  async (_name, fail) => {
    const depth = 20;
    let calls = 0;
    let scope = stage.open("app");
    for (let level = 1; level <= depth; level++)
      scope = scope.scope("s", {
        onError: () => {
          calls++;
          return fail(new Error(`failure ${calls} of an onError`));
        },
      });
    scope.spawn("a", () => Promise.reject(new Error("first")));
    for (let n = 0; n < depth; n++) await turn();
    // The first error at each, and what each made of it at those further out.
    expect(calls).toBe((depth * (depth + 1)) / 2);
    const text = stage.takeReports().join("\n");
    for (const word of ["first", "failure 1 of", `failure ${calls} of`]) expect(text).toContain(word);
    expect(text.match(/failure \d+ of/g)).toHaveLength(calls);
  },
);

test("4.2 Delivery: what then returns is the caller's own promise, by the native rules", async () => {
  const app = stage.open();
  const error = new Error("boom");
  const task = app.spawn("a", () => Promise.reject(error));
  // Node's own unhandledRejection is the point: the caller dropped the promise.
  void task.then(() => {});
  await turn();
  await turn();
  expect(stage.takeUnhandled()).toEqual([error]);
});

test("4.2 Delivery: then, catch and finally settle like those of a native promise", async () => {
  const app = stage.open();
  const error = new Error("boom");
  const good = app.spawn("good", () => 1);
  const bad = app.spawn("bad", () => Promise.reject(error));
  expect(await good.then((value) => value + 1)).toBe(2);
  expect(await good.then(null)).toBe(1);
  expect(await good.then((value) => Promise.resolve(value + 2))).toBe(3);
  expect(await good.catch(() => 9)).toBe(1);
  expect(await good.finally(() => void 9)).toBe(1);
  expect(await rejection(good.then(() => Promise.reject(error)))).toBe(error);
  expect(await bad.catch(() => "caught")).toBe("caught");
  expect(await bad.then(null, (reason: unknown) => reason === error)).toBe(true);
  expect(await rejection(bad.finally(() => {}))).toBe(error);
  const other = new Error("from finally");
  const rejectsToo = (): unknown => Promise.reject(other);
  expect(await rejection(bad.finally(rejectsToo))).toBe(other);
  expect(await Promise.all([good, good])).toEqual([1, 1]);
  expect((await Promise.allSettled([good, bad])).map((result) => result.status)).toEqual([
    "fulfilled",
    "rejected",
  ]);
});

test("4.2 Delivery: promises that holdfast rejects by itself are marked handled", async () => {
  const app = stage.open();
  const task = app.spawn("a", async (self) => {
    void self.sleep("1h");
    void self.checkpoint();
    await rejection(self.sleep("1h"));
    void self.checkpoint();
    void self.sleep("1s");
    throw self.signal.reason;
  });
  await turn();
  await task.cancel();
  await app.spawn("b", async () => {
    await turn();
  });
  await turn();
  expect(stage.takeUnhandled()).toEqual([]);
});

test("4.2 Delivery: DeadlockError of cancel, close and outcome is marked handled", async () => {
  const app = stage.open();
  const inner = app.scope("inner");
  const task: Task<void> = inner.spawn("a", async (self) => {
    void task.outcome();
    void task.cancel();
    void inner.close();
    await rejection(self.sleep("1s"));
  });
  await turn();
  await turn();
  expect(task.state).toBe("succeeded");
  expect(stage.takeUnhandled()).toEqual([]);
});

const odd: [string, unknown][] = [
  ["undefined", undefined],
  ["null", null],
  ["zero", 0],
  ["a string", "boom"],
  ["an object", { odd: true }],
  [
    "an object whose getters throw",
    {
      get message(): never {
        throw new Error("getter");
      },
    },
  ],
];

test.each(odd)("4.2 Delivery: a rejection with %s is a failure", async (_name, error) => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (reason) => delivered.push(reason) });
  const ends = journal(app, "end");
  const rejected = app.spawn("rejected", () => Promise.reject(error));
  const thrown = app.spawn("thrown", () => {
    throw error;
  });
  await turn();
  expect([rejected.state, thrown.state]).toEqual(["failed", "failed"]);
  expect(delivered).toEqual([error, error]);
  const outcome = await rejected.outcome();
  expect(outcome.state === "failed" && Object.is(outcome.error, error)).toBe(true);
  expect("error" in outcome).toBe(true);
  expect(rejected.info().error).toBeDefined();
  expect(ends).toHaveLength(2);
});

test("4.2 Delivery: a failure of an adopted promise is delivered like any other", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (error) => delivered.push(error) });
  const error = new Error("boom");
  app.adopt("a", Promise.reject(error));
  await turn();
  expect(delivered).toEqual([error]);
});

/** Both errors may come one by one or as the parts of one. */
function flat(errors: readonly unknown[]): unknown[] {
  return errors.flatMap((error): unknown[] => (error instanceof AggregateError ? error.errors : [error]));
}

test("4.3 every failure is delivered, never to nobody: an awaiter that was cancelled before does not count", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (error) => delivered.push(error) });
  const gate = deferred();
  const error = new Error("boom");
  const bad = app.spawn("bad", () => gate.promise);
  const awaiter = app.spawn("awaiter", () => bad.then(() => {}));
  await turn();
  await awaiter.cancel();
  gate.reject(error);
  await turn();
  expect(delivered).toEqual([error]);
});
