import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { expect, test, vi } from "vitest";
import type { Scope, ScopeEvent, ScopeEventName } from "../../src/core/index.ts";
import { isHeard, kinds } from "../../src/core/events.ts";
import { ScopeView } from "../../src/core/scope-view.ts";
import { forever, journal, rejection, stubborn, turn, useStage } from "./stage.ts";

const stage = useStage();
const names = ["spawn", "start", "retry", "restart", "cancel", "end", "late", "finding", "state"] as const;

/** One of each: everything that can happen to a task or a scope. */
async function everything(app: Scope): Promise<void> {
  await app.spawn("plain", () => {});
  app.spawn("flaky", (task) => (task.attempt === 1 ? Promise.reject(new Error("flaky")) : 1), {
    retry: { attempts: 2, kind: "constant", min: "1s", jitter: "none" },
  });
  app.service(
    "service",
    (task) => (task.attempt === 1 ? Promise.reject(new Error("crash")) : task.sleep("1h")),
    {
      backoff: { kind: "constant", min: "1s", jitter: "none" },
    },
  );
  const { run, release } = stubborn();
  const stuck = app.spawn("stubborn", run, { grace: "1s" });
  void stuck.outcome();
  await turn();
  void stuck.cancel("enough");
  await stage.clock.advance("1s");
  release();
  await turn();
  await app.close();
}

test("4.1 on: each event has its type, a moment, a sentence, and its task or scope as plain data", async () => {
  const app = stage.open();
  const events: ScopeEvent[] = [];
  for (const name of names) app.on(name, (event: ScopeEvent) => events.push(event));
  await everything(app);
  expect(new Set(events.map((event) => event.type))).toEqual(new Set(names));
  for (const event of events) {
    expect(event.text.length).toBeGreaterThan(0);
    expect(event.at).toBeGreaterThanOrEqual(stage.clock.wall - 10_000);
    expect(event.at).toBeLessThanOrEqual(stage.clock.wall);
    expect(event.text).toContain(event.type === "state" ? event.scope : event.task?.path);
    expect(JSON.parse(JSON.stringify(event))).toEqual(event);
  }
});

test("4.1 on: the events of one task, in order", async () => {
  const app = stage.open();
  const lines = journal(app, ...names);
  app.spawn("flaky", (task) => (task.attempt === 1 ? Promise.reject(new Error("flaky")) : task.sleep("1h")), {
    retry: { attempts: 2, kind: "constant", min: "1s", jitter: "none" },
  });
  await stage.clock.advance("1s");
  await app.cancel();
  expect(lines.filter((line) => line.endsWith(" flaky"))).toEqual([
    "spawn flaky",
    "start flaky",
    "retry flaky",
    "start flaky",
    "cancel flaky",
    "end flaky",
  ]);
});

test("4.1 on: what happens here and below is heard, what happens above and beside is not", async () => {
  const app = stage.open();
  const inner = app.scope("inner");
  const heard = { app: journal(app, "end"), inner: journal(inner, "end") };
  await app.spawn("above", () => {});
  await inner.scope("deep").spawn("below", (task) => {
    task.spawn("child", () => {});
  });
  await app.scope("beside").spawn("next door", () => {});
  expect(heard.inner).toEqual(["end child", "end below"]);
  expect(heard.app).toEqual(["end above", "end child", "end below", "end next door"]);
});

test("4.1 on: returns the function that stops listening", async () => {
  const app = stage.open();
  const heard: string[] = [];
  const off = app.on("end", (event) => heard.push(event.task.name));
  const other = app.on("end", (event) => heard.push(`other: ${event.task.name}`));
  await app.spawn("a", () => {});
  off();
  off();
  await app.spawn("b", () => {});
  other();
  await app.spawn("c", () => {});
  expect(heard).toEqual(["a", "other: a", "other: b"]);
});

test("4.5 on: a listener makes events of its own kind only, anywhere in the tree of its root", () => {
  const app = stage.open();
  const inner = app.scope("inner");
  const heard = (): string[] => names.filter((name) => isHeard(ScopeView.nodeOf(app), kinds[name]));
  expect(heard()).toEqual([]);
  const off = inner.on("end", () => {});
  inner.on("state", () => {});
  expect(heard()).toEqual(["end", "state"]);
  off();
  expect(heard()).toEqual(["state"]);
  void inner.cancel();
  expect(heard()).toEqual([]);
});

test("4.1 on: a listener registered twice is heard as often as it is registered, or once; off ends its own", async () => {
  const app = stage.open();
  let calls = 0;
  const listener = (): void => void calls++;
  const first = app.on("end", listener);
  const second = app.on("end", listener);
  await app.spawn("a", () => {});
  expect(calls).toBeGreaterThan(0);
  first();
  second();
  calls = 0;
  await app.spawn("b", () => {});
  expect(calls).toBe(0);
});

test("4.3 a listener that throws hurts neither the task nor the other listeners, and is not silent", async () => {
  const errors: unknown[] = [];
  const app = stage.open("app", { onError: (error) => errors.push(error) });
  const broken = new Error("listener broke");
  const heard: string[] = [];
  for (const name of ["spawn", "start", "cancel", "end", "state"] as const) {
    app.on(name, () => {
      throw broken;
    });
    app.on(name, () => heard.push(name));
  }
  expect(await app.spawn("a", () => "fine")).toBe("fine");
  await app.close();
  await turn();
  expect(heard).toEqual(["spawn", "start", "end", "state", "state"]);
  expect([...errors, ...stage.takeReports()].length).toBeGreaterThan(0);
});

