import { AsyncLocalStorage } from "node:async_hooks";
import type { ScopeNode } from "./scope-node.ts";
import { HIDDEN, isTerminal } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";

/** What the async context holds: the task that runs, or a scope that was entered by hand. */
export type Store = TaskNode | ScopeEntry | undefined;

/** A scope entered with `scope.run()`: `spawn` is the scope's, the current task stays who it was. */
export class ScopeEntry {
  readonly scope: ScopeNode;
  readonly task: TaskNode | undefined;
  constructor(scope: ScopeNode, task: TaskNode | undefined) {
    this.scope = scope;
    this.task = task;
  }
}

/** One store for all of holdfast. A task's start enters it; natively kept over every await from there. */
export const storage: AsyncLocalStorage<Store> = new AsyncLocalStorage<Store>();

/** The task that runs, which may be a hidden block of a task; undefined outside of any. */
export function currentNode(): TaskNode | undefined {
  const store = storage.getStore();
  return store instanceof ScopeEntry ? store.task : store;
}

/** The live task that runs: where a block of it has been given up, the task around. */
export function callingTask(): TaskNode | undefined {
  let node = currentNode();
  while (node !== undefined && isTerminal(node)) node = (node.flags & HIDDEN) === 0 ? undefined : node.parent;
  return node;
}

/** Calls `fn` in the async context in which holdfast was loaded: outside of any task. */
export const outside: <R>(fn: () => R) => R = AsyncLocalStorage.snapshot();

/**
 * Node 22 follows promises only once some store was entered. Were the first task's start the first to enter one, it
 * would enter it for its spawner too. (`undefined` would not do: a store that does not change is not entered.)
 */
export function followPromises(): void {
  outside(() => storage.run(null as never, () => undefined));
}

// As soon as it is loaded, and so before the first task; but a program that only was started with `holdfast/register`,
// which says so while it loads, would pay for it at every `await`.
if (!("holdfastPreloads" in globalThis)) followPromises();
