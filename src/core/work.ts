import type { ScopeNode } from "./scope-node.ts";
import type { TaskNode } from "./task-node.ts";
import type { Scope, TaskContext } from "./types.ts";

/**
 * The calls that go up: what ends below makes something above move on, and is shown to the user by what stands above
 * it. They are bound by `scope.ts`, above everything, so that imports can go one way.
 */
export interface Upward {
  /** A task's children, or its group, may have ended. */
  advanceTask(node: TaskNode): void;
  /** A scope's tasks or child scopes may have ended, or one of them failed. */
  advanceScope(scope: ScopeNode): void;
  /** Starts a task in a microtask. */
  start(node: TaskNode): void;
  /** A task's view of itself. */
  viewOfTask(node: TaskNode): TaskContext;
  /** The public face of a scope. */
  viewOfScope(scope: ScopeNode): Scope;
}

export let upward: Upward;
export function bindUpward(calls: Upward): void {
  upward = calls;
}

// One queue instead of recursion: trees may be deeper than the engine's stack.
const tasks: TaskNode[] = [];
const scopes: ScopeNode[] = [];
let depth = 0;

/** Something that this task waits for has ended. */
export function taskMayAdvance(node: TaskNode): void {
  tasks.push(node);
}

/** Something that this scope waits for has ended. */
export function scopeMayAdvance(scope: ScopeNode): void {
  scopes.push(scope);
}

/** Runs `step`, then all that it sets in motion; within another such call, leaves that to the outer one. */
export function inMotion<A>(step: (arg: A) => void, arg: A): void {
  depth++;
  try {
    step(arg);
    if (depth === 1) settleDown();
  } finally {
    depth--;
  }
}

/** Lets everything in the queue move on. */
export function settleDown(): void {
  for (;;) {
    const task = tasks.pop();
    if (task !== undefined) {
      upward.advanceTask(task);
      continue;
    }
    const scope = scopes.pop();
    if (scope === undefined) return;
    upward.advanceScope(scope);
  }
}

/** Whether something waits to move on. */
export function isMoving(): boolean {
  return tasks.length > 0 || scopes.length > 0;
}
