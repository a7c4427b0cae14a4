import { cancelTask, demandFor } from "./cancel.ts";
import { scopePath } from "./describe.ts";
import { emitState } from "./events.ts";
import { refuseRoom } from "./room.ts";
import { DRAINING } from "./scope-node.ts";
import type { ScopeNode } from "./scope-node.ts";
import { RETRYING, stateOf, WAITING } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";
import { familyOfScope } from "./walk.ts";

/** What a tick iterator gets in place of a tick: there will be none. */
export const NO_MORE_TICKS = Symbol("no more ticks");

/** The scope and all below it take no new work; what is not due yet will not become due. */
export function drain(scope: ScopeNode): void {
  const family = familyOfScope(scope);
  const begun: ScopeNode[] = [];
  // Where it drains with a scope around it already, work from inside that one is still taken.
  const drainRoot = scope.drainRoot ?? scope;
  for (const inner of family.scopes) {
    if (inner.state > DRAINING) continue;
    inner.drainRoot = drainRoot;
    if (inner.state === DRAINING) continue;
    inner.state = DRAINING;
    inner.reason ??= scope.reason;
    begun.push(inner);
  }
  for (const inner of begun) {
    emitState(inner);
    refuseRoom(inner);
    inner.drainController?.abort(inner.reason);
  }
  const demand = demandFor("drain", scopePath(scope), scope.reason);
  for (const task of family.tasks) {
    if (isNotDue(task)) cancelTask(task, demand);
    else endTicks(task);
  }
}

function isNotDue(task: TaskNode): boolean {
  const state = stateOf(task);
  const { extras } = task;
  // A schedule with a run under way ends with that.
  if (extras?.service?.isSchedule === true) return task.children === undefined;
  return state === RETRYING || (state === WAITING && extras?.delayTimer !== undefined);
}

function endTicks(task: TaskNode): void {
  for (let wait = task.waits; wait !== undefined;) {
    const next = wait.next;
    if (wait.kind === "tick") wait.end(NO_MORE_TICKS);
    wait = next;
  }
}
