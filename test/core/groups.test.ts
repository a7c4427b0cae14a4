import { expect, test } from "vitest";
import {
  ScopeClosedError,
  TaskAbandonedError,
  TaskCancelledError,
  shield,
  sleep,
  spawn,
  timeout,
  type Scope,
  type Task,
} from "../../src/core/index.ts";
import { deferred, forever, rejection, thrown, track, turn, useStage } from "./stage.ts";

const stage = useStage();

test("4.2 Groups: the body runs as the group's main task and receives its scope", async () => {
  const app = stage.open();
  const group = app.group("sum", async (scope) => {
    const parts = [scope.spawn("a", () => 1), scope.spawn("b", () => 2)];
    const values = await Promise.all(parts);
    return values[0]! + values[1]!;
  });
  expect(await group).toBe(3);
  expect(group.state).toBe("succeeded");
});

test("4.2 Groups: succeed together: the group ends after all its tasks", async () => {
  const app = stage.open();
  const group = app.group("g", (scope) => {
    scope.spawn("slow", (task) => task.sleep("2s"));
    return "value";
  });
  const outcome = track(group.outcome());
  await stage.clock.advance("1999ms");
  expect(outcome.state).toBe("pending");
  await stage.clock.advance("1ms");
  expect(outcome).toEqual({ state: "fulfilled", value: { state: "succeeded", value: "value" } });
});

test("4.2 Groups: the body takes no slot of the group's own limit", async () => {
  const app = stage.open();
  const order: string[] = [];
  const group = app.group(
    "g",
    async (scope) => {
      const one = scope.spawn("one", async (task) => {
        await task.sleep("1s");
        order.push("one");
      });
      const two = scope.spawn("two", () => void order.push("two"));
      await one;
      await two;
      order.push("body");
    },
    { concurrency: 1 },
  );
  await stage.clock.advance("1s");
  await group;
  expect(order).toEqual(["one", "two", "body"]);
});

test("4.2 Groups: every failure of a task spawned directly on the group's scope fails the group, not awaited", async () => {
  const app = stage.open("app", {
    onError: () => expect.unreachable("a group's failure goes to no onError"),
  });
  const error = new Error("boom");
  let body: unknown;
  const group = app.group("g", async (scope) => {
    scope.spawn("bad", () => Promise.reject(error));
    body = await rejection(sleep("1h"));
    throw body;
  });
  expect(await group.outcome()).toEqual({ state: "failed", error });
  expect(body).toMatchObject({ name: "AbortError", source: "sibling" });
  expect(stage.now()).toBe(0);
});

test("4.2 Groups: ... also of a task that a member spawned on the group's scope", async () => {
  const app = stage.open("app", {
    onError: () => expect.unreachable("a group's failure goes to no onError"),
  });
  const error = new Error("boom");
  const group = app.group("g", (scope) => {
    scope.spawn("member", () => {
      scope.spawn("bad", () => Promise.reject(error));
    });
  });
  expect(await group.outcome()).toEqual({ state: "failed", error });
});

test("4.2 Groups: every failure fails the group, awaited and caught by the body", async () => {
  const app = stage.open("app", {
    onError: () => expect.unreachable("a group's failure goes to no onError"),
  });
  const error = new Error("boom");
  let caught: unknown;
  const group = app.group("g", async (scope) => {
    caught = await rejection(
      scope.spawn("bad", () => {
        throw error;
      }),
    );
    return "the body is content";
  });
  expect(await group.outcome()).toEqual({ state: "failed", error });
  expect(caught).toBe(error);
});

test("4.2 Groups: a task's own onError is not called for a failure of the group", async () => {
  const app = stage.open();
  const error = new Error("boom");
  const group = app.group("g", (scope) => {
    scope.spawn("bad", () => Promise.reject(error), {
      onError: () => expect.unreachable("a group's failure goes to no onError"),
    });
  });
  expect(await group.outcome()).toEqual({ state: "failed", error });
});

