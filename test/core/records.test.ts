import { expect, test } from "vitest";
import type { Task, TaskContext, TaskInfo } from "../../src/core/index.ts";
import { deferred, forever, turn, useStage } from "./stage.ts";

const stage = useStage();
const names = (infos: Iterable<TaskInfo>): string[] => Array.from(infos, (info) => info.name);

test("4.1 info: a task as plain data, from its spawn to its end", async () => {
  const app = stage.open();
  const begin = stage.clock.wall;
  const task = app.spawn("a", (self) => self.sleep("2s"), { delay: "1s", attributes: { user: 7 } });
  expect(task.info()).toEqual({
    id: task.id,
    name: "a",
    path: "app/a",
    state: "waiting",
    attempt: 0,
    createdAt: begin,
    attributes: { user: 7 },
    children: 0,
  });
  await stage.clock.advance("1s");
  expect(task.info()).toMatchObject({ state: "running", attempt: 1, startedAt: begin + 1000 });
  expect(task.info()).not.toHaveProperty("endedAt");
  await stage.clock.advance("2s");
  await task;
  const ended = task.info();
  expect(ended).toMatchObject({
    state: "succeeded",
    attempt: 1,
    startedAt: begin + 1000,
    endedAt: begin + 3000,
  });
  expect(ended).not.toHaveProperty("error");
  expect(ended).not.toHaveProperty("attempts");
  expect(JSON.parse(JSON.stringify(ended))).toEqual(ended);
});

test("4.1 info: the failure with its cause chain", async () => {
  const app = stage.open("app", { onError: () => {} });
  const task = app.spawn("a", () => {
    throw Object.assign(new TypeError("outer", { cause: new Error("inner") }), { code: "E_OUTER" });
  });
  await turn();
  expect(task.info().error).toMatchObject({
    name: "TypeError",
    message: "outer",
    code: "E_OUTER",
    cause: { message: "inner" },
  });
});

test("4.1 info: the ended attempts but for the last, at most 20", async () => {
  const app = stage.open("app", { onError: () => {} });
  const retry = { attempts: 30, kind: "constant", min: "1s", jitter: "none" } as const;
  const task = app.spawn("a", (self) => Promise.reject(new Error(`attempt ${self.attempt}`)), { retry });
  await stage.clock.advance("1m");
  const info = task.info();
  expect(info).toMatchObject({ state: "failed", attempt: 30, error: { message: "attempt 30" } });
  expect(info.attempts?.map((attempt) => attempt.attempt)).toEqual(
    Array.from({ length: 20 }, (_, n) => n + 10),
  );
  expect(info.attempts?.at(-1)).toMatchObject({ attempt: 29, error: { message: "attempt 29" } });
  const [first] = info.attempts ?? [];
  expect(first?.startedAt).toBeLessThanOrEqual(first?.endedAt ?? 0);
});

test("4.1 progress and set are in the record", async () => {
  const app = stage.open();
  const gate = deferred();
  const task = app.spawn(
    "import",
    async (self) => {
      self.set({ file: "a.csv", tenant: 1 });
      self.progress(1, 10, "reading");
      await gate.promise;
      self.set({ tenant: 2 });
      self.progress(10);
    },
    { attributes: { source: "upload" } },
  );
  await turn();
  expect(task.info().attributes).toEqual({ source: "upload", file: "a.csv", tenant: 1 });
  expect(task.info().progress).toEqual({ done: 1, total: 10, note: "reading", at: stage.clock.wall });
  gate.resolve();
  await task;
  expect(task.info().attributes).toEqual({ source: "upload", file: "a.csv", tenant: 2 });
  expect(task.info().progress).toMatchObject({ done: 10 });
});

