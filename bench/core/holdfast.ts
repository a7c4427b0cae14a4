import assert from "node:assert/strict";

import { currentTask, openScope, sleep, type Run, type Scope, type ScopeOptions, type Task } from "holdfast";

import type { Contender, Herd, MakeHerd } from "./contender.ts";

/** What the peers run, too. */
export interface Work {
  readonly body: Run<void>;
  readonly burst: number;
}

/**
 * Holds what the figures take for granted: with default options the current task is known right after every await,
 * however the tasks interleave, and records, counts and delivery are on.
 */
export async function assertDefaults(): Promise<void> {
  const failures: unknown[] = [];
  const root = openScope("asserted", { onError: (error) => failures.push(error) });
  const turns = async (task: { readonly id: number }): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) {
      assert.equal(currentTask()?.id, task.id, "currentTask() is wrong before an await");
      if (turn % 5 === 4) await new Promise(setImmediate);
      else if (turn % 5 === 3) await sleep(1);
      else await Promise.resolve(turn);
      assert.equal(currentTask()?.id, task.id, "currentTask() is wrong right after an await");
    }
  };
  const tasks = Array.from({ length: 200 }, () => root.spawn("interleaved", turns));
  await Promise.all(tasks);
  assert.equal(currentTask(), undefined, "the current task leaked out of its scope");

  const error = new Error("nobody awaits this");
  root.spawn("unheard", () => Promise.reject(error));
  await root.untilIdle();
  await new Promise(setImmediate);
  assert.deepEqual(failures, [error], "a failure that nobody awaited was not delivered");
  assert.equal(root.stats().succeeded, tasks.length, "the counts are not kept");
  assert.equal(root.stats().names["interleaved"]?.succeeded, tasks.length, "the counts by name are not kept");
  assert.equal([...root.tasks()].length, tasks.length + 1, "the records are not kept");
  await root.close();
}

/** Holdfast beside the peers, with all its defaults, or with those of a scope that are named. */
export function holdfast(name: string, work: Work, options?: ScopeOptions): Contender {
  const { body, burst } = work;
  const root = openScope("bench", options);

  const spawnAll = (count: number): Task<void>[] => {
    const tasks: Task<void>[] = [];
    for (let i = 0; i < count; i++) tasks.push(root.spawn("op", body));
    return tasks;
  };

  const herd =
    (run: Run<void>): MakeHerd =>
    async (count) => {
      const scope = openScope("herd", options);
      for (let i = 0; i < count; i++) scope.spawn("sleeper", run);
      await new Promise(setImmediate);
      assert.equal(scope.stats().live, count);
      return inHerd(scope, count, body);
    };

  return {
    name,
    loops: {
      oneByOne: async (count) => {
        for (let i = 0; i < count; i++) await root.spawn("op", body);
      },
      inside: async (count) => {
        await root.spawn("loop", async () => {
          for (let i = 0; i < count; i++) await root.spawn("op", body);
        });
      },
      awaitAll: async (count) => {
        for (let done = 0; done < count; done += burst) await Promise.all(spawnAll(burst));
      },
      awaitEach: async (count) => {
        for (let done = 0; done < count; done += burst) {
          for (const task of spawnAll(burst)) await task;
        }
      },
      untilIdle: async (count) => {
        for (let done = 0; done < count; done += burst) {
          for (let i = 0; i < burst; i++) root.spawn("op", body);
          await root.untilIdle();
        }
      },
    },
    herds: {
      "task.sleep in an async function": herd(async (task) => {
        await task.sleep("1h");
      }),
      "task.sleep itself": herd((task) => task.sleep("1h")),
    },
    cancels: ["task.sleep in an async function"],
    lives: ["task.sleep in an async function"],
  };
}

function inHerd(scope: Scope, count: number, body: Run<void>): Herd {
  return {
    end: async () => {
      const { cancelled } = await scope.cancel();
      assert.equal(cancelled, count);
    },
    oneByOne: async (ops) => {
      for (let i = 0; i < ops; i++) await scope.spawn("op", body);
    },
  };
}

/** Children of the task that awaits them, rather than tasks of a scope. */
export function children({ body }: Work): Contender {
  const root = openScope("bench");
  return {
    name: "holdfast, children of a task",
    loops: {
      inside: async (count) => {
        await root.spawn("loop", async (task) => {
          for (let i = 0; i < count; i++) await task.spawn("op", body);
        });
      },
    },
  };
}
