import { currentNode, ScopeEntry, storage } from "./context.ts";
import { NoScopeError } from "./errors.ts";
import { viewOf } from "./attempt.ts";
import { scopeViewOf } from "./group-scope.ts";
import { visibleTask } from "./task-node.ts";
import type { GroupOptions, SpawnOptions } from "./options.ts";
import type { Run, Scope, Task, TaskContext } from "./types.ts";
import type { Duration } from "./words.ts";

/**
 * The task in whose async context this is called, also after every await; undefined outside of any. In a callback that
 * outlives its task it is the ended task.
 *
 * @example currentTask()?.set({ order: order.id });
 */
export function currentTask(): TaskContext | undefined {
  const node = currentNode();
  return node && viewOf(visibleTask(node));
}

function here(what: string): TaskContext {
  const task = currentTask();
  if (task === undefined) throw new NoScopeError(what);
  return task;
}

function place(what: string): TaskContext | Scope {
  const store = storage.getStore();
  return store instanceof ScopeEntry ? scopeViewOf(store.scope) : here(what);
}

/**
 * Starts a child of the current task; inside `scope.run()`, a task of that scope.
 *
 * @throws NoScopeError outside of any; ScopeClosedError where the task has ended or is being cancelled.
 * @example await spawn("thumbnail", () => resize(image));
 */
export function spawn<T>(name: string, run: Run<T>, options?: SpawnOptions): Task<T> {
  return place("spawn").spawn(name, run, options);
}

/**
 * Starts a group as a child of the current task; inside `scope.run()`, in that scope.
 *
 * @throws NoScopeError outside of any.
 * @example await group("both", async (both) => { both.spawn("a", a); both.spawn("b", b); });
 */
export function group<T>(
  name: string,
  body: (group: Scope) => T | PromiseLike<T>,
  options?: GroupOptions,
): Task<T> {
  return place("group").group(name, body, options);
}

/**
 * Resolves after `duration`; rejects at once when the current task is cancelled or times out.
 *
 * @throws NoScopeError outside of any task.
 * @example await sleep("250ms");
 */
export function sleep(duration: Duration): Promise<void> {
  return here("sleep").sleep(duration);
}

/**
 * Lets other work run; rejects when the current task is cancelled or times out. For long loops.
 *
 * @throws NoScopeError outside of any task.
 */
export function checkpoint(): Promise<void> {
  return here("checkpoint").checkpoint();
}

/**
 * Spares what is inside from cancellation and timeouts, until the end of grace.
 *
 * @throws NoScopeError outside of any task.
 * @example await shield((signal) => connection.rollback({ signal }));
 */
export function shield<R>(body: (signal: AbortSignal) => PromiseLike<R>): Promise<R> {
  return here("shield").shield(body);
}

/**
 * A deadline over a block and the children spawned in it.
 *
 * @throws NoScopeError outside of any task; rejects with TaskTimeoutError.
 * @example const page = await timeout("2s", (signal) => fetch(url, { signal }));
 */
export function timeout<R>(duration: Duration, body: (signal: AbortSignal) => PromiseLike<R>): Promise<R> {
  return here("timeout").timeout(duration, body);
}
