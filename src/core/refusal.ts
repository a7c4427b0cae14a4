import { scopePath, scopeState, taskPath } from "./describe.ts";
import { ScopeClosedError } from "./errors.ts";
import type { ScopeNode } from "./scope-node.ts";
import type { TaskNode } from "./task-node.ts";

/** What is asked of a task can begin in it no more; `why` follows its path. */
export function taskRefusal(node: TaskNode, why: string, options?: ErrorOptions): ScopeClosedError {
  const path = taskPath(node);
  return new ScopeClosedError(`${path} ${why}`, path, options);
}

/** What is asked of a scope it takes no more; `what` follows its path and its state. */
export function scopeRefusal(scope: ScopeNode, what = "", options?: ErrorOptions): ScopeClosedError {
  const path = scopePath(scope);
  return new ScopeClosedError(`${path} is ${scopeState(scope)}${what}`, path, options);
}
