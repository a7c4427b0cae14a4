import { expect, test } from "vitest";
import { DeadlockError, type Scope, type Task } from "../../src/core/index.ts";
import { rejection, turn, useStage } from "./stage.ts";

const stage = useStage();

const closers: [string, (scope: Scope) => Promise<unknown>][] = [
  ["close", (scope) => scope.close()],
  ["cancel", (scope) => scope.cancel()],
  ["asyncDispose", (scope) => scope[Symbol.asyncDispose]()],
];

test.each(closers)(
  "4.2 Deadlock: %s of a scope from inside it rejects with DeadlockError, and still takes effect",
  async (_name, close) => {
    const app = stage.open();
    const inner = app.scope("inner");
    let error: unknown;
    const task = inner.spawn("a", async (self) => {
      error = await rejection(close(inner));
      await self.sleep("1h");
    });
    await turn();
    expect(error).toBeInstanceOf(DeadlockError);
    expect((error as DeadlockError).cycle).toContain("app/inner");
    expect(task.state).toBe("cancelled");
    expect(inner.state).toBe("closed");
  },
);

test("4.2 Deadlock: close of the root from deep inside it", async () => {
  const app = stage.open();
  let error: unknown;
  app
    .scope("one")
    .scope("two")
    .spawn("a", async (self) => {
      error = await rejection(app.close());
      self.throwIfCancelled();
    });
  await turn();
  await turn();
  expect(error).toBeInstanceOf(DeadlockError);
  expect(app.state).toBe("closed");
});

test("4.2 Deadlock: requestClose from inside needs no awaiting and no DeadlockError", async () => {
  const app = stage.open();
  const task = app.spawn("a", async (self) => {
    app.requestClose("enough");
    await self.sleep("1h");
  });
  expect((await task.outcome()).state).toBe("cancelled");
  await turn();
  expect(app.state).toBe("closed");
});

test("4.2 Deadlock: untilIdle from inside rejects with DeadlockError", async () => {
  const app = stage.open();
  let error: unknown;
  await app.scope("inner").spawn("a", async () => {
    error = await rejection(app.untilIdle());
  });
  expect(error).toBeInstanceOf(DeadlockError);
  await app.untilIdle();
});

test("4.2 Deadlock: a service may wait until its scope is idle, which ignores services", async () => {
  const app = stage.open();
  const log: string[] = [];
  app.service("watcher", async (task) => {
    await app.untilIdle();
    log.push(`idle at ${stage.now()}`);
    await task.sleep("1h");
  });
  app.spawn("work", (task) => task.sleep("1s"));
  await stage.clock.advance("2s");
  expect(log).toEqual(["idle at 1000"]);
});

test("4.2 Deadlock: closing a scope in its own defer", async () => {
  const app = stage.open();
  let error: unknown;
  app.defer(async () => {
    error = await rejection(app.close());
  });
  await app.close();
  expect(error).toBeInstanceOf(DeadlockError);
});

test("4.2 Deadlock: a cycle through one who closes a scope in which somebody awaits them", async () => {
  const app = stage.open();
  const inner = app.scope("inner");
  let error: unknown;
  const closer: Task<string> = app.spawn("closer", async () => {
    await turn();
    return (await inner.close()).path;
  });
  inner.spawn("a", async (self) => {
    await rejection(self.sleep("1h"));
    error = await rejection(closer.outcome());
    self.throwIfCancelled();
  });
  await turn();
  await turn();
  expect(error).toBeInstanceOf(DeadlockError);
  expect((error as DeadlockError).cycle).toEqual(expect.arrayContaining(["app/inner/a", "app/closer"]));
  expect(await closer).toBe("app/inner");
});

test("4.2 Deadlock: a cycle through one who waits until a scope is idle", async () => {
  const app = stage.open();
  const inner = app.scope("inner");
  let error: unknown;
  const waiter: Task<void> = app.spawn("waiter", () => inner.untilIdle());
  inner.spawn("a", async () => {
    await turn();
    error = await rejection(waiter);
  });
  await waiter;
  expect(error).toBeInstanceOf(DeadlockError);
});

test("4.2 Deadlock: a member of a group awaits the group", async () => {
  const app = stage.open();
  let error: unknown;
  const group: Task<string> = app.group("g", (scope) => {
    scope.spawn("member", async () => {
      error = await rejection(group.outcome());
    });
    return "value";
  });
  expect(await group).toBe("value");
  expect(error).toBeInstanceOf(DeadlockError);
  expect((error as DeadlockError).cycle).toEqual(expect.arrayContaining(["app/g", "app/g/member"]));
});
