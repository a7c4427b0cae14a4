import { release } from "./admission.ts";
import { clearTimer, coarseNow } from "./clock.ts";
import { deliver } from "./delivery.ts";
import { attemptOf, detailOf, enclosing, errorOf, parentPath } from "./describe.ts";
import type { ScopeClosedError } from "./errors.ts";
import { clearGrace } from "./grace.ts";
import { emitLate, emitTask, isHeard, kinds } from "./events.ts";
import { idleMayBe, removeBusy } from "./busy.ts";
import { taskRefusal } from "./refusal.ts";
import { CLOSED } from "./scope-node.ts";
import type { ScopeNode } from "./scope-node.ts";
import { detach } from "./signals.ts";
import {
  ABANDONED, AWAITED, BODY_DONE, BUSY, CANCELLED, COLLECTED, FAILED, GIVING_UP, HIDDEN, JOURNALED, LOST, SERVICE, setState, stateOf, SUCCEEDED, visibleTask } from "./task-node.ts"; // prettier-ignore
import type { TaskExtras, TaskNode } from "./task-node.ts";
import type { Outcome } from "./words.ts";
import { scopeMayAdvance, taskMayAdvance } from "./work.ts";
import type { Wait } from "./wait.ts";

/**
 * Ends a task for good. From here on its state never changes: it is out of its owner's list, all it held is given
 * back, its record is kept, and whoever waits for it is told. `result` is the value, or the error that awaiters get.
 */
export function settle(node: TaskNode, state: number, result: unknown): void {
  const { scope, parent, extras } = node;
  const attempt = attemptOf(node);
  setState(node, state);
  node.endedAt = coarseNow();
  node.run = undefined;
  node.result = result;
  leaveOwner(node);
  clearGrace(node.stop);
  if (extras !== undefined) {
    const signal = extras.options?.signal;
    if (signal !== undefined) detach(signal, node);
    letGo(extras);
  }
  release(node);
  if ((node.flags & HIDDEN) === 0) {
    count(scope, state);
    scope.ledger.keep(
      node,
      state,
      attempt,
      parent === undefined ? undefined : parentPath(node),
      detailOf(node),
      errorOf(node),
    );
  }
  if ((node.flags & JOURNALED) !== 0) scope.ledger.watcher?.ended(node);
  if (node.waits !== undefined) endWaits(node);
  if (node.resolve !== undefined) settlePromise(node, state, result);
  if (node.waiters !== undefined) tellWaiters(node, state, result);
  if (isHeard(scope, kinds.end)) emitTask(node, "end");
  if (state === FAILED || state === LOST || state === ABANDONED) failed(node, result);
  if ((node.flags & BUSY) !== 0) removeBusy(scope);
  if ((node.flags & SERVICE) !== 0) serviceGone(node, scope);
  extras?.onEnd?.(node);
  if (parent !== undefined) {
    if (parent.children === undefined && (parent.flags & (BODY_DONE | GIVING_UP)) !== 0)
      taskMayAdvance(parent);
  } else if (scope.tasks === undefined) idleMayBe(scope);
}

function leaveOwner(node: TaskNode): void {
  const { prev, next, parent, scope } = node;
  if (prev !== undefined) {
    prev.next = next;
    node.prev = undefined;
  }
  if (next !== undefined) {
    next.prev = prev;
    node.next = undefined;
  } else if (parent !== undefined) parent.children = prev;
  else scope.tasks = prev;
}

/** Takes its timers back, and drops what it needs no more, so that a record or a handle keeps little alive. */
function letGo(extras: TaskExtras): void {
  clearTimer(extras.timeoutTimer);
  clearTimer(extras.deadlineTimer);
  clearTimer(extras.delayTimer);
  extras.delayTimer = undefined;
  extras.go = undefined;
  extras.retry = undefined;
  extras.defers = undefined;
}

