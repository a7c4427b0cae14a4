import { expect, test } from "vitest";
import { TaskCancelledError, type Scope, type Task } from "../../src/core/index.ts";
import { deferred, forever, journal, rejection, track, turn, useStage } from "./stage.ts";

const stage = useStage();

const cancels: [string, (scope: Scope, reason: string) => Promise<unknown>, string | undefined][] = [
  ["scope.cancel(r)", (scope, reason) => scope.cancel(reason), "r"],
  ["close({ drain: 0, reason: r })", (scope, reason) => scope.close({ drain: 0, reason }), "r"],
  ["asyncDispose", (scope) => scope[Symbol.asyncDispose](), undefined],
];

test.each(cancels)(
  "4.2 Ending: %s cancels everything at once, and resolves when all has ended",
  async (_name, cancel, reason) => {
    const app = stage.open();
    const inner = app.scope("inner");
    const tasks = [app.spawn("a", (task) => task.sleep("1h")), inner.spawn("b", (task) => task.sleep("1h"))];
    await turn();
    await cancel(app, "r");
    expect(tasks.map((task) => task.state)).toEqual(["cancelled", "cancelled"]);
    expect([app.state, inner.state]).toEqual(["closed", "closed"]);
    for (const task of tasks) {
      const error = await rejection(task);
      expect(error).toBeInstanceOf(TaskCancelledError);
      expect(error).toMatchObject({ source: "scope", reason });
    }
    expect(stage.now()).toBe(0);
  },
);

test("4.2 Ending: await using closes the scope", async () => {
  let task: Task<void> | undefined;
  {
    await using app = stage.open();
    task = app.spawn("a", (self) => self.sleep("1h"));
  }
  expect(task.state).toBe("cancelled");
});

test("4.2 Ending: close() never rejects", async () => {
  const app = stage.open("app", {
    onError: () => {
      throw new Error("onError broke");
    },
  });
  app.defer(() => Promise.reject(new Error("clean-up broke")));
  app.spawn("bad", async (task) => {
    await rejection(task.sleep("1h"));
    throw new Error("task broke");
  });
  app.spawn("stubborn", () => forever());
  app.on("end", () => {
    throw new Error("listener broke");
  });
  await turn();
  const closing = app.close();
  await stage.clock.advance("1m");
  expect(await closing).toMatchObject({ path: "app", failed: 1, abandoned: [{ name: "stubborn" }] });
  stage.takeReports();
});

test("4.2 Ending: repeated calls share one report (what ended since the close began, descendants included)", async () => {
  const app = stage.open("app", { onError: () => {} });
  await app.spawn("before", () => {});
  const inner = app.scope("inner");
  app.spawn("parent", (task) => {
    task.spawn("child", (child) => child.sleep("1s"));
  });
  inner.spawn("deep", (task) => task.sleep("2s"));
  inner.spawn("late failure", (task) => task.sleep("1s").then(() => Promise.reject(new Error("boom"))));
  inner.spawn("too long", (task) => task.sleep("1h"));
  await turn();
  const reports = [app.close({ drain: "3s" }), app.close({ drain: "1h" }), app.close({ drain: "3s" })];
  await stage.clock.advance("3s");
  const [first, second, third] = await Promise.all(reports);
  expect(first).toMatchObject({
    path: "app",
    ms: 3000,
    succeeded: 3,
    failed: 1,
    cancelled: 1,
    lost: 0,
    abandoned: [],
  });
  expect(second).toBe(first);
  expect(third).toBe(first);
  expect(await app.close()).toBe(first);
  expect(await app.cancel()).toBe(first);
  expect(JSON.parse(JSON.stringify(first))).toMatchObject({ path: "app", succeeded: 3 });
});

test("4.2 Ending: a shorter deadline wins", async () => {
  const app = stage.open();
  const task = app.spawn("a", (self) => self.sleep("1h"));
  await turn();
  const first = app.close({ drain: "1h" });
  await stage.clock.advance("1s");
  const second = app.close({ drain: "2s" });
  await stage.clock.advance("1999ms");
  expect(task.state).toBe("running");
  await stage.clock.advance("1ms");
  expect(task.state).toBe("cancelled");
  expect(await second).toBe(await first);
});

