import { enclosing, taskInfo } from "./describe.ts";
import { report } from "./reporter.ts";
import type { ScopeNode } from "./scope-node.ts";
import { AWAITED } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";
import type { TaskInfo } from "./info.ts";
import type { OnError } from "./options.ts";
import { afterMicrotasks, thenOf } from "./wait.ts";

/** A failure that awaits its decision: is there somebody who awaits the task? */
interface Undecided {
  readonly node: TaskNode;
  readonly error: unknown;
  readonly from: ScopeNode | undefined;
  /** Told whether anybody awaits the task or not. */
  readonly always: boolean;
}

let undecided: Undecided[] = [];

/**
 * Delivers a task's failure to whoever awaits it by the end of this turn's microtasks, which is when Node would decide
 * on `unhandledRejection`; else to `onError` of the task, then of the scopes around it.
 */
export function deliver(node: TaskNode, error: unknown): void {
  deliverTo(node.scope, node, error, false);
}

/** Delivers an error to the `onError`s from one scope outwards, whoever awaits the task. */
export function deliverTo(from: ScopeNode | undefined, node: TaskNode, error: unknown, always = true): void {
  undecided.push({ node, error, from, always });
  if (undecided.length === 1) afterMicrotasks(flush, undefined);
}

function flush(): void {
  const batch = undecided;
  undecided = [];
  for (const { node, error, from, always } of batch) {
    if (!always && (node.flags & AWAITED) !== 0) continue;
    tell(handlers(always ? undefined : node, from), 0, error, taskInfo(node), false);
  }
}

function handlers(node: TaskNode | undefined, from: ScopeNode | undefined): OnError[] {
  const chain: OnError[] = [];
  const own = node?.extras?.options?.onError;
  if (own !== undefined) chain.push(own);
  for (let scope = from; scope !== undefined; scope = enclosing(scope)) {
    if (scope.settings.onError !== undefined) chain.push(scope.settings.onError);
  }
  return chain;
}

/** `isOwn`: it is not the task's, but one of an `onError` that failed on the task's. */
function tell(chain: readonly OnError[], at: number, error: unknown, task: TaskInfo, isOwn: boolean): void {
  const handler = chain[at];
  if (handler === undefined) {
    report(`${task.path} ${task.state} and nobody awaited it:`, error);
    return;
  }
  // A handler that fails has handled nothing: the next one gets the error, and the handler's own.
  const onFailure = (own: unknown): void => {
    tell(chain, at + 1, error, task, isOwn);
    // What fails on the failure of another goes past all of them: passed on, such errors would double at every one.
    if (own !== error) tell(isOwn ? [] : chain, at + 1, own, task, true);
  };
  try {
    const result = handler(error, task);
    if (isThenable(result)) void thenOf(Promise.resolve(result), undefined, onFailure);
  } catch (own) {
    onFailure(own);
  }
}

/** Whether awaiting the value would call its `then`. May throw what a getter throws. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === "object" && value !== null) || typeof value === "function") &&
    typeof (value as { then?: unknown }).then === "function"
  );
}
