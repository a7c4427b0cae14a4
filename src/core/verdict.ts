import { isA, ScopeClosedError, TaskCancelledError, TaskLostError, TaskTimeoutError } from "./errors.ts";
import { taskPath } from "./describe.ts";
import { CLOSING } from "./scope-node.ts";
import type { ScopeNode } from "./scope-node.ts";
import { BODY_OK, CANCELLED, FAILED, IS_LOST, LOST, SUCCEEDED } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";

/** How an attempt has ended. */
export interface Verdict {
  readonly state: number;
  /** The value, or the error. */
  readonly result: unknown;
}

/** Judges an attempt of which nothing lives any more. */
export function judge(node: TaskNode): Verdict {
  if ((node.flags & IS_LOST) !== 0)
    return { state: LOST, result: node.result ?? new TaskLostError(taskPath(node)) };
  const body: Verdict =
    (node.flags & BODY_OK) !== 0 ? { state: SUCCEEDED, result: node.result } : judgeThrown(node);
  const { group, deferErrors } = node.extras ?? {};
  const whole = group === undefined ? body : judgeGroup(node, group, body);
  if (deferErrors === undefined || whole.state !== SUCCEEDED) return whole;
  return { state: FAILED, result: together(deferErrors, `${taskPath(node)}: its clean-up failed`) };
}

function judgeThrown(node: TaskNode): Verdict {
  const error = node.result;
  const stop = [node.stop?.cancelError, node.stop?.error].find((one) => isStop(error, one));
  if (stop !== undefined)
    return { state: stop instanceof TaskTimeoutError ? FAILED : CANCELLED, result: stop };
  // What a group's own end refuses to its body, or to a task in it, is no failure of that.
  const scope = node.extras?.group ?? node.scope;
  const isOwnEnd = scope.owner !== undefined && scope.state >= CLOSING && isA(error, ScopeClosedError);
  return { state: isOwnEnd ? CANCELLED : FAILED, result: error };
}

/** A group fails with the failures of its tasks, and with its body's own. */
function judgeGroup(node: TaskNode, group: ScopeNode, body: Verdict): Verdict {
  const cancelError = node.stop?.cancelError;
  const failures = [...(group.failures ?? [])];
  if (body.state === FAILED && !failures.includes(body.result)) failures.push(body.result);
  if (failures.length > 0)
    return {
      state: FAILED,
      result: together(failures, `${failures.length} tasks of ${taskPath(node)} failed`),
    };
  return cancelError instanceof TaskCancelledError ? { state: CANCELLED, result: cancelError } : body;
}

/** One error as it is, several as one. */
export function together(errors: readonly unknown[], message: string): unknown {
  return errors.length === 1 ? errors[0] : new AggregateError(errors, message);
}

const MAX_CAUSES = 100;

/** Whether what was thrown is this stop: the error itself, with it among its causes, or an AbortError. */
function isStop(error: unknown, stop: unknown): boolean {
  if (stop === undefined) return false;
  if (error === stop) return true;
  try {
    if ((error as { name?: unknown } | null | undefined)?.name === "AbortError") return true;
    let cause = error;
    for (let depth = 0; depth < MAX_CAUSES && cause instanceof Error; depth++) {
      if (cause.cause === stop) return true;
      cause = cause.cause;
    }
  } catch {
    // An error whose properties throw says nothing of a stop.
  }
  return false;
}
