import { CLOSED, CLOSING } from "./scope-node.ts";
import type { ScopeNode } from "./scope-node.ts";
import { taskInfo, taskPath } from "./describe.ts";
import { TaskAbandonedError } from "./errors.ts";
import { emitFinding } from "./events.ts";
import { noteAbandoned } from "./close-report.ts";
import { settle } from "./settle.ts";
import { ABANDONED, HIDDEN, isTerminal } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";
import { enclosing } from "./describe.ts";
import { scopeMayAdvance } from "./work.ts";
import { familyOfTask } from "./walk.ts";

/** Gives up a task that would not stop, and all that lives below it, leaves first. Its code may still run. */
export function abandon(node: TaskNode, grace: number): void {
  const family = familyOfTask(node);
  for (let at = family.tasks.length - 1; at >= 0; at--) giveUp(family.tasks[at] as TaskNode, grace);
  for (const scope of family.scopes) outlive(scope);
}

function giveUp(node: TaskNode, grace: number): void {
  if (isTerminal(node)) return;
  const extras = node.extras;
  const cause = extras?.stopError ?? extras?.heldTimeout ?? extras?.cancelError;
  const error = new TaskAbandonedError(taskPath(node), grace, cause);
  settle(node, ABANDONED, error);
  if ((node.flags & HIDDEN) !== 0) return;
  emitFinding(node);
  noteAbandoned(node.scope, taskInfo(node));
}

/**
 * The scope of an abandoned group still has its clean-up to run: until then the scope around it holds it, so that it
 * does not close, and dispose of what that clean-up needs, before.
 */
function outlive(scope: ScopeNode): void {
  if (scope.state < CLOSING) scope.state = CLOSING;
  scopeMayAdvance(scope);
  if (scope.owner === undefined || scope.state === CLOSED) return;
  const around = enclosing(scope);
  if (around === undefined || scope.prev !== undefined || scope.next !== undefined || around.scopes === scope)
    return;
  scope.prev = around.scopes;
  if (around.scopes !== undefined) around.scopes.next = scope;
  around.scopes = scope;
}
