import { expect, test } from "vitest";
import { sleep, TaskCancelledError, TaskTimeoutError } from "../../src/core/index.ts";
import { rejection, stubborn, turn, useStage } from "./stage.ts";

const stage = useStage();

test("4.2 Cancelling: a value returned after a timeout is success", async () => {
  const app = stage.open();
  const task = app.spawn(
    "a",
    async (self) => {
      await rejection(self.sleep("1h"));
      return "partial";
    },
    { timeout: "1s", retry: { attempts: 5 } },
  );
  await stage.clock.advance("1s");
  expect(await task.outcome()).toEqual({ state: "succeeded", value: "partial" });
  expect(task.info().attempt).toBe(1);
});

test("4.2 Cancelling: a task whose cancel was requested and that returned a value has succeeded", async () => {
  const app = stage.open();
  const task = app.spawn("a", async (self) => {
    await rejection(self.sleep("1h"));
    return "anyway";
  });
  await turn();
  expect(await task.cancel()).toEqual({ state: "succeeded", value: "anyway" });
  expect(await task).toBe("anyway");
});

const cancelledBy: [string, (error: unknown) => unknown][] = [
  ["that error", (error) => error],
  [
    "an error that has it in its cause chain",
    (error) => new Error("outer", { cause: new Error("inner", { cause: error }) }),
  ],
  ["an error with the name AbortError", () => new DOMException("aborted", "AbortError")],
];

test.each(cancelledBy)(
  "4.2 Cancelling: a task ends cancelled if cancel was requested and what it threw is %s",
  async (_name, wrap) => {
    const app = stage.open();
    const task = app.spawn("a", async (self) => {
      throw wrap(await rejection(self.sleep("1h")));
    });
    await turn();
    expect(await task.cancel("why")).toEqual({ state: "cancelled", reason: task.signal.reason });
    expect(task.signal.reason).toMatchObject({ reason: "why" });
    expect(await rejection(task)).toBeInstanceOf(TaskCancelledError);
  },
);

test("4.2 Cancelling: a cause chain that is a ring does not hang the decision", async () => {
  const app = stage.open();
  const a = new Error("a");
  const b = new Error("b", { cause: a });
  a.cause = b;
  const task = app.spawn("a", async (self) => {
    await rejection(self.sleep("1h"));
    throw a;
  });
  const outcome = task.outcome();
  await turn();
  void task.cancel();
  expect(await outcome).toEqual({ state: "failed", error: a });
});

