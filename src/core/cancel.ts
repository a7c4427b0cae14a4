import { abandon } from "./abandon.ts";
import { graceOf, setGrace } from "./grace.ts";
import { clearTimer, now } from "./clock.ts";
import { scopePath, taskPath } from "./describe.ts";
import { cancelWords, TaskCancelledError, withoutStack } from "./errors.ts";
import type { CancelSource } from "./errors.ts";
import { emitState, emitTrouble } from "./events.ts";
import { refuseRoom } from "./room.ts";
import { CLOSING } from "./scope-node.ts";
import type { ScopeNode } from "./scope-node.ts";
import { settle } from "./settle.ts";
import {
  ADOPTED,
  BODY_DONE,
  CANCELLED,
  CANCEL_ASKED,
  ENDING,
  GRACE_OVER,
  HIDDEN,
  RUNNING,
  SHIELD,
  STOPPING,
  extrasOf,
  isCleanup,
  isTerminal,
  stateOf,
  stopOf,
} from "./task-node.ts";
import type { StopError, TaskNode } from "./task-node.ts";
import { inMotion, scopeMayAdvance } from "./work.ts";
import type { Wait } from "./wait.ts";

/** Who asks for a stop, and why. */
export interface Demand {
  readonly source: CancelSource;
  /** The path of who asks. */
  readonly by: string | undefined;
  readonly reason: unknown;
  /** A ceiling on the grace of all that it reaches, in ms. */
  readonly grace: number;
  /** What all of its errors say, and when it was made: found out once, for one cancel may reach a hundred thousand. */
  words?: string;
  at?: number;
}

/** How long a shield may still run after the end of grace, in ms. */
const SHIELD_EXTRA = 1000;

/** A demand that leaves to each its own grace. */
export function demandFor(source: CancelSource, by: string | undefined, reason: unknown): Demand {
  return { source, by, reason, grace: Infinity };
}

/** Cancels a task and all below it, and lets all that it sets in motion move on. */
export function stopTask(
  node: TaskNode,
  source: CancelSource,
  by: string | undefined,
  reason?: unknown,
): void {
  inMotion(() => cancelTask(node, demandFor(source, by, reason)), undefined);
}

/** Cancels a task and all below it. A second cancel changes nothing, but for a shorter grace. */
export function cancelTask(node: TaskNode, demand: Demand): void {
  const open: TaskNode[] = [];
  cancelOne(node, demand, open);
  cancelBelow(open, demand);
}

/** Cancels those on the stack, whose parents have been asked to stop, and all below them. */
function cancelBelow(open: TaskNode[], demand: Demand, scopes?: ScopeNode[]): void {
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { parent } = next;
    cancelOne(next, parent === undefined ? demand : heardFrom(parent, demand), open, scopes);
  }
}

/** What those hear that a task started: it is the task that asks, for the same reason. */
function heardFrom(parent: TaskNode, demand: Demand): Demand {
  const source = demand.source === "deadline" ? "deadline" : "parent";
  const { reason, grace } = demand;
  return { source, by: taskPath(parent), reason, grace, at: momentOf(demand) };
}

/** Cancels what runs in a scope, and what runs below it. The scope begins to close. */
export function cancelScope(scope: ScopeNode, demand: Demand): void {
  const open: TaskNode[] = [];
  const scopes = [scope];
  for (let next = scopes.pop(); next !== undefined; next = scopes.pop()) {
    enterClosing(next, demand.reason);
    for (let child = next.scopes; child !== undefined; child = child.prev) scopes.push(child);
    // Backwards onto the stack, so that the oldest is asked first.
    for (let task = next.tasks; task !== undefined; task = task.prev) open.push(task);
    cancelBelow(open, demand, scopes);
  }
}

/** The scope takes nothing more, and says so. */
function enterClosing(scope: ScopeNode, reason: unknown): void {
  if (scope.state >= CLOSING) return;
  scope.state = CLOSING;
  scope.reason ??= reason;
  clearTimer(scope.timeoutTimer);
  emitState(scope);
  refuseRoom(scope);
  scope.drainController?.abort(scope.reason);
  if (scope.controller !== undefined) scope.controller.abort(scopeCancellation(scope));
  scopeMayAdvance(scope);
}

/** What the signal of a closing scope aborts with. */
export function scopeCancellation(scope: ScopeNode): TaskCancelledError {
  const path = scopePath(scope);
  return new TaskCancelledError(path, { source: "scope", by: path, reason: scope.reason });
}

function cancelOne(node: TaskNode, demand: Demand, open: TaskNode[], scopes?: ScopeNode[]): void {
  if (isTerminal(node) || (node.flags & SHIELD) !== 0) return;
  if ((node.flags & CANCEL_ASKED) !== 0) {
    limitGrace(node, demand.grace, momentOf(demand));
    return;
  }
  node.flags |= CANCEL_ASKED;
  const error = (stopOf(node).cancelError ??= newCancellation(node, demand));
  emitTrouble(node, "cancel", error);
  if (stateOf(node) !== RUNNING || (node.flags & ADOPTED) !== 0) {
    // Not started, in back-off, or not ours to stop.
    node.extras?.taskController?.abort(error);
    settle(node, CANCELLED, error);
    return;
  }
  stopAttempt(node, error, demand, open, scopes);
  node.extras?.taskController?.abort(error);
}

function newCancellation(node: TaskNode, demand: Demand): StopError {
  // A block is part of its task: what is thrown in it is the task's own.
  const shared = (node.flags & HIDDEN) === 0 ? undefined : node.parent?.stop?.error;
  if (shared !== undefined) return shared;
  const words = (demand.words ??= cancelWords(demand));
  return withoutStack(() => new TaskCancelledError(taskPath(node), demand, words));
}