test("4.2 Groups: it acts at once, after the child's awaiters were told: the rest is cancelled, all are awaited", async () => {
  const app = stage.open();
  const log: string[] = [];
  const error = new Error("boom");
  const gate = deferred();
  const group = app.group("g", async (scope) => {
    const bad = scope.spawn("bad", async () => {
      await gate.promise;
      throw error;
    });
    scope.spawn("rest", async (task) => {
      task.signal.addEventListener("abort", () => log.push(`rest cancelled at ${stage.now()}`));
      await rejection(task.sleep("1h"));
      await task.shield(() => task.sleep("1s"));
      log.push(`rest ended at ${stage.now()}`);
      task.throwIfCancelled();
    });
    await bad.catch(() => log.push("awaiter told"));
    await scope.spawn("never", () => {}).catch(() => {});
  });
  await turn();
  const outcome = track(group.outcome());
  gate.resolve();
  await turn();
  expect(log).toEqual(["awaiter told", "rest cancelled at 0"]);
  expect(outcome.state).toBe("pending");
  await stage.clock.advance("1s");
  expect(log.at(-1)).toBe("rest ended at 1000");
  expect(outcome).toEqual({ state: "fulfilled", value: { state: "failed", error } });
});

test("4.2 Groups: the rest is cancelled with the source sibling, and its body too", async () => {
  const app = stage.open();
  const error = new Error("boom");
  let body: unknown;
  let rest: Task<void> | undefined;
  const group = app.group("g", async (scope) => {
    rest = scope.spawn("rest", (task) => task.sleep("1h"));
    scope.spawn("bad", () => Promise.reject(error));
    body = await rejection(rest);
    throw body;
  });
  expect(await group.outcome()).toEqual({ state: "failed", error });
  expect(rest?.state).toBe("cancelled");
  expect(await rejection(rest as Task<void>)).toMatchObject({ source: "sibling" });
  expect(body).toBeInstanceOf(TaskCancelledError);
});

test("4.2 Groups: the group fails with AggregateError where several failed", async () => {
  const app = stage.open();
  const errors = [new Error("one"), new Error("two"), new Error("three")];
  const group = app.group("g", (scope) => {
    scope.spawn("one", () => Promise.reject(errors[0]));
    scope.spawn("two", () => Promise.reject(errors[1]));
    scope.spawn("clean-up", async (task) => {
      await rejection(task.sleep("1h"));
      throw errors[2];
    });
  });
  const error = await rejection(group);
  expect(error).toBeInstanceOf(AggregateError);
  expect((error as AggregateError).errors).toEqual(errors);
  expect((error as Error).message).toContain("app/g");
});

test("4.2 Groups: the same error object counts once", async () => {
  const app = stage.open();
  const error = new Error("boom");
  const group = app.group("g", async (scope) => {
    const bad = scope.spawn("bad", () => Promise.reject(error));
    scope.spawn("same", () => Promise.reject(error));
    await bad;
  });
  expect(await rejection(group)).toBe(error);
});

test("4.2 Groups: a body that throws fails the group, and the rest is cancelled", async () => {
  const app = stage.open();
  const error = new Error("body");
  let member: Task<void> | undefined;
  const group = app.group("g", (scope) => {
    member = scope.spawn("member", (task) => task.sleep("1h"));
    throw error;
  });
  expect(await rejection(group)).toBe(error);
  expect(member?.state).toBe("cancelled");
});

test("4.2 Groups: ambient spawn in the body is group.spawn", async () => {
  const app = stage.open();
  const error = new Error("boom");
  let child: Task<never> | undefined;
  const group = app.group("g", async () => {
    child = spawn("bad", () => Promise.reject(error));
    await child.outcome();
  });
  expect(await group.outcome()).toEqual({ state: "failed", error });
  expect(child?.path).toBe("app/g/bad");
});

test("4.2 Groups: grandchildren are isolated", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (error) => delivered.push(error) });
  const error = new Error("boom");
  const group = app.group("g", (scope) => {
    scope.spawn("child", async (task) => {
      task.spawn("grandchild", () => Promise.reject(error));
      await task.sleep("1s");
    });
    return "fine";
  });
  await stage.clock.advance("1s");
  expect(await group).toBe("fine");
  expect(delivered).toEqual([error]);
});

test("4.2 Groups: a single child cancelled by hand is no failure", async () => {
  const app = stage.open();
  const group = app.group("g", async (scope) => {
    const one = scope.spawn("one", (task) => task.sleep("1h"));
    scope.spawn("two", (task) => task.sleep("1s"));
    await turn();
    await one.cancel("not needed");
    return "fine";
  });
  await turn();
  await turn();
  await stage.clock.advance("1s");
  expect(await group).toBe("fine");
});

