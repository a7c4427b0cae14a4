import { scopeCancellation } from "./cancel.ts";
import { CLOSING, DRAINING } from "./scope-node.ts";
import type { ScopeNode } from "./scope-node.ts";
import { CANCEL_ASKED, extrasOf, STOPPING } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";
import type { TaskCancelledError, TaskTimeoutError } from "./errors.ts";

/** Why this attempt is to stop; undefined while it is not. */
export function stopErrorOf(node: TaskNode): TaskCancelledError | TaskTimeoutError | undefined {
  return node.stop?.error;
}

/** The signal of the attempt, made when first read. */
export function attemptSignal(node: TaskNode): AbortSignal {
  const extras = extrasOf(node);
  const controller = (extras.attemptController ??= new AbortController());
  if (!controller.signal.aborted && (node.flags & STOPPING) !== 0) controller.abort(node.stop?.error);
  return controller.signal;
}

/** The signal of the whole task, made when first read. */
export function taskSignal(node: TaskNode): AbortSignal {
  const extras = extrasOf(node);
  const controller = (extras.taskController ??= new AbortController());
  if (!controller.signal.aborted && (node.flags & CANCEL_ASKED) !== 0)
    controller.abort(node.stop?.cancelError);
  return controller.signal;
}

/** Aborts when the scope begins to cancel what it owns. */
export function scopeSignal(scope: ScopeNode): AbortSignal {
  const controller = (scope.controller ??= new AbortController());
  if (!controller.signal.aborted && scope.state >= CLOSING) controller.abort(scopeCancellation(scope));
  return controller.signal;
}

/** Aborts when the scope begins to drain, or to close without. */
export function drainSignal(scope: ScopeNode): AbortSignal {
  const controller = (scope.drainController ??= new AbortController());
  if (!controller.signal.aborted && scope.state >= DRAINING) controller.abort(scope.reason);
  return controller.signal;
}