/** Throws at whatever is done with it, `instanceof` included. */
function untouchable(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

test("4.3 whatever the user's code throws: a task, a clean-up or a group that throws a revoked proxy fails", async () => {
  const errors: unknown[] = [];
  const app = stage.open("app", { onError: (error) => errors.push(error) });
  const cleanUp = app.spawn("clean-up", (self) => {
    self.defer(() => {
      throw untouchable();
    });
    throw untouchable();
  });
  const group = app.group("g", async (own) => {
    own.spawn("fails", () => {
      throw untouchable();
    });
    own.spawn("fails late", async (member) => {
      await rejection(member.sleep("1h"));
      throw untouchable();
    });
    await rejection(sleep("1h"));
    throw untouchable();
  });
  const outcomes = Promise.all([cleanUp.outcome(), group.outcome()]);
  await turn();
  expect(await outcomes).toMatchObject([{ state: "failed" }, { state: "failed" }]);
  // That of the clean-up: nobody awaits it.
  expect(errors).toHaveLength(1);
});

test("4.3 whatever the user's code gives as a reason: a revoked proxy cancels and closes like any other", async () => {
  const app = stage.open();
  const [task, other] = ["a", "b"].map((name) => app.spawn(name, (self) => self.sleep("1h")));
  await turn();
  expect((await task?.cancel(untouchable()))?.state).toBe("cancelled");
  expect(await app.cancel(untouchable())).toMatchObject({ cancelled: 1 });
  expect(other?.state).toBe("cancelled");
});

test("4.2 Cancelling: if it threw something else it has failed, and that is delivered", async () => {
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

test("4.2 Cancelling: another task's TaskCancelledError in a task that was not cancelled is a failure", async () => {
  const app = stage.open();
  const other = app.spawn("other", (self) => self.sleep("1h"));
  const task = app.spawn("a", () => other.then(() => {}));
  const outcome = task.outcome();
  await turn();
  await other.cancel();
  const ended = await outcome;
  expect(ended).toMatchObject({ state: "failed", error: { name: "AbortError", path: "app/other" } });
});

test("4.2 Cancelling: an AbortError in a task that was not cancelled is a failure", async () => {
  const app = stage.open();
  const error = new DOMException("aborted", "AbortError");
  const task = app.spawn("a", () => {
    throw error;
  });
  expect(await task.outcome()).toEqual({ state: "failed", error });
});

test("4.2 Cancelling: cancelled while waiting for a slot, run is never called", async () => {
  const app = stage.open("app", { concurrency: 1 });
  const { run, release } = stubborn();
  let calls = 0;
  app.spawn("first", run);
  const second = app.spawn("second", () => void calls++);
  await turn();
  expect(second.state).toBe("waiting");
  expect((await second.cancel()).state).toBe("cancelled");
  release();
  await turn();
  expect(calls).toBe(0);
});

test("4.2 Cancelling: cancelled while waiting for its delay, run is never called", async () => {
  const app = stage.open();
  let calls = 0;
  const task = app.spawn("later", () => void calls++, { delay: "1m" });
  await stage.clock.advance("59s");
  expect(task.state).toBe("waiting");
  expect((await task.cancel()).state).toBe("cancelled");
  await stage.clock.advance("1h");
  expect(calls).toBe(0);
});

test("4.2 Cancelling: cancelled in back-off: the last attempt's error is in the record", async () => {
  const app = stage.open();
  const task = app.spawn(
    "flaky",
    () => {
      throw new Error("attempt failed");
    },
    { retry: { attempts: 3, kind: "constant", min: "1m", jitter: "none" } },
  );
  await turn();
  expect(task.state).toBe("retrying");
  expect((await task.cancel("no more")).state).toBe("cancelled");
  const info = task.info();
  const errors = [info.error, info.error?.cause, ...(info.attempts ?? []).map((attempt) => attempt.error)];
  expect(errors.map((error) => error?.message)).toContain("attempt failed");
  expect(info).toMatchObject({ state: "cancelled", attempt: 1 });
});

test("4.2 Cancelling: cancelled in back-off: the last attempt's error is in the record, also if it is undefined", async () => {
  const app = stage.open();
  const task = app.spawn("flaky", () => Promise.reject(undefined), {
    retry: { attempts: 3, kind: "constant", min: "1m", jitter: "none" },
  });
  await stage.clock.advance("1m");
  await task.cancel();
  const error = { name: "NonError", message: "undefined" };
  expect(task.info()).toMatchObject({ state: "cancelled", error, attempts: [{ error }, { error }] });
});

test("4.3 Cancel is idempotent: a second cancel changes nothing", async () => {
  const app = stage.open();
  const task = app.spawn("a", (self) => self.shield(() => self.sleep("2s")).then(() => self.checkpoint()));
  await turn();
  const first = task.cancel("first");
  await stage.clock.advance("1s");
  const second = task.cancel("second");
  await stage.clock.advance("1s");
  const outcome = { state: "cancelled", reason: task.signal.reason };
  expect(task.signal.reason).toMatchObject({ reason: "first" });
  expect(await first).toEqual(outcome);
  expect(await second).toEqual(outcome);
  expect(await task.cancel("third")).toEqual(outcome);
});

test("4.3 Cancelling a task that has ended changes nothing", async () => {
  const app = stage.open();
  const task = app.spawn("a", () => 1);
  await task;
  expect(await task.cancel()).toEqual({ state: "succeeded", value: 1 });
  expect(task.signal.aborted).toBe(false);
});

test("4.2 Cancelling: an AbortError thrown after a timeout: awaiters get the timeout", async () => {
  const app = stage.open();
  const task = app.spawn(
    "a",
    (self) =>
      new Promise((_yes, no) => {
        self.signal.addEventListener("abort", () => no(new DOMException("aborted", "AbortError")));
      }),
    { timeout: "1s" },
  );
  const error = rejection(task);
  await stage.clock.advance("1s");
  expect(await error).toBeInstanceOf(TaskTimeoutError);
});

test("4.2 Cancelling: something else thrown after a timeout is what awaiters get", async () => {
  const app = stage.open();
  const other = new Error("other");
  const task = app.spawn(
    "a",
    async (self) => {
      await rejection(self.sleep("1h"));
      throw other;
    },
    { timeout: "1s" },
  );
  const error = rejection(task);
  await stage.clock.advance("1s");
  expect(await error).toBe(other);
});
