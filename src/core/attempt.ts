import { giveUp } from "./abandon.ts";
import { callLater, coarseNow } from "./clock.ts";
import { storage } from "./context.ts";
import { cancelScope, cancelTask, demandFor } from "./cancel.ts";
import { isThenable } from "./delivery.ts";
import { taskPath } from "./describe.ts";
import { TaskTimeoutError } from "./errors.ts";
import { emitTask, isHeard, kinds } from "./events.ts";
import { expireAttempt } from "./expire.ts";
import { finishAttempt } from "./finish.ts";
import { openGroupScope } from "./group-scope.ts";
import { CLOSED, CLOSING } from "./scope-node.ts";
import { settle, settledLate } from "./settle.ts";
import {
  BODY_DONE, BODY_OK, ENDING, extrasOf, GIVING_UP, GRACE_OVER, GROUP, HELD, IS_LOST, isTerminal, KEEPS_RUN, RETRYING, RUNNING, setState,
  stateOf, STOPPING, SUCCEEDED, WAITING,
} from "./task-node.ts"; // prettier-ignore
import type { TaskExtras, TaskNode } from "./task-node.ts";
import type { Run, TaskContext } from "./types.ts";
import { capture, captured, soon, thenOf } from "./wait.ts";
import { listed } from "./walk.ts";
import { inMotion, isMoving, scopeMayAdvance, settleDown, upward } from "./work.ts";

/** The task's own view of itself, made when first needed. */
export function viewOf(node: TaskNode): TaskContext {
  return (node.view ??= upward.viewOfTask(node));
}

/** The first turn, or that of a further attempt. Runs as a microtask, in the async context of the spawner. */
function begin(node: TaskNode): void {
  const state = stateOf(node);
  // Cancelled before its turn: never runs.
  if (state !== WAITING && state !== RETRYING) return;
  const { scope } = node;
  if (scope.settings.hasContext) storage.enterWith(node);
  else if (storage.getStore() !== undefined) storage.enterWith(undefined);
  node.flags =
    (node.flags & ~(BODY_DONE | BODY_OK | STOPPING | ENDING | GRACE_OVER | HELD | IS_LOST | GIVING_UP | 15)) |
    RUNNING;
  node.startedAt = coarseNow();
  const run = node.run as Run<unknown>;
  if ((node.flags & KEEPS_RUN) === 0) node.run = undefined;
  const { extras } = node;
  if (extras !== undefined) prepare(node, extras);
  if (isHeard(scope, kinds.start)) emitTask(node, "start");
  let promise: Promise<unknown> | undefined;
  let result: unknown;
  try {
    result = run((node.flags & GROUP) === 0 ? viewOf(node) : groupView(node));
    // Looking at what was returned may throw too: it may have getters.
    if (isThenable(result)) promise = isPlainPromise(result) ? result : toPromise(result);
  } catch (error) {
    bodyEnded(node, false, error);
    return;
  }
  if (promise === undefined) bodyEnded(node, true, result);
  else follow(node, promise);
}

/** Whether `then` on it is the native one, with nothing in between. */
function isPlainPromise(value: PromiseLike<unknown>): value is Promise<unknown> {
  return value instanceof Promise && value.constructor === Promise;
}

/** Follows any thenable; what its getters throw becomes a rejection. */
function toPromise(value: PromiseLike<unknown>): Promise<unknown> {
  return new Promise((resolve) => resolve(value));
}

/** A group's body receives the scope, not the task. */
function groupView(node: TaskNode): TaskContext {
  return node.extras?.group?.view as unknown as TaskContext;
}

/** Hears of the end of the body's promise. */
function follow(node: TaskNode, promise: Promise<unknown>): void {
  node.result = promise;
  if (node.scope.settings.hasContext) void thenOf(promise, bodyReturned, bodyThrew);
  else followAs(node, promise);
}

/** Where no async context says which task it is. */
function followAs(node: TaskNode, promise: Promise<unknown>): void {
  void thenOf(
    promise,
    (value) => bodyEnded(node, true, value),
    (error) => bodyEnded(node, false, error),
  );
}