test("4.1 tasks(): live tasks, then the records of those that ended, newest first, here and below", async () => {
  const app = stage.open();
  const inner = app.scope("inner");
  await app.spawn("first", () => {});
  await inner.spawn("second", () => {});
  await app.spawn("third", () => {});
  app.spawn("live", (task) => task.sleep("1h"));
  inner.spawn("parent", async (task) => {
    task.spawn("child", (child) => child.sleep("1h"));
    await task.sleep("1h");
  });
  await turn();
  const all = names(app.tasks());
  expect(new Set(all.slice(0, 3))).toEqual(new Set(["live", "parent", "child"]));
  expect(all.slice(3)).toEqual(["third", "second", "first"]);
  const below = names(inner.tasks());
  expect(new Set(below.slice(0, 2))).toEqual(new Set(["parent", "child"]));
  expect(below.slice(2)).toEqual(["second"]);
});

test("4.3 every task leaves a record; the newest 1,000 stay in a ring", async () => {
  const app = stage.open();
  for (let n = 0; n < 1100; n++) app.spawn("t", () => {}, { attributes: { n } });
  await turn();
  await turn();
  const records = [...app.tasks()];
  expect(records).toHaveLength(1000);
  expect(records[0]?.attributes).toEqual({ n: 1099 });
  expect(records.at(-1)?.attributes).toEqual({ n: 100 });
  expect(app.stats()).toMatchObject({ spawned: 1100, succeeded: 1100, live: 0 });
});

test("4.3 ... (option)", async () => {
  const app = stage.open("app", { records: 3 });
  for (let n = 0; n < 5; n++) await app.spawn(`t${n}`, () => {});
  expect(names(app.tasks())).toEqual(["t4", "t3", "t2"]);
});

test("4.3 a Task in hand keeps its own record when the ring has moved on", async () => {
  const app = stage.open("app", { records: 1 });
  const task = app.spawn("mine", () => {}, { attributes: { a: 1 } });
  await task;
  for (let n = 0; n < 5; n++) await app.spawn("other", () => {});
  expect(task.info()).toMatchObject({
    name: "mine",
    path: "app/mine",
    state: "succeeded",
    attributes: { a: 1 },
  });
});

test("4.1 stats(): counts of a scope and all below it", async () => {
  const app = stage.open("app", { onError: () => {} });
  const inner = app.scope("inner", { concurrency: 1 });
  await app.spawn("good", () => {});
  await inner.spawn("bad", () => Promise.reject(new Error("x"))).outcome();
  const stopped = inner.spawn("stopped", (task) => task.sleep("1h"));
  await turn();
  await stopped.cancel();
  const stuck = inner.spawn("stuck", () => forever(), { grace: "1s" });
  await turn();
  void stuck.cancel();
  await stage.clock.advance("1s");
  inner.spawn("running", (task) => task.sleep("1h"));
  inner.spawn("waiting", () => {});
  await turn();
  expect(app.stats()).toMatchObject({
    path: "app",
    state: "open",
    live: 2,
    waiting: 1,
    spawned: 6,
    succeeded: 1,
    failed: 1,
    cancelled: 1,
    lost: 0,
    abandoned: 1,
    late: 0,
  });
  expect(inner.stats()).toMatchObject({ path: "app/inner", live: 2, spawned: 5, succeeded: 0, failed: 1 });
});

test("4.1 stats(): what closed child scopes counted stays", async () => {
  const app = stage.open();
  const inner = app.scope("inner");
  await inner.spawn("a", () => {});
  await inner.close();
  expect(app.stats()).toMatchObject({ spawned: 1, succeeded: 1 });
});

test("4.3 counts and latency histograms by name stay", async () => {
  const app = stage.open("app", { onError: () => {}, records: 1 });
  const tasks: Task<void>[] = [];
  for (let n = 1; n <= 100; n++) tasks.push(app.spawn("query", (task) => task.sleep(n <= 95 ? 10 : 1000)));
  app.spawn("bad", () => Promise.reject(new Error("x")));
  app.spawn("live", (task) => task.sleep("1h"));
  await stage.clock.advance("1s");
  await Promise.all(tasks);
  const stats = app.stats().names;
  expect(stats["query"]).toMatchObject({ live: 0, succeeded: 100, failed: 0, p50: 16, p99: 1024 });
  expect(stats["bad"]).toMatchObject({ failed: 1, succeeded: 0 });
  expect(stats["live"]).toMatchObject({ live: 1, succeeded: 0 });
});

