import { OPEN } from "./scope-node.ts";
import type { ScopeNode } from "./scope-node.ts";
import { scopeMayAdvance } from "./work.ts";

/*
 * A scope is busy while anything in it or below it is live that a drain waits for. Each counts its own tasks of that
 * sort and its busy child scopes, so that a change travels up only between none and one.
 */

/** One more keeps this scope from being idle. */
export function addBusy(scope: ScopeNode): void {
  let busy: ScopeNode | undefined = scope;
  while (busy !== undefined && busy.busy++ === 0) busy = busy.owner === undefined ? busy.parent : undefined;
}

/** One less. */
export function removeBusy(scope: ScopeNode): void {
  let idle: ScopeNode | undefined = scope;
  while (idle !== undefined && --idle.busy === 0) {
    idleMayBe(idle);
    idle = idle.owner === undefined ? idle.parent : undefined;
  }
}

/** The scope may have something to do now that it is idle or empty. */
export function idleMayBe(scope: ScopeNode): void {
  if (scope.state !== OPEN || scope.owner !== undefined || scope.idleWaiters !== undefined)
    scopeMayAdvance(scope);
}