/** Owns a promise that runs already. */
export function beginAdopted(node: TaskNode, promise: PromiseLike<unknown>): void {
  setState(node, RUNNING);
  node.startedAt = coarseNow();
  prepare(node, extrasOf(node));
  if (isHeard(node.scope, kinds.start)) emitTask(node, "start");
  const followed = toPromise(promise);
  node.result = followed;
  followAs(node, followed);
}

/** What an attempt has that a plain task has not. */
function prepare(node: TaskNode, extras: TaskExtras): void {
  extras.attempt++;
  extras.go = undefined;
  extras.attemptController = undefined;
  if (extras.timeout !== undefined) extras.timeoutTimer = callLater(extras.timeout, timeIsUp, node);
  if ((node.flags & GROUP) !== 0) openGroupScope(node, extras);
}

function timeIsUp(node: TaskNode): void {
  inMotion(expire, node);
}

function expire(node: TaskNode): void {
  const extras = extrasOf(node);
  expireAttempt(node, new TaskTimeoutError(taskPath(node), extras.timeoutKind, extras.timeout ?? 0));
}

/** One shared function for all tasks: which one it is says the async context. */
function bodyReturned(value: unknown): void {
  bodyEnded(storage.getStore() as TaskNode, true, value);
}

function bodyThrew(error: unknown): void {
  bodyEnded(storage.getStore() as TaskNode, false, error);
}

/** The body of an attempt is over. */
function bodyEnded(node: TaskNode, isOk: boolean, result: unknown): void {
  if (isTerminal(node)) {
    settledLate(node, isOk, result);
    return;
  }
  if (isOk && node.extras === undefined && node.children === undefined) {
    // Nothing but its body, and that succeeded: the way of most.
    settle(node, SUCCEEDED, result);
    if (isMoving()) settleDown();
    return;
  }
  node.result = result;
  // The next attempt is to run in this async context, not in that of a timer.
  if ((node.flags & KEEPS_RUN) !== 0) prepareNext(extrasOf(node));
  inMotion(isOk ? bodyOk : bodyFailed, node);
}

function bodyOk(node: TaskNode): void {
  node.flags |= BODY_DONE | BODY_OK;
  const group = node.extras?.group;
  if (group !== undefined) scopeMayAdvance(group);
  advanceTask(node);
}

function bodyFailed(node: TaskNode): void {
  node.flags |= BODY_DONE;
  const group = node.extras?.group;
  if (node.children !== undefined || group !== undefined) {
    const demand = demandFor("parent", taskPath(node), node.result);
    for (const child of listed(node.children)) cancelTask(child, demand);
    if (group !== undefined && group.state < CLOSING) cancelScope(group, demand);
    else if (group !== undefined) scopeMayAdvance(group);
  }
  advanceTask(node);
}

/** Makes what starts the task later, in the async context of now. */
export function prepareNext(extras: TaskExtras): void {
  const next = new Promise<unknown>(capture);
  extras.go = captured.resolve;
  void thenOf(next, begin as (node: unknown) => void, undefined);
}

/** Starts a task in a microtask of its own, in the async context of now. */
export function start(node: TaskNode): void {
  starting[queued++] = node;
  soon(startNext);
}

/*
 * Microtasks run in the order in which they were queued, so the next one is that of the first in this list: no task
 * needs a promise of its own to carry it there. The list keeps its length, for a list that shrinks is made anew.
 */
const starting: (TaskNode | undefined)[] = [];
let queued = 0;
let started = 0;
/** Longer than this it does shrink: after a burst, and where tasks start one another without end within one turn. */
const LONG = 10_000;

function startNext(): void {
  const node = starting[started] as TaskNode;
  starting[started++] = undefined;
  if (started === queued) {
    if (queued > LONG) starting.length = 0;
    started = queued = 0;
  } else if (started > LONG && started > queued / 2) {
    starting.splice(0, started);
    queued -= started;
    started = 0;
  }
  begin(node);
}

/** Moves a task on whose body is done, once nothing of this attempt lives any more. */
export function advanceTask(node: TaskNode): void {
  if (stateOf(node) !== RUNNING || (node.flags & ENDING) !== 0 || node.children !== undefined) return;
  const group = node.extras?.group;
  if (group !== undefined && group.state !== CLOSED) return;
  if ((node.flags & BODY_DONE) !== 0) finishAttempt(node);
  else if ((node.flags & GIVING_UP) !== 0) giveUp(node);
}