function count(scope: ScopeNode, state: number): void {
  const { tally } = scope;
  scope.live--;
  if (state === SUCCEEDED) tally.succeeded++;
  else if (state === FAILED) tally.failed++;
  else if (state === CANCELLED) tally.cancelled++;
  else if (state === LOST) tally.lost++;
  else tally.abandoned++;
}

/** Its sleeps can never be over for it; what it waited for besides goes on without it. */
export function endWaits(node: TaskNode): void {
  let error: ScopeClosedError | undefined;
  for (let wait = node.waits; wait !== undefined; wait = node.waits) {
    if (wait.kind === "value" || wait.kind === "outcome" || wait.kind === "end") wait.leaveAwaiter();
    else {
      error ??= taskRefusal(node, "has ended: what slept in it is over");
      wait.fail(error);
    }
  }
}

function settlePromise(node: TaskNode, state: number, result: unknown): void {
  const { resolve, reject } = node;
  node.resolve = node.reject = undefined;
  if (state === SUCCEEDED) resolve?.(result);
  else reject?.(result);
}

function tellWaiters(node: TaskNode, state: number, result: unknown): void {
  let last: Wait | undefined = node.waiters;
  while (last?.targetNext !== undefined) last = last.targetNext;
  // Who came first is told first.
  for (let wait = last; wait !== undefined; wait = last) {
    last = wait.targetPrev;
    wait.unlink();
    if (wait.kind !== "end") node.flags |= AWAITED;
    if (wait.kind === "outcome" || wait.kind === "end") wait.resolve(toOutcome(state, result));
    else if (state === SUCCEEDED) wait.resolve(result);
    else wait.reject(result);
  }
}

/** How a task ended, for those who ask. */
function toOutcome(state: number, result: unknown): Outcome<unknown> {
  switch (state) {
    case SUCCEEDED:
      return { state: "succeeded", value: result };
    case FAILED:
      return { state: "failed", error: result };
    case CANCELLED:
      return { state: "cancelled", reason: result };
    case LOST:
      return { state: "lost" };
    default:
      return { state: "abandoned", reason: result };
  }
}

function failed(node: TaskNode, error: unknown): void {
  const { scope, flags } = node;
  if ((flags & (HIDDEN | COLLECTED)) !== 0) return;
  const collector = node.parent === undefined ? scope : groupAround(node.parent);
  if (collector?.failures !== undefined) {
    // The same error thrown again by whoever awaited it is one failure.
    if (!collector.failures.includes(error)) collector.failures.push(error);
    collector.firstFailed ??= node;
    scopeMayAdvance(collector);
    return;
  }
  deliver(node, error);
}

/** In a timeout or a shield of a group's body, `spawn` is the group's too: the block owns the task, the group fails. */
function groupAround(parent: TaskNode): ScopeNode | undefined {
  return (parent.flags & HIDDEN) === 0 ? undefined : visibleTask(parent).extras?.group;
}

function serviceGone(node: TaskNode, scope: ScopeNode): void {
  scope.services?.delete(node);
  for (let above: ScopeNode | undefined = scope; above !== undefined; above = above.parent) {
    if (above.readyWaiters !== undefined) scopeMayAdvance(above);
  }
}

/** What settles after it was given up is said and counted, never a state. */
export function settledLate(node: TaskNode, isOk: boolean, error: unknown): void {
  if ((node.flags & HIDDEN) !== 0) return;
  countLate(node.scope);
  emitLate(node, isOk, error);
}

/** A closed scope has handed its counts on to the one around it: what comes later is counted there too. */
function countLate(scope: ScopeNode): void {
  for (let next: ScopeNode | undefined = scope; next !== undefined; next = enclosing(next)) {
    next.tally.late++;
    if (next.state !== CLOSED) return;
  }
}

/** The state by which an ended task is told. */
export function outcomeOf(node: TaskNode): Outcome<unknown> {
  return toOutcome(stateOf(node), node.result);
}