test("4.2 Groups: ScopeClosedError from the group's own ending counts as cancellation", async () => {
  const app = stage.open();
  const error = new Error("boom");
  const states: (string | undefined)[] = [];
  let late: unknown;
  const group = app.group("g", async (scope) => {
    const spawner = scope.spawn("spawner", async (task) => {
      await rejection(task.sleep("1h"));
      late = thrown(() => scope.spawn("late", () => {}));
      throw late;
    });
    scope.spawn("bad", () => Promise.reject(error));
    states.push((await spawner.outcome()).state);
  });
  expect(await group.outcome()).toEqual({ state: "failed", error });
  expect(late).toBeInstanceOf(ScopeClosedError);
  expect(states).toEqual(["cancelled"]);
});

test("4.2 Groups: cancelled from outside, it ends cancelled", async () => {
  const app = stage.open();
  let member: Task<void> | undefined;
  const group = app.group("g", (scope) => {
    member = scope.spawn("member", (task) => task.sleep("1h"));
  });
  await turn();
  expect(await group.cancel("from outside")).toMatchObject({
    state: "cancelled",
    reason: { reason: "from outside" },
  });
  expect(member?.state).toBe("cancelled");
});

test("4.2 Groups: a failing clean-up of a member fails a group that was cancelled", async () => {
  const app = stage.open();
  const error = new Error("clean-up broke");
  const group = app.group("g", (scope) => {
    scope.spawn("member", async (task) => {
      await rejection(task.sleep("1h"));
      throw error;
    });
  });
  void group.outcome();
  await turn();
  expect(await group.cancel()).toEqual({ state: "failed", error });
});

test("4.2 Groups: a failed group is delivered like a failed task", async () => {
  const delivered: [unknown, string][] = [];
  const app = stage.open("app", { onError: (error, task) => delivered.push([error, task.path]) });
  const error = new Error("boom");
  app.group("g", (scope) => {
    scope.spawn("bad", () => Promise.reject(error));
  });
  await turn();
  await turn();
  expect(delivered).toEqual([[error, "app/g"]]);
});

test("4.2 Groups: a group has the options of a task: timeout, retry, key", async () => {
  const app = stage.open();
  let runs = 0;
  const body = async (scope: Scope): Promise<string> => {
    runs++;
    if (runs > 1) return `attempt ${runs}`;
    await scope.spawn("slow", (task) => task.sleep("1h"));
    return "never";
  };
  const group = app.group("g", body, {
    timeout: "1s",
    key: "k",
    retry: { attempts: 2, min: 0, jitter: "none" },
  });
  expect(app.get("k")).toBe(group);
  expect(app.group("g", body, { key: "k" })).toBe(group);
  await stage.clock.advance("2s");
  expect(await group).toBe("attempt 2");
});

test("4.2 Groups: a group's scope is closed with the group", async () => {
  const app = stage.open();
  let scope: Scope | undefined;
  await app.group("g", (own) => {
    scope = own;
  });
  expect(scope?.state).toBe("closed");
  expect(thrown(() => scope?.spawn("late", () => {}))).toBeInstanceOf(ScopeClosedError);
});

test("4.2 Groups: a group whose body does not stop is abandoned", async () => {
  const app = stage.open();
  const group = app.group("g", () => forever(), { timeout: "1s", grace: "1s" });
  const error = rejection(group);
  await stage.clock.advance("2s");
  expect(await error).toBeInstanceOf(TaskAbandonedError);
});

test("4.2 Groups: a member that does not stop is abandoned, and the group fails", async () => {
  const app = stage.open();
  const error = new Error("boom");
  const group = app.group("g", (scope) => {
    scope.spawn("stubborn", () => forever(), { grace: "1s" });
    scope.spawn("bad", () => Promise.reject(error));
  });
  const outcome = track(group.outcome());
  await stage.clock.advance("1s");
  expect(outcome.state).toBe("fulfilled");
  expect(JSON.stringify((outcome.value as { state: string }).state)).toBe('"failed"');
});

const blocks: [string, (inside: () => Promise<unknown>) => Promise<unknown>][] = [
  ["shield", (inside) => shield(inside)],
  ["timeout", (inside) => timeout("1h", inside)],
];

test.each(blocks)(
  "4.2 Groups: ambient spawn in a %s of the body fails the group like any other",
  async (_name, block) => {
    const app = stage.open("app", {
      onError: () => expect.unreachable("a group's failure goes to no onError"),
    });
    const error = new Error("boom");
    let path = "";
    const group = app.group("g", async () => {
      await block(async () => {
        const bad = spawn("bad", () => Promise.reject(error));
        path = bad.path;
        await bad.outcome();
      });
    });
    expect(await group.outcome()).toEqual({ state: "failed", error });
    expect(path).toBe("app/g/bad");
  },
);
