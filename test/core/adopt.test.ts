import { expect, test } from "vitest";
import { TaskCancelledError, TaskTimeoutError } from "../../src/core/index.ts";
import { deferred, forever, rejection, turn, useStage } from "./stage.ts";

const stage = useStage();

test("4.1 adopt owns a promise that somebody else started", async () => {
  const app = stage.open();
  const gate = deferred<string>();
  const task = app.adopt("legacy", gate.promise);
  expect(app.stats().live).toBe(1);
  gate.resolve("value");
  expect(await task).toBe("value");
  expect(task.path).toBe("app/legacy");
  expect(task.info().state).toBe("succeeded");
});

test("4.1 adopt: its rejection is the task's failure", async () => {
  const app = stage.open();
  const error = new Error("boom");
  expect(await app.adopt("legacy", Promise.reject(error)).outcome()).toEqual({ state: "failed", error });
});

test("4.2 adopt: cancel detaches at once (cancelled)", async () => {
  const app = stage.open();
  const task = app.adopt("legacy", forever());
  await turn();
  expect((await task.cancel("why")).state).toBe("cancelled");
  expect(await rejection(task)).toBeInstanceOf(TaskCancelledError);
  expect(stage.now()).toBe(0);
});

test("4.2 adopt: ... also before its first turn, and with its scope", async () => {
  const app = stage.open();
  const first = app.adopt("first", forever());
  expect((await first.cancel()).state).toBe("cancelled");
  const second = app.adopt("second", forever());
  await turn();
  expect(await app.cancel()).toMatchObject({ cancelled: 1, abandoned: [] });
  expect(second.state).toBe("cancelled");
});

test("4.2 adopt: its later rejection is consumed and recorded as late", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (error) => delivered.push(error) });
  const late: unknown[] = [];
  app.on("late", (event) => late.push(event));
  const gate = deferred();
  const task = app.adopt("legacy", gate.promise);
  await turn();
  await task.cancel();
  gate.reject(new Error("too late"));
  await turn();
  await turn();
  expect(late).toMatchObject([
    { type: "late", error: { message: "too late" }, task: { path: "app/legacy" } },
  ]);
  expect(delivered).toEqual([]);
  expect(task.state).toBe("cancelled");
  expect(app.stats().late).toBe(1);
});

test("4.2 adopt: a rejection of a promise whose task was cancelled before its first turn is consumed too", async () => {
  const app = stage.open();
  const task = app.adopt("legacy", Promise.reject(new Error("boom")));
  void task.cancel();
  await turn();
  await turn();
  expect(stage.takeUnhandled()).toEqual([]);
  expect(["cancelled", "failed"]).toContain(task.state);
});

test("4.1 adopt: a timeout detaches and is the failure", async () => {
  const app = stage.open();
  const task = app.adopt("legacy", forever(), { timeout: "1s" });
  const error = rejection(task);
  await stage.clock.advance("1s");
  expect(await error).toBeInstanceOf(TaskTimeoutError);
  expect(task.state).toBe("failed");
});

test("4.1 adopt: takes any thenable", async () => {
  const app = stage.open();
  const thenable = {
    then: (resolve: (value: number) => void): void => resolve(7),
  } as unknown as PromiseLike<number>;
  expect(await app.adopt("thenable", thenable)).toBe(7);
});