test("4.3 a console that throws, too, holds up nothing, and is told of outside of everybody's work", async () => {
  const broken = new Error("console broke");
  const printed = vi.spyOn(console, "error").mockImplementation(() => {
    throw broken;
  });
  const uncaught: unknown[] = [];
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException").on("uncaughtException", (error) => uncaught.push(error));
  try {
    const app = stage.open();
    app.on("end", () => {
      throw new Error("listener broke");
    });
    const tasks = ["a", "b"].map((name) => app.spawn(name, () => Promise.reject(new Error(name))));
    await turn();
    await turn();
    expect(tasks.map((task) => task.state)).toEqual(["failed", "failed"]);
    await app.untilIdle();
    // Two listeners, two failures.
    expect(uncaught).toEqual([broken, broken, broken, broken]);
  } finally {
    process.removeAllListeners("uncaughtException");
    for (const listener of others) process.on("uncaughtException", listener);
    printed.mockImplementation(() => {});
  }
});

test("4.3 a listener may spawn, cancel and stop listening", async () => {
  const app = stage.open();
  const ran: string[] = [];
  const off = app.on("start", (event) => {
    off();
    ran.push(event.task.name);
    app.spawn("by the listener", () => void ran.push("spawned"));
  });
  const victim = app.spawn("victim", (task) => task.sleep("1h"));
  app.on("start", () => void victim.cancel());
  await turn();
  await app.untilIdle();
  expect(ran).toEqual(["victim", "spawned"]);
  expect(victim.state).toBe("cancelled");
});

test("4.1 diagnostics_channel: every transition is published on holdfast:<event>, its message the event", async () => {
  const app = stage.open();
  const published: [ScopeEventName, unknown][] = [];
  const heard: [ScopeEventName, unknown][] = [];
  const listeners = names.map(
    (name) => [`holdfast:${name}`, (message: unknown) => published.push([name, message])] as const,
  );
  for (const [name, listener] of listeners) subscribe(name, listener);
  for (const name of names) app.on(name, (event: ScopeEvent) => heard.push([name, event]));
  try {
    await everything(app);
  } finally {
    for (const [name, listener] of listeners) unsubscribe(name, listener);
  }
  expect(new Set(published.map(([name]) => name))).toEqual(new Set(names));
  expect(published).toEqual(heard);
  expect(names.some((name) => channel(`holdfast:${name}`).hasSubscribers)).toBe(false);
});

test("4.1 diagnostics_channel: a subscriber that comes later hears from then on, and of every root", async () => {
  const first = stage.open("first");
  const second = stage.open("second");
  const paths: string[] = [];
  const listener = (message: unknown): void => {
    paths.push((message as { task: { path: string } }).task.path);
  };
  await first.spawn("before", () => {});
  subscribe("holdfast:end", listener);
  await first.spawn("a", () => {});
  await second.spawn("b", () => {});
  unsubscribe("holdfast:end", listener);
  await first.spawn("after", () => {});
  expect(paths).toEqual(["first/a", "second/b"]);
});

test("4.1 the cancel event says who and why", async () => {
  const app = stage.open();
  const events: unknown[] = [];
  app.on("cancel", (event) => events.push(event));
  const task = app.spawn("a", (self) => self.sleep("1h"));
  await turn();
  await task.cancel("not needed");
  expect(events).toMatchObject([{ type: "cancel", task: { path: "app/a" }, error: { code: "ABORT_ERR" } }]);
  expect(JSON.stringify(events)).toContain("not needed");
});

test("4.1 the cancel event: once for each task that was asked to stop, however often", async () => {
  const app = stage.open();
  const lines = journal(app, "cancel");
  const task = app.spawn("parent", async (self) => {
    self.spawn("child", (child) => child.sleep("1h"));
    await self.sleep("1h");
  });
  await turn();
  void task.cancel();
  void task.cancel();
  await app.cancel();
  expect(lines.toSorted()).toEqual(["cancel child", "cancel parent"]);
});

test("4.1 the end event holds the terminal state and the error", async () => {
  const app = stage.open("app", { onError: () => {} });
  const ends: unknown[] = [];
  app.on("end", (event) => ends.push(event));
  app.spawn("good", () => {});
  app.spawn("bad", () => Promise.reject(new TypeError("boom", { cause: new Error("root of it") })));
  await turn();
  expect(ends).toMatchObject([
    { task: { name: "good", state: "succeeded" } },
    {
      task: {
        name: "bad",
        state: "failed",
        error: { name: "TypeError", message: "boom", cause: { message: "root of it" } },
      },
    },
  ]);
});

test("4.1 a state event of a scope that closes for a reason holds it", async () => {
  const app = stage.open();
  const events: ScopeEvent[] = [];
  app.on("state", (event) => events.push(event));
  await app.close({ reason: new Error("going home") });
  expect(events.map((event) => event.type === "state" && event.state)).toEqual(["closing", "closed"]);
  expect(events[0]).toMatchObject({ reason: { message: "going home" } });
});

test("4.2 an abandoned task: one finding, one end", async () => {
  const app = stage.open();
  const lines = journal(app, "finding", "end");
  const task = app.spawn("stuck", () => forever(), { grace: "1s" });
  const error = rejection(task);
  await turn();
  void task.cancel();
  await stage.clock.advance("1s");
  await error;
  expect(lines.toSorted()).toEqual(["end stuck", "finding stuck"]);
});

test("4.1 on: to stop listening at a scope that has closed takes no listener from anybody else", async () => {
  const app = stage.open();
  const inner = app.scope("inner");
  const heard = journal(app, "end");
  const off = inner.on("end", () => {});
  await inner.close();
  off();
  off();
  await app.spawn("a", () => {});
  expect(heard).toEqual(["end a"]);
});
