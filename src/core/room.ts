import { outside } from "./context.ts";
import { ScopeClosedError } from "./errors.ts";
import { scopePath, scopeState } from "./describe.ts";
import { OPEN } from "./scope-node.ts";
import type { ScopeNode } from "./scope-node.ts";

/** Whether a spawn would be accepted: a free slot, or a place in the queue. */
export function hasRoom(scope: ScopeNode): boolean {
  const { concurrency, queue } = scope.settings;
  if (concurrency === Infinity && queue === Infinity) return true;
  const queued = (scope.slotQueue?.size ?? 0) + (scope.limitQueue?.size ?? 0);
  return (queued === 0 && scope.slotsUsed < concurrency) || queued < queue;
}

/** Wakes as many of those who wait for room as there is room for. */
export function wakeRoom(scope: ScopeNode): void {
  const waiters = scope.roomWaiters;
  if (waiters === undefined) return;
  const [first] = waiters;
  if (first === undefined || !hasRoom(scope)) return;
  waiters.delete(first);
  first.resolve();
  // One at a time: whether the next one has room too is known once this one has spawned, or has not.
  if (waiters.size > 0) outside(() => process.nextTick(wakeRoom, scope));
}

/** Nobody who waits for room will get any. */
export function refuseRoom(scope: ScopeNode): void {
  const waiters = scope.roomWaiters;
  if (waiters === undefined || scope.state === OPEN) return;
  scope.roomWaiters = undefined;
  const path = scopePath(scope);
  const error = new ScopeClosedError(`${path} is ${scopeState(scope)}: there will be no room`, path);
  for (const waiter of waiters) waiter.reject(error);
}