test("4.2 Ending: ... and a longer one changes nothing", async () => {
  const app = stage.open();
  const task = app.spawn("a", (self) => self.sleep("1h"));
  await turn();
  const closing = app.close({ drain: "1s" });
  void app.close({ drain: "1h", grace: "1h" });
  await stage.clock.advance("1s");
  await closing;
  expect(task.state).toBe("cancelled");
});

test("4.2 Ending: cancel during a drain ends it at once", async () => {
  const app = stage.open();
  app.spawn("a", (self) => self.sleep("1h"));
  await turn();
  const closing = app.close({ drain: "1h" });
  expect(app.state).toBe("draining");
  await app.cancel();
  expect(await closing).toMatchObject({ cancelled: 1, ms: 0 });
});

test("4.2 Ending: defaults: drain 0, grace 5 s", async () => {
  const app = stage.open();
  app.spawn("stubborn", () => forever());
  const polite = app.spawn("polite", (task) => task.sleep("1h"));
  await turn();
  const closing = track(app.close());
  await turn();
  expect(polite.state).toBe("cancelled");
  expect(app.state).toBe("closing");
  await stage.clock.advance("4999ms");
  expect(closing.state).toBe("pending");
  await stage.clock.advance("1ms");
  expect(closing).toMatchObject({
    state: "fulfilled",
    value: { ms: 5000, abandoned: [{ name: "stubborn" }] },
  });
  stage.takeReports();
});

test("4.2 Ending: a scope's state only ever moves to the right, and each step is an event", async () => {
  const app = stage.open();
  const states = journal(app, "state");
  app.spawn("a", (task) => task.sleep("1s"));
  await turn();
  expect(app.state).toBe("open");
  const closing = app.close({ drain: "10s" });
  await stage.clock.advance("1s");
  await closing;
  expect(states).toEqual(["app draining", "app closing", "app closed"]);
});

test("4.2 Ending: scope.signal aborts when the scope begins to cancel what it owns", async () => {
  const app = stage.open();
  const inner = app.scope("inner");
  app.spawn("a", (task) => task.sleep("1s"));
  await turn();
  const { signal } = app;
  const closing = app.close({ drain: "10s", reason: "going home" });
  expect(signal.aborted).toBe(false);
  await stage.clock.advance("1s");
  await closing;
  expect(signal.aborted).toBe(true);
  expect(inner.signal.aborted).toBe(true);
});

test("4.2 Ending: a closed child scope leaves its parent open, and is no longer in its tree", async () => {
  const app = stage.open();
  const inner = app.scope("inner");
  await inner.close();
  expect(app.state).toBe("open");
  expect(app.tree().scopes).toEqual([]);
  expect(inner.parent).toBe(app);
});

test("4.2 Ending: a closed child scope's name may be used again", async () => {
  const app = stage.open();
  await app.scope("inner").close();
  const again = app.scope("inner");
  expect(await again.spawn("a", () => 1)).toBe(1);
});

test("4.2 Ending: a parent is closed only after its child scopes are", async () => {
  const app = stage.open();
  const states = journal(app, "state");
  app
    .scope("one")
    .scope("two")
    .spawn("slow", (task) => task.shield(() => task.sleep("1s")));
  await turn();
  const closing = app.close();
  await stage.clock.advance("1s");
  await closing;
  expect(states.filter((line) => line.endsWith("closed"))).toEqual([
    "app/one/two closed",
    "app/one closed",
    "app closed",
  ]);
});

test("4.2 Ending: requestClose begins to close and returns at once", async () => {
  const app = stage.open();
  const task = app.spawn("a", (self) => self.sleep("1h"));
  await turn();
  app.requestClose("asked");
  expect(app.state).not.toBe("open");
  expect((await task.outcome()).state).toBe("cancelled");
  expect(await rejection(task)).toMatchObject({ reason: "asked" });
  await turn();
  expect(app.state).toBe("closed");
});

test("4.1 a scope's timeout cancels it", async () => {
  const app = stage.open();
  const inner = app.scope("inner", { timeout: "2s" });
  const task = inner.spawn("a", (self) => self.sleep("1h"));
  const error = rejection(task);
  await stage.clock.advance("1999ms");
  expect(inner.state).toBe("open");
  await stage.clock.advance("1ms");
  expect(inner.state).toBe("closed");
  expect(await error).toMatchObject({ name: "AbortError", source: "deadline" });
  expect(app.state).toBe("open");
});

