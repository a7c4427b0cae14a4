import { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import {
  NoScopeError,
  ScopeClosedError,
  checkpoint,
  currentTask,
  group,
  shield,
  sleep,
  spawn,
  timeout,
  type Task,
  type TaskContext,
} from "../../src/core/index.ts";
import { deferred, rejection, thrown, turn, useStage } from "./stage.ts";

const stage = useStage();

test("4.2 Context: currentTask() is right after every await, also with tasks interleaved in one scope", async () => {
  const app = stage.open();
  const wrong: string[] = [];
  const check = (task: TaskContext, where: string): void => {
    if (currentTask() !== task) wrong.push(`${task.name} ${where}: ${currentTask()?.name}`);
  };
  const ended = app.spawn("ended", () => 1);
  await ended;
  const body = async (task: TaskContext): Promise<void> => {
    check(task, "at start");
    await Promise.resolve();
    check(task, "after a microtask");
    await turn();
    check(task, "after a turn");
    await task.checkpoint();
    check(task, "after a checkpoint");
    await task.sleep("10ms");
    check(task, "after a sleep");
    await ended;
    check(task, "after an ended task");
    await task.spawn("child", (child) => {
      check(child, "in the child");
      return child.sleep("10ms");
    });
    check(task, "after a child");
    await task.shield(async () => {
      check(task, "in a shield");
      await task.sleep("10ms");
      check(task, "in a shield after a sleep");
    });
    check(task, "after a shield");
    await task.timeout("1s", async () => check(task, "in a timeout"));
    check(task, "after a timeout");
    for await (const n of task.every("10ms")) {
      check(task, "in every");
      if (n === 2) break;
    }
    check(task, "after every");
    await rejection(Promise.reject(new Error("x")));
    check(task, "after a rejection");
  };
  const tasks = Array.from({ length: 10 }, (_, n) => app.spawn(`t${n}`, body));
  for (let round = 0; round < 20; round++) await stage.clock.advance("10ms");
  await Promise.all(tasks);
  expect(wrong).toEqual([]);
});

test("4.2 Context: outside of any task currentTask() is undefined, also after awaiting one", async () => {
  const app = stage.open();
  expect(currentTask()).toBeUndefined();
  const task = app.spawn("a", (self) => currentTask() === self);
  expect(currentTask()).toBeUndefined();
  expect(await task).toBe(true);
  expect(currentTask()).toBeUndefined();
  await turn();
  expect(currentTask()).toBeUndefined();
});

test("4.2 Context: a task spawned by another does not leak into it", async () => {
  const app = stage.open();
  await app.spawn("a", async (self) => {
    app.spawn("b", () => {});
    expect(currentTask()).toBe(self);
    await turn();
    expect(currentTask()).toBe(self);
  });
});

test("4.2 Context: the spawner's own async context is kept, so that trace ids survive", async () => {
  const app = stage.open();
  const trace = new AsyncLocalStorage<string>();
  const seen: (string | undefined)[] = [];
  const body = async (): Promise<void> => {
    seen.push(trace.getStore());
    await turn();
    seen.push(trace.getStore());
  };
  const one = trace.run("one", () => app.spawn("a", body));
  const two = trace.run("two", () => app.spawn("b", body));
  await Promise.all([one, two]);
  expect(seen).toEqual(["one", "two", "one", "two"]);
});

test("4.2 Context: in callbacks that outlive the task it returns the ended task", async () => {
  const app = stage.open();
  const gate = deferred();
  let later: unknown;
  let own: TaskContext | undefined;
  await app.spawn("a", (self) => {
    own = self;
    void gate.promise.then(() => (later = currentTask()));
  });
  gate.resolve();
  await turn();
  expect(later).toBe(own);
});

test("4.2 Context: ambient spawn there throws ScopeClosedError naming it", async () => {
  const app = stage.open();
  const gate = deferred();
  const errors: unknown[] = [];
  await app.spawn("a", () => {
    void gate.promise.then(() => {
      errors.push(
        thrown(() => spawn("late", () => {})),
        thrown(() => group("late", () => {})),
      );
    });
  });
  gate.resolve();
  await turn();
  expect(errors).toHaveLength(2);
  for (const error of errors) {
    expect(error).toBeInstanceOf(ScopeClosedError);
    expect((error as Error).message).toContain("app/a");
  }
});

test("4.2 Context: context: false opts a scope out", async () => {
  const app = stage.open("app", { context: false });
  const seen = await app.spawn("a", async () => {
    const atStart = currentTask();
    await turn();
    return [atStart, currentTask(), thrown(() => spawn("x", () => {})) instanceof NoScopeError];
  });
  expect(seen).toEqual([undefined, undefined, true]);
});

test("4.2 Context: a task of a context: false scope is owned, cancelled and delivered like any other", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { context: false, onError: (error) => delivered.push(error) });
  const error = new Error("boom");
  app.spawn("bad", () => Promise.reject(error));
  let child: Task<void> | undefined;
  const task = app.spawn("a", async (self) => {
    child = self.spawn("child", (inner) => inner.sleep("1h"));
    await self.sleep("1h");
  });
  await turn();
  expect(delivered).toEqual([error]);
  expect((await task.cancel()).state).toBe("cancelled");
  expect(child?.state).toBe("cancelled");
});

