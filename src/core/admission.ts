import { Fifo } from "./fifo.ts";
import { forgetIfIdle, isFull, noteStart, roomAt, wakeAt } from "./limits.ts";
import type { Pool } from "./limits.ts";
import { wakeRoom } from "./room.ts";
import type { ScopeNode } from "./scope-node.ts";
import {
  ADOPTED,
  HIDDEN,
  HOLDS_POOL,
  HOLDS_SLOT,
  SERVICE,
  STARTS_SOON,
  extrasOf,
  isTerminal,
} from "./task-node.ts";
import type { TaskExtras, TaskNode } from "./task-node.ts";
import type { LimitOptions } from "./options.ts";
import { now } from "./clock.ts";

/*
 * What a task passes before its first attempt, in this order: the end of the task whose key it takes, its delay, its
 * bound by key, a slot of its scope. It holds what it has while it waits for the next; since all take them in this
 * order, none can wait for another in a circle.
 */

/** Takes what is free. Returns whether the task may start now; else it is queued, and started when it may. */
export function admit(node: TaskNode): boolean {
  const { extras } = node;
  if (extras !== undefined) {
    if (extras.predecessor !== undefined || extras.delayTimer !== undefined || extras.queued !== undefined)
      return false;
    const { pool } = extras;
    const isBound = pool !== undefined && (node.flags & HOLDS_POOL) === 0;
    if (isBound && (pool.queue.size > 0 || !takePlace(node, pool))) {
      extras.queued = pool.queue.push(node);
      extras.queuedInScope = (node.scope.limitQueue ??= new Fifo<TaskNode>()).push(node);
      pumpPool(pool);
      // Where there was room after all, it has passed by now, or waits for a slot.
      return extras.queued === undefined;
    }
  }
  return takeSlot(node);
}

/** Admits, and starts if it may. */
export function admitLater(node: TaskNode): void {
  if (!isTerminal(node) && admit(node)) go(node);
}

function go(node: TaskNode): void {
  node.extras?.go?.(node);
}

/** Of one that has a bound by key. */
function limitOf(node: TaskNode): LimitOptions {
  return node.extras?.options?.limit as LimitOptions;
}

/** Takes a place of its bound by key, if there is one; its start is expected then. */
function takePlace(node: TaskNode, pool: Pool): boolean {
  if (isFull(pool, limitOf(node))) return false;
  pool.used++;
  pool.expected++;
  node.flags |= HOLDS_POOL | STARTS_SOON;
  return true;
}

/** Whether `concurrency` counts this task: not children, not services, not what runs already. */
function needsSlot({ scope, parent, flags }: TaskNode): boolean {
  return (
    scope.settings.concurrency !== Infinity &&
    parent === undefined &&
    (flags & (SERVICE | HIDDEN | ADOPTED)) === 0
  );
}

function takeSlot(node: TaskNode): boolean {
  const { scope } = node;
  if ((node.flags & HOLDS_SLOT) === 0 && needsSlot(node)) {
    if (!hasSlot(scope)) {
      extrasOf(node).queued = (scope.slotQueue ??= new Fifo<TaskNode>()).push(node);
      return false;
    }
    holdSlot(node);
  }
  startsNow(node, true);
  return true;
}

function holdSlot(node: TaskNode): void {
  node.scope.slotsUsed++;
  node.flags |= HOLDS_SLOT;
}

/** Whether a new task would have to wait in its scope's queue. */
export function wouldQueue(node: TaskNode): boolean {
  if (needsSlot(node) && !hasSlot(node.scope)) return true;
  const pool = node.extras?.pool;
  return pool !== undefined && (pool.queue.size > 0 || isFull(pool, limitOf(node)));
}

function hasSlot(scope: ScopeNode): boolean {
  return (scope.slotQueue?.size ?? 0) === 0 && scope.slotsUsed < scope.settings.concurrency;
}

/** The task that has waited longest in the queue of a scope. */
export function oldestQueued(scope: ScopeNode): TaskNode | undefined {
  const slot = scope.slotQueue?.first?.value;
  const limit = scope.limitQueue?.first?.value;
  if (slot === undefined || limit === undefined) return slot ?? limit;
  return slot.id < limit.id ? slot : limit;
}

/** Gives back all that an ended task held or waited for, and lets the next ones take it. */
export function release(node: TaskNode): void {
  const { scope, extras } = node;
  let madeRoom = false;
  if (extras !== undefined) {
    madeRoom = extras.queued !== undefined;
    if (madeRoom) leaveQueues(extras);
    if (extras.pool !== undefined) releasePool(node, extras.pool);
    if (extras.key !== undefined) releaseKey(node, extras);
  }
  if ((node.flags & HOLDS_SLOT) !== 0) {
    node.flags &= ~HOLDS_SLOT;
    scope.slotsUsed--;
    pumpSlots(scope);
    madeRoom = true;
  }
  if (madeRoom) wakeRoom(scope);
}

function leaveQueues(extras: TaskExtras): void {
  extras.queuedInScope?.leave();
  extras.queued?.leave();
  extras.queuedInScope = extras.queued = undefined;
}

function releasePool(node: TaskNode, pool: Pool): void {
  pool.users--;
  startsNow(node, false);
  if ((node.flags & HOLDS_POOL) !== 0) {
    node.flags &= ~HOLDS_POOL;
    pool.used--;
  }
  pumpPool(pool);
}

function releaseKey(node: TaskNode, extras: TaskExtras): void {
  const { scope } = node;
  const { key, predecessor, successor } = extras;
  if (key !== undefined && scope.keys?.get(key) === node) {
    // A replacer that is cancelled before its turn gives the key back.
    if (predecessor === undefined || isTerminal(predecessor)) scope.keys.delete(key);
    else scope.keys.set(key, predecessor);
  }
  extras.predecessor = extras.successor = undefined;
  // A replacer that is itself cancelled leaves the place before it to whoever came after it.
  if (predecessor?.extras?.successor === node) predecessor.extras.successor = undefined;
  if (successor?.extras !== undefined) {
    successor.extras.predecessor = undefined;
    // Where it has no start yet it is being spawned: its delay comes first, and then it is admitted there.
    if (successor.extras.go !== undefined) admitLater(successor);
  }
}

function pumpSlots(scope: ScopeNode): void {
  while (scope.slotsUsed < scope.settings.concurrency) {
    const node = scope.slotQueue?.first?.value;
    if (node === undefined) return;
    leaveQueues(node.extras as TaskExtras);
    holdSlot(node);
    startsNow(node, true);
    go(node);
  }
}

/** Looks again when the rate lets the first in the queue start. */
function waitForRoom(pool: Pool): void {
  const first = pool.queue.first?.value;
  if (first === undefined) return;
  const free = roomAt(pool, limitOf(first));
  if (free > now() && free < Infinity) wakeAt(pool, free, pumpPool);
}

/** It has all it needs: only now does its start count against a rate. */
function startsNow(node: TaskNode, isStarting: boolean): void {
  const pool = node.extras?.pool;
  if ((node.flags & STARTS_SOON) === 0 || pool === undefined) return;
  node.flags &= ~STARTS_SOON;
  noteStart(pool, limitOf(node), isStarting);
  waitForRoom(pool);
}

function pumpPool(pool: Pool): void {
  for (let node = pool.queue.first?.value; node !== undefined; node = pool.queue.first?.value) {
    if (!takePlace(node, pool)) {
      waitForRoom(pool);
      return;
    }
    leaveQueues(node.extras as TaskExtras);
    if (takeSlot(node)) go(node);
    wakeRoom(node.scope);
  }
  forgetIfIdle(pool);
}
