import { expect, test } from "vitest";
import type { Task } from "../../src/core/index.ts";
import { journal, turn, useStage } from "./stage.ts";

const stage = useStage();

test("4.2 Starting: run is first called from a microtask, after spawn has returned, in spawn order", async () => {
  const app = stage.open();
  const other = app.scope("other");
  const log: string[] = [];
  process.nextTick(() => log.push("tick"));
  app.spawn("a", () => void log.push("a"));
  other.spawn("b", () => void log.push("b"));
  app.spawn("c", () => void log.push("c"));
  log.push("spawned");
  await turn();
  expect(log).toEqual(["spawned", "a", "b", "c", "tick"]);
});

test("4.2 Starting: run is first called from a microtask, also when spawned from a plain callback", async () => {
  const app = stage.open();
  const log: string[] = [];
  setImmediate(() => {
    queueMicrotask(() => log.push("before"));
    app.spawn("a", () => void log.push("a"));
    queueMicrotask(() => log.push("after"));
    log.push("callback");
  });
  await turn();
  await turn();
  expect(log).toEqual(["callback", "before", "a", "after"]);
});

test("4.2 Starting: in spawn order, also what a starting task spawns: behind those spawned before", async () => {
  const app = stage.open();
  const log: string[] = [];
  app.spawn("a", (task) => {
    log.push("a");
    task.spawn("child", () => void log.push("child"));
  });
  app.spawn("b", () => void log.push("b"));
  await turn();
  expect(log).toEqual(["a", "b", "child"]);
});

test("4.2 Starting: a task is waiting until its first turn, then running, then terminal", async () => {
  const app = stage.open();
  const states: string[] = [];
  const task: Task<string> = app.spawn("a", () => {
    states.push(task.state);
    return "done";
  });
  states.push(task.state);
  await turn();
  states.push(task.state);
  expect(states).toEqual(["waiting", "running", "succeeded"]);
  expect(await task).toBe("done");
});

test("4.2 Starting: a task cancelled before that never runs", async () => {
  const app = stage.open();
  const events = journal(app, "spawn", "start", "end");
  let calls = 0;
  const task = app.spawn("a", () => void calls++);
  const outcome = await task.cancel("changed my mind");
  await turn();
  expect(calls).toBe(0);
  expect(outcome).toMatchObject({ state: "cancelled", reason: { reason: "changed my mind" } });
  expect(task.info()).toMatchObject({ state: "cancelled", attempt: 0 });
  expect(task.info().startedAt).toBeUndefined();
  expect(events).toEqual(["spawn a", "end a"]);
});

test("4.2 Starting: a task of a scope that is cancelled before its first turn never runs", async () => {
  const app = stage.open();
  let calls = 0;
  const task = app.spawn("a", () => void calls++);
  await app.cancel();
  expect(calls).toBe(0);
  expect(task.state).toBe("cancelled");
});

test("4.2 Starting: spawn never throws what run throws", async () => {
  const app = stage.open();
  const error = new Error("boom");
  const sync = app.spawn("sync", () => {
    throw error;
  });
  const thenable = app.spawn("thenable", () => ({
    then(): never {
      throw error;
    },
  }));
  const getter = app.spawn("getter", () => ({
    get then(): never {
      throw error;
    },
  }));
  for (const task of [sync, thenable, getter]) {
    expect(await task.outcome()).toEqual({ state: "failed", error });
  }
});

test("4.2 Starting: run may return a value, a promise, or any thenable", async () => {
  const app = stage.open();
  expect(await app.spawn("value", () => 1)).toBe(1);
  expect(await app.spawn("promise", async () => 2)).toBe(2);
  const thenable = {
    then: (resolve: (value: number) => void): void => resolve(3),
  } as unknown as PromiseLike<number>;
  expect(await app.spawn("thenable", () => thenable)).toBe(3);
});

test("4.2 Starting: a task's path says where it stands: courier/requests/42/welcome-mail", async () => {
  const app = stage.open("courier");
  const request = app.scope("requests").scope("42");
  let inside = "";
  let child = "";
  const task = request.spawn("welcome-mail", (self) => {
    inside = self.path;
    child = self.spawn("render", () => {}).path;
  });
  await task;
  expect(request.path).toBe("courier/requests/42");
  expect(task.path).toBe("courier/requests/42/welcome-mail");
  expect(inside).toBe(task.path);
  expect(task.info().path).toBe(task.path);
  expect(child).toBe("courier/requests/42/welcome-mail/render");
});

test("4.2 Starting: a group's tasks stand below the group", async () => {
  const app = stage.open("courier");
  const paths: string[] = [];
  const group = app.group("fan-out", (scope) => {
    paths.push(scope.path);
    paths.push(scope.spawn("a", () => {}).path);
  });
  await group;
  expect([group.path, ...paths]).toEqual(["courier/fan-out", "courier/fan-out", "courier/fan-out/a"]);
});

test("4.1 ids are numbers of their own, one for each task", () => {
  const app = stage.open();
  const ids = Array.from({ length: 5 }, (_, n) => app.spawn(`t${n}`, () => {}).id);
  expect(new Set(ids).size).toBe(5);
  expect(ids.every((id) => Number.isSafeInteger(id))).toBe(true);
});
