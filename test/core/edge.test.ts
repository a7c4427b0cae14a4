import { expect, test } from "vitest";
import { openScope, type Scope, type Task, type TaskContext } from "../../src/core/index.ts";
import { deferred, forever, rejection, turn, useStage } from "./stage.ts";

const stage = useStage();
const DEPTH = 10_000;
/** ms that a test may take on a machine with much else to do; alone none takes more than a few seconds. */
const HEAVY = 120_000;

/** Scopes in one another; returns the innermost. */
function nest(root: Scope, depth: number): Scope {
  let scope = root;
  for (let n = 0; n < depth; n++) scope = scope.scope("s");
  return scope;
}

test(
  "a scope tree 10,000 deep: spawn, fail, stats, tree and close without recursion on the stack",
  async () => {
    const delivered: unknown[] = [];
    const app = stage.open("app", { onError: (error) => delivered.push(error) });
    const deepest = nest(app, DEPTH);
    const error = new Error("boom");
    deepest.spawn("bad", () => Promise.reject(error));
    const task = deepest.spawn("a", (self) => self.sleep("1h"));
    await turn();
    expect(delivered).toEqual([error]);
    expect(app.stats()).toMatchObject({ live: 1, spawned: 2, failed: 1 });
    expect([...app.tasks()].map((info) => info.name)).toEqual(["a", "bad"]);
    expect(task.path).toHaveLength("app".length + DEPTH * 2 + "/a".length);
    let levels = 0;
    for (let at = app.tree(); at.scopes[0] !== undefined; at = at.scopes[0]) levels++;
    expect(levels).toBe(DEPTH);
    const report = await app.close();
    expect(report).toMatchObject({ cancelled: 1, abandoned: [] });
    expect(deepest.state).toBe("closed");
  },
  HEAVY,
);

test(
  "a scope tree 10,000 deep drains, and is idle, from the bottom up",
  async () => {
    const app = stage.open();
    const deepest = nest(app, DEPTH);
    deepest.spawn("a", (self) => self.sleep("1s"));
    await turn();
    const idle = app.untilIdle();
    const closing = app.close({ drain: "10s" });
    await stage.clock.advance("1s");
    await idle;
    expect(await closing).toMatchObject({ succeeded: 1, ms: 1000 });
  },
  HEAVY,
);

test(
  "children 10,000 deep: cancel reaches the last one, and all end",
  async () => {
    const app = stage.open();
    const dug = deferred<TaskContext>();
    const dig =
      (depth: number) =>
      (task: TaskContext): unknown => {
        if (depth > 0) return task.spawn("c", dig(depth - 1));
        dug.resolve(task);
        return task.sleep("1h");
      };
    const top = app.spawn("top", dig(DEPTH));
    const deepest = await dug.promise;
    expect(app.stats().live).toBe(DEPTH + 1);
    expect((await top.cancel()).state).toBe("cancelled");
    expect(app.stats()).toMatchObject({ live: 0, cancelled: DEPTH + 1 });
    expect(deepest.signal.aborted).toBe(true);
  },
  HEAVY,
);

test(
  "children 10,000 deep, abandoned leaves first",
  async () => {
    const app = stage.open("app", { onError: () => {}, records: DEPTH + 1 });
    const ends: unknown[] = [];
    app.on("end", (event) => ends.push(event.task.attributes["depth"]));
    const dug = deferred();
    const dig =
      (depth: number) =>
      (task: TaskContext): unknown => {
        task.set({ depth });
        if (depth === 0) dug.resolve();
        else task.spawn("c", dig(depth - 1));
        return forever();
      };
    const top = app.spawn("top", dig(DEPTH), { grace: "1s" });
    await dug.promise;
    void top.cancel();
    await stage.clock.advance("1s");
    expect(ends).toEqual(Array.from({ length: DEPTH + 1 }, (_, n) => n));
  },
  HEAVY,
);

test(
  "a chain of 10,000 tasks that await one another: the deadlock search does not recurse, and finds the cycle",
  async () => {
    const app = stage.open();
    const tasks: Task<unknown>[] = [];
    let error: unknown;
    for (let n = 0; n < DEPTH; n++) tasks.push(app.spawn("t", () => tasks[n + 1]));
    tasks.push(
      app.spawn("last", async () => {
        await turn();
        error = await rejection(tasks[0] as Task<unknown>);
        return "cut";
      }),
    );
    expect(await tasks[0]).toBe("cut");
    expect(error).toMatchObject({ code: "HF_DEADLOCK" });
  },
  HEAVY,
);