test("4.2 Ending: a cancel-all scope that failed delivers its failure to its parent's onError", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (error) => delivered.push(error) });
  const inner = app.scope("inner", {
    onFailure: "cancel-all",
    onError: () => expect.unreachable("it goes to the parent"),
  });
  const error = new Error("boom");
  const gate = deferred();
  const sibling = inner.spawn("sibling", (task) => task.sleep("1h"));
  inner.spawn("bad", async () => {
    await gate.promise;
    throw error;
  });
  await turn();
  gate.resolve();
  await turn();
  await turn();
  expect(sibling.state).toBe("cancelled");
  expect(await rejection(sibling)).toMatchObject({ source: "sibling" });
  expect(inner.state).toBe("closed");
  expect(app.state).toBe("open");
  expect(delivered).toEqual([error]);
});

test("4.2 Ending: ... of a root that is cancel-all, to the default reporter", async () => {
  const app = stage.open("app", { onFailure: "cancel-all" });
  app.spawn("bad", () => Promise.reject(new Error("boom")));
  await turn();
  await turn();
  expect(app.state).toBe("closed");
  expect(stage.takeReports().join("\n")).toContain("boom");
});

test("4.2 Ending: a cancel-all scope closes by a failure that somebody awaited, too", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (error) => delivered.push(error) });
  const inner = app.scope("inner", { onFailure: "cancel-all" });
  const error = new Error("x");
  const bad = inner.spawn("bad", () => Promise.reject(error));
  expect(await rejection(bad)).toBe(error);
  await turn();
  await turn();
  expect(inner.state).toBe("closed");
  expect(delivered).toEqual([error]);
});

test("4.2 Ending: a cancel-all scope is not closed by a failure of its tasks' children", async () => {
  const app = stage.open("app", { onError: () => {} });
  const inner = app.scope("inner", { onFailure: "cancel-all" });
  inner.spawn("a", async (self) => {
    self.spawn("bad", () => Promise.reject(new Error("x")));
    await self.sleep("1h");
  });
  await turn();
  await turn();
  expect(inner.state).toBe("open");
});

test("4.2 Ending: a scope and its parent closed at once: each has its report", async () => {
  const app = stage.open();
  const inner = app.scope("inner");
  inner.spawn("a", (task) => task.shield(() => task.sleep("1s")));
  await turn();
  const reports = Promise.all([inner.close(), app.close()]);
  await stage.clock.advance("1s");
  const [one, two] = await reports;
  expect(one).toMatchObject({ path: "app/inner", cancelled: 0, succeeded: 1 });
  expect(two).toMatchObject({ path: "app", cancelled: 0, succeeded: 1 });
});

test("4.2 Ending: a child scope that drains within a parent that drains keeps its own deadline", async () => {
  const app = stage.open();
  const inner = app.scope("inner");
  const a = inner.spawn("a", (task) => task.sleep("1h"));
  const b = app.spawn("b", (task) => task.sleep("1h"));
  await turn();
  const one = inner.close({ drain: "1s" });
  const two = app.close({ drain: "2s" });
  await stage.clock.advance("1s");
  await one;
  expect([a.state, b.state]).toEqual(["cancelled", "running"]);
  await stage.clock.advance("1s");
  await two;
  expect(b.state).toBe("cancelled");
});

test("4.2 Ending: the shortest grace of repeated calls holds, also from before the drain was over", async () => {
  const app = stage.open();
  const task = app.spawn("stubborn", () => forever());
  void task.outcome();
  await turn();
  const closing = app.close({ drain: "2s", grace: "1s" });
  void app.close({ drain: "2s", grace: "4s" });
  await stage.clock.advance("2999ms");
  expect(task.state).toBe("cancelling");
  await stage.clock.advance("1ms");
  expect(task.state).toBe("abandoned");
  await closing;
});

test("4.2 Ending: the first reason stays", async () => {
  const app = stage.open();
  app.spawn("a", (task) => task.shield(() => task.sleep("1s")));
  await turn();
  const { signal } = app;
  const first = app.cancel("first");
  void app.cancel("second");
  const task = app.signal;
  await stage.clock.advance("1s");
  await first;
  expect(task).toBe(signal);
  expect(signal.reason).toMatchObject({ reason: "first" });
});
