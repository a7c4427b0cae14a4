import { emitState } from "./events.ts";
import { DRAINING, ScopeNode } from "./scope-node.ts";
import type { ScopeSettings } from "./scope-node.ts";
import type { TaskExtras, TaskNode } from "./task-node.ts";
import type { Scope } from "./types.ts";
import { upward } from "./work.ts";

/** The public face of a scope. */
export function scopeViewOf(scope: ScopeNode): Scope {
  return (scope.view ??= upward.viewOfScope(scope));
}

/** Each attempt of a group has a scope of its own, which drains from the start where the scope around has begun to. */
export function openGroupScope(node: TaskNode, extras: TaskExtras): void {
  const { scope } = node;
  const settings = extras.groupSettings as ScopeSettings;
  const group = new ScopeNode(node.name, scope, node, scope.ledger, settings);
  group.failures = [];
  scope.groups++;
  extras.group = group;
  scopeViewOf(group);
  // Set by a drain, also where that is over and a shield spares the group from the close.
  if (scope.drainRoot === undefined) return;
  group.state = DRAINING;
  group.drainRoot = scope.drainRoot;
  group.reason = scope.reason;
  emitState(group);
}
