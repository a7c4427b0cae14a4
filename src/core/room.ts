import { isWithin } from "./describe.ts";
import { scopeRefusal } from "./refusal.ts";
import { DRAINING, OPEN } from "./scope-node.ts";
import type { ScopeNode } from "./scope-node.ts";
import { ENDING, isTerminal, STOPPING } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";
import { afterMicrotasks } from "./wait.ts";

/** Whether a scope takes work from a task: one that drains does from what still runs inside it; one that closes, none. */
export function takesFrom(scope: ScopeNode, task: TaskNode | undefined): boolean {
  if (scope.state !== DRAINING) return scope.state === OPEN;
  // Without an async context nobody knows who calls; of a group that is taken to be its own body.
  const caller = scope.settings.hasContext ? task : (task ?? scope.owner);
  if (caller === undefined || isTerminal(caller) || (caller.flags & (STOPPING | ENDING)) !== 0) return false;
  return isWithin(caller.scope, scope.drainRoot ?? scope);
}

/** How many of its tasks wait for a slot, or for a bound by key. */
export function countQueued(scope: ScopeNode): number {
  return (scope.slotQueue?.size ?? 0) + (scope.limitQueue?.size ?? 0);
}

/** Whether a spawn would be accepted: a free slot, or a place in the queue. */
function hasRoom(scope: ScopeNode): boolean {
  const { concurrency, queue } = scope.settings;
  const queued = countQueued(scope);
  return (queued === 0 && scope.slotsUsed < concurrency) || queued < queue;
}

/** Whether everything is accepted at once. */
export function isUnbounded(scope: ScopeNode): boolean {
  return scope.settings.concurrency === Infinity && scope.settings.queue === Infinity;
}

/** Lets one of those who wait for room go on, if there is room, and the next one once that one has had its turn. */
export function wakeRoom(scope: ScopeNode): void {
  const waiters = scope.roomWaiters;
  if (waiters === undefined || scope.isRoomPromised) return;
  const [first] = waiters;
  if (first === undefined || !hasRoom(scope)) return;
  waiters.delete(first);
  scope.isRoomPromised = true;
  first.resolve(undefined);
  // Whether the next one has room too is known when the microtasks are done, in which this one spawns, or does not.
  afterMicrotasks(turnIsOver, scope);
}

function turnIsOver(scope: ScopeNode): void {
  scope.isRoomPromised = false;
  wakeRoom(scope);
}

/** Who waits for room and may not spawn any more will get none. */
export function refuseRoom(scope: ScopeNode): void {
  const waiters = scope.roomWaiters;
  if (waiters === undefined) return;
  const error = scopeRefusal(scope, ": there will be no room");
  for (const waiter of waiters) {
    if (takesFrom(scope, waiter.task)) continue;
    waiters.delete(waiter);
    waiter.reject(error);
  }
}