const ambient: [string, () => unknown][] = [
  ["spawn", () => spawn("x", () => {})],
  ["group", () => group("x", () => {})],
  ["sleep", () => sleep(1)],
  ["checkpoint", () => checkpoint()],
  ["shield", () => shield(async () => {})],
  ["timeout", () => timeout("1s", async () => {})],
];

test.each(ambient)("4.1 %s outside of any task: NoScopeError", async (name, call) => {
  // Some of them return promises: there the error is the rejection.
  const error = await rejection((async () => call())());
  expect(error).toBeInstanceOf(NoScopeError);
  expect(error).toMatchObject({ code: "HF_NO_SCOPE" });
  expect((error as Error).message).toContain(`${name}()`);
});

test("4.1 scope.run enters the scope, for callbacks: there ambient spawn is this scope's", async () => {
  const app = stage.open();
  const emitter = new EventEmitter();
  const tasks: Task<string>[] = [];
  emitter.on("message", (text: string) => app.run(() => tasks.push(spawn("handle", () => text))));
  emitter.emit("message", "hello");
  expect(tasks[0]?.path).toBe("app/handle");
  expect(await tasks[0]).toBe("hello");
  expect(currentTask()).toBeUndefined();
});

test("4.1 scope.run returns what the function returns, throws what it throws, and holds over awaits in it", async () => {
  const app = stage.open();
  expect(app.run(() => 7)).toBe(7);
  const error = new Error("boom");
  expect(
    thrown(() =>
      app.run(() => {
        throw error;
      }),
    ),
  ).toBe(error);
  const path = await app.run(async () => {
    await turn();
    return spawn("later", () => {}).path;
  });
  expect(path).toBe("app/later");
});

test("4.1 scope.run inside a task: spawn is the scope's, the current task stays who it was", async () => {
  const app = stage.open();
  const other = app.scope("other");
  await app.spawn("a", (self) => {
    const [task, path] = other.run(() => [currentTask(), spawn("x", () => {}).path]);
    expect(task).toBe(self);
    expect(path).toBe("app/other/x");
    expect(spawn("y", () => {}).path).toBe("app/a/y");
  });
});

test("4.2 Context: ambient spawn inside scope.run of a closed scope throws ScopeClosedError", async () => {
  const app = stage.open();
  const inner = app.scope("inner");
  await inner.close();
  expect(inner.run(() => thrown(() => spawn("x", () => {})))).toBeInstanceOf(ScopeClosedError);
});
