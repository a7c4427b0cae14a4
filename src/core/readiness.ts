import { taskPath } from "./describe.ts";
import type { ScopeNode, ScopeWaiter } from "./scope-node.ts";
import { isTerminal, stateName } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";
import { scopesOf } from "./walk.ts";

/** Resolves for all who wait. */
export function wakeAll(waiters: Set<ScopeWaiter> | undefined): void {
  if (waiters === undefined) return;
  for (const waiter of [...waiters]) {
    waiters.delete(waiter);
    waiter.resolve(undefined);
  }
}

/** Whether no service here or below has still to say that it is ready. */
export function isReady(scope: ScopeNode): boolean {
  for (const inner of scopesOf(scope)) {
    for (const service of inner.services ?? []) {
      const state = service.extras?.service;
      if (state?.needsReady === true && !state.isReady && !isTerminal(service)) return false;
    }
  }
  return true;
}

/** Wakes those who wait, if every service is ready now. */
export function checkReady(scope: ScopeNode): void {
  if (!isReady(scope)) return;
  wakeAll(scope.readyWaiters);
  scope.readyWaiters = undefined;
}

/** A service has ended before it was ready: it never will be. */
export function refuseReady(node: TaskNode): void {
  const service = node.extras?.service;
  if (service === undefined || !service.needsReady || service.isReady) return;
  const error = node.result ?? new Error(`${taskPath(node)} ${stateName(node)} before it was ready`);
  for (let scope: ScopeNode | undefined = node.scope; scope !== undefined; scope = scope.parent) {
    for (const waiter of scope.readyWaiters ?? []) waiter.reject(error);
    scope.readyWaiters = undefined;
  }
}

/** The service says that it is ready. */
export function sayReady(node: TaskNode): void {
  const service = node.extras?.service;
  if (service === undefined || service.isReady) return;
  service.isReady = true;
  for (let scope: ScopeNode | undefined = node.scope; scope !== undefined; scope = scope.parent) {
    if (scope.readyWaiters !== undefined) checkReady(scope);
  }
}