test("4.3 ... for at most 1,000 names, the rest under other (with one warning)", async () => {
  const app = stage.open();
  const warnings: string[] = [];
  const listener = (warning: Error): void => void warnings.push(warning.message);
  process.on("warning", listener);
  for (let n = 0; n < 1200; n++) app.spawn(`user-${n}`, () => {});
  await turn();
  await turn();
  process.removeListener("warning", listener);
  const stats = app.stats().names;
  expect(Object.keys(stats).length).toBeLessThanOrEqual(1001);
  expect(stats["other"]).toMatchObject({ succeeded: 200 });
  expect([...warnings, ...stage.takeReports()]).toHaveLength(1);
});

test("4.1 tree(): scopes, tasks and children as plain data", async () => {
  const app = stage.open("app", { attributes: { version: 3 } });
  const inner = app.scope("inner", { attributes: { tenant: 7 } });
  inner.spawn("parent", async (task) => {
    task.spawn("child", (child) => child.sleep("1h"));
    await task.sleep("1h");
  });
  app.group("g", (group) => {
    group.spawn("member", (task) => task.sleep("1h"));
  });
  await app.spawn("ended", () => {});
  await turn();
  const tree = app.tree();
  expect(tree).toMatchObject({ name: "app", path: "app", state: "open", attributes: { version: 3 } });
  expect(tree.tasks).toMatchObject([{ name: "g", tasks: [{ name: "member", tasks: [] }] }]);
  expect(tree.scopes).toMatchObject([
    {
      name: "inner",
      path: "app/inner",
      attributes: { tenant: 7 },
      scopes: [],
      tasks: [{ name: "parent", path: "app/inner/parent", state: "running", tasks: [{ name: "child" }] }],
    },
  ]);
  expect(JSON.parse(JSON.stringify(tree))).toEqual(tree);
});

test("4.2 hidden helpers are not tasks for the outside: a timeout block, a shield, a defer", async () => {
  const app = stage.open();
  const task = app.spawn("a", async (self: TaskContext) => {
    self.defer(() => self.sleep("1s"));
    await self.timeout("1h", () => self.shield(() => self.sleep("1s")));
  });
  await turn();
  expect(names(app.tasks())).toEqual(["a"]);
  expect(app.tree().tasks).toMatchObject([{ name: "a", tasks: [] }]);
  expect(app.stats()).toMatchObject({ live: 1, spawned: 1 });
  await stage.clock.advance("1s");
  expect(names(app.tasks())).toEqual(["a"]);
  await stage.clock.advance("1s");
  await task;
  expect(Object.keys(app.stats().names)).toEqual(["a"]);
});

test("4.1 set writes into the record, not into the caller's own attributes", async () => {
  const app = stage.open();
  const attributes = Object.freeze({ tenant: 1 });
  const tasks = ["a", "b"].map((name) =>
    app.spawn(name, (self) => self.set({ [name]: true }), { attributes }),
  );
  await Promise.all(tasks);
  expect(tasks.map((task) => task.info().attributes)).toEqual([
    { tenant: 1, a: true },
    { tenant: 1, b: true },
  ]);
});

test("4.3 latencies are those of runs: what never started has none", async () => {
  const app = stage.open();
  await stage.clock.advance("1h");
  const task = app.spawn("a", () => {}, { delay: "1m" });
  await stage.clock.advance("10s");
  await task.cancel();
  expect(app.stats().names["a"]).toMatchObject({ cancelled: 1, p50: 0, p99: 0 });
});
