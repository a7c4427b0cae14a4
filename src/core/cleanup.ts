import { startHidden } from "./hidden.ts";
import type { ScopeNode } from "./scope-node.ts";
import { ABANDONED, SHIELD, stateOf, SUCCEEDED } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";

/** What runs at the end of a scope or an attempt. */
export type Cleanup = () => unknown;

/** Adapts a resource to a clean-up. Throws `TypeError` for what cannot be disposed of. */
export function disposerOf(resource: object): Cleanup {
  const candidate = resource as { [Symbol.asyncDispose]?: unknown; [Symbol.dispose]?: unknown } | null;
  const dispose = candidate?.[Symbol.asyncDispose] ?? candidate?.[Symbol.dispose];
  if (typeof dispose !== "function") {
    throw Object.assign(
      new TypeError("use() takes a resource with [Symbol.asyncDispose]() or [Symbol.dispose]()"),
      {
        code: "HF_BAD_OPTION",
        option: "resource",
      },
    );
  }
  return () => dispose.call(resource) as unknown;
}

/**
 * Runs clean-ups, last first, each as a shield of its own with a limit of its own. What one throws, or that it was not
 * done in time, goes to `onFailure`, and the next one runs. Calls `onDone` at the end.
 */
export function runCleanups(
  scope: ScopeNode,
  parent: TaskNode | undefined,
  cleanups: Cleanup[],
  onFailure: (error: unknown, node: TaskNode) => void,
  onDone: () => void,
): void {
  const next = (): void => {
    const cleanup = cleanups.pop();
    if (cleanup === undefined) {
      onDone();
      return;
    }
    startHidden({
      scope,
      parent,
      name: "defer",
      run: () => cleanup(),
      flags: SHIELD,
      timeout: scope.settings.deferTimeout,
      timeoutKind: "cleanup",
      grace: 0,
      onEnd: (node) => {
        if (stateOf(node) !== SUCCEEDED) onFailure(failureOf(node), node);
        next();
      },
    });
  };
  next();
}

function failureOf(node: TaskNode): unknown {
  return stateOf(node) === ABANDONED ? (node.stop?.error ?? node.result) : node.result;
}