test(
  "1,000,000 live tasks: spawned, counted, ended, in bounded time and memory",
  async () => {
    const COUNT = 1_000_000;
    // Of the processor, not of the wall: who else runs on the machine is no business of this test.
    const before = process.cpuUsage();
    const heapBefore = process.memoryUsage().heapUsed;
    const app = stage.open("million", { records: 10 });
    // One promise for all: what is weighed is what holdfast adds.
    const gate = deferred();
    for (let n = 0; n < COUNT; n++) app.spawn("t", () => gate.promise);
    await turn();
    expect(app.stats()).toMatchObject({ live: COUNT, waiting: 0, spawned: COUNT });
    const bytes = (process.memoryUsage().heapUsed - heapBefore) / COUNT;
    gate.resolve();
    await app.untilIdle();
    expect(app.stats()).toMatchObject({ live: 0, succeeded: COUNT, names: { t: { succeeded: COUNT } } });
    expect([...app.tasks()]).toHaveLength(10);
    const seconds = process.cpuUsage(before).user / 1e6;
    expect(bytes).toBeLessThan(2000);
    expect(seconds).toBeLessThan(20);
  },
  HEAVY,
);

test(
  "100,000 tasks that sleep: one cancel of their scope ends them all",
  async () => {
    const app = stage.open();
    for (let n = 0; n < 100_000; n++) app.spawn("sleeper", (task) => task.sleep("1h"));
    await turn();
    expect(app.stats()).toMatchObject({ live: 100_000 });
    expect(await app.cancel()).toMatchObject({ cancelled: 100_000, abandoned: [] });
    expect(stage.now()).toBe(0);
  },
  HEAVY,
);

test("a thenable that settles twice, or throws after it has settled, counts once", async () => {
  const app = stage.open();
  const twice = {
    then(resolve: (value: number) => void, reject: (error: unknown) => void): void {
      resolve(1);
      resolve(2);
      reject(new Error("late"));
      throw new Error("later");
    },
  } as unknown as PromiseLike<number>;
  expect(await app.spawn("a", () => twice)).toBe(1);
  expect(await app.adopt("b", twice)).toBe(1);
});

test("a thenable that never settles is cancelled by grace like any other", async () => {
  const app = stage.open();
  const never = { then: () => {} } as unknown as PromiseLike<number>;
  const task = app.spawn("a", () => never, { grace: "1s" });
  void task.outcome();
  await turn();
  const ending = task.cancel();
  await stage.clock.advance("1s");
  expect((await ending).state).toBe("abandoned");
});

test("a promise of a subclass, or with its own then, is taken like any thenable", async () => {
  const app = stage.open();
  class Query extends Promise<string> {
    override then<A = string, B = never>(
      yes?: ((value: string) => A | PromiseLike<A>) | null,
      no?: ((error: unknown) => B | PromiseLike<B>) | null,
    ): Promise<A | B> {
      return super.then((value) => yes?.(value.toUpperCase()) as A, no);
    }
  }
  const query = new Query((resolve) => resolve("rows"));
  expect(await app.spawn("a", () => query)).toBe("ROWS");
});

test("a failure in every task of a burst is delivered, each once", async () => {
  const delivered = new Set<unknown>();
  let calls = 0;
  const app = stage.open("app", {
    onError: (error) => {
      calls++;
      delivered.add(error);
    },
  });
  for (let n = 0; n < 10_000; n++) app.spawn("t", () => Promise.reject(new Error(String(n))));
  await turn();
  await turn();
  expect(calls).toBe(10_000);
  expect(delivered.size).toBe(10_000);
});

test("names are strings with something in them, and need not be unique", async () => {
  const app = stage.open();
  const tasks = [app.spawn("same", () => 1), app.spawn("same", () => 2)];
  expect(await Promise.all(tasks)).toEqual([1, 2]);
  expect(app.scope("same")).not.toBe(app.scope("same"));
  expect(() => app.spawn("", () => {})).toThrow(RangeError);
  expect(() => app.scope("")).toThrow(RangeError);
  expect(() => openScope("")).toThrow(RangeError);
});