/**
 * The attempt is to stop: its waits reject, its signal aborts, its children are cancelled, its grace begins.
 * The children go onto `open`, the scopes below onto `scopes` or are dealt with at once.
 */
function stopAttempt(
  node: TaskNode,
  error: StopError,
  demand: Demand,
  open: TaskNode[],
  scopes?: ScopeNode[],
): void {
  const isFirst = (node.flags & STOPPING) === 0;
  if (isFirst) {
    node.flags |= STOPPING;
    stopOf(node).error = error;
    rejectWaits(node, error);
  }
  limitGrace(node, Math.min(demand.grace, graceOf(node)), momentOf(demand));
  for (let child = node.children; child !== undefined; child = child.prev) open.push(child);
  const group = node.extras?.group;
  if (group !== undefined && group.state < CLOSING) {
    if (scopes === undefined) cancelScope(group, heardFrom(node, demand));
    else scopes.push(group);
  }
  if (isFirst) node.extras?.attemptController?.abort(error);
}

/** The attempt is to stop, and all below it. */
export function stopAttemptAndBelow(node: TaskNode, error: StopError, demand: Demand): void {
  const open: TaskNode[] = [];
  stopAttempt(node, error, demand, open);
  cancelBelow(open, demand);
}

function rejectWaits(node: TaskNode, error: unknown): void {
  let last: Wait | undefined = node.waits;
  while (last?.next !== undefined) last = last.next;
  for (let wait = last; wait !== undefined; wait = last) {
    last = wait.prev;
    if (wait.kind !== "outcome" && wait.kind !== "end") wait.fail(error);
  }
}

/** An attempt is stopped, though its task is not cancelled: a service's, to start anew; a group's, as it fails. */
export function stopForSibling(node: TaskNode, demand: Demand): void {
  if (stateOf(node) !== RUNNING) return;
  stopAttemptAndBelow(node, newCancellation(node, demand), demand);
}

function momentOf(demand: Demand): number {
  return (demand.at ??= now());
}

/** Lets the grace end `ms` after a moment, if it does not end sooner. Clean-up that runs has its own limit. */
export function limitGrace(node: TaskNode, ms: number, from: number): void {
  if (ms === Infinity || (node.flags & ENDING) !== 0) return;
  const stop = stopOf(node);
  const endsAt = Math.ceil(from + ms);
  if (stop.grace === undefined || endsAt < stop.grace.when) setGrace(node, stop, endsAt, graceIsUp);
}

function graceIsUp(node: TaskNode): void {
  inMotion(graceIsOver, node);
}

function graceIsOver(first: TaskNode): void {
  const open = [first];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (isTerminal(node) || (node.flags & ENDING) !== 0) continue;
    if ((node.flags & GRACE_OVER) === 0 && hurryShields(node)) {
      node.flags |= GRACE_OVER;
      setGrace(node, stopOf(node), Math.ceil(now()) + SHIELD_EXTRA, graceIsUp);
    } else if ((node.flags & BODY_DONE) !== 0) {
      // It has stopped; what has not are its children, and theirs is over with its own.
      pushBelow(node, open);
      if (node.children === undefined && node.extras?.group === undefined) abandon(node);
    } else abandon(node);
  }
}

/** Its children, and all that stands in its group, in scopes of that too. */
function pushBelow(node: TaskNode, open: TaskNode[]): void {
  for (let child = node.children; child !== undefined; child = child.prev) pushUnlessCleanup(child, open);
  const scopes = node.extras?.group === undefined ? [] : [node.extras.group];
  for (let scope = scopes.pop(); scope !== undefined; scope = scopes.pop()) {
    for (let task = scope.tasks; task !== undefined; task = task.prev) pushUnlessCleanup(task, open);
    for (let child = scope.scopes; child !== undefined; child = child.prev) scopes.push(child);
  }
}

function pushUnlessCleanup(node: TaskNode, open: TaskNode[]): void {
  if (!isCleanup(node)) open.push(node);
}

/**
 * Aborts the shields that are open in a task; where all below it is to be given up, those below it too. Returns
 * whether there were any.
 */
function hurryShields(node: TaskNode): boolean {
  const isAll = (node.flags & BODY_DONE) === 0;
  let found = false;
  const open: TaskNode[] = [];
  pushBelow(node, open);
  for (let block = open.pop(); block !== undefined; block = open.pop()) {
    if ((block.flags & SHIELD) !== 0) {
      found = true;
      if ((block.flags & STOPPING) === 0) hurryShield(block);
    } else if (isAll || (block.flags & HIDDEN) !== 0) pushBelow(block, open);
  }
  return found;
}

/** The nearest stop of what a shield is in, also one that waits for the shield to end. */
function stopAround(block: TaskNode): StopError | undefined {
  for (let node = block.parent; node !== undefined; node = node.parent) {
    const error = node.stop?.error ?? node.stop?.heldTimeout;
    if (error !== undefined) return error;
  }
  return undefined;
}

/** The shield's signal aborts; what is inside has a second, however short the grace of its task is. */
function hurryShield(block: TaskNode): void {
  const error = stopAround(block);
  if (error === undefined) return;
  extrasOf(block).grace = SHIELD_EXTRA;
  const demand: Demand = { source: "parent", by: taskPath(block), reason: error, grace: SHIELD_EXTRA };
  stopAttemptAndBelow(block, error, demand);
}
