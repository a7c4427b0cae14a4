import { ScopeNode } from "./scope-node.ts";
import type { ScopeSettings } from "./scope-node.ts";
import type { TaskExtras, TaskNode } from "./task-node.ts";
import type { Scope } from "./types.ts";

let makeView: (scope: ScopeNode) => Scope;
/** Says how the public face of a scope is made. Bound above, so that imports can go one way. */
export function bindScopeView(make: (scope: ScopeNode) => Scope): void {
  makeView = make;
}

/** The public face of a scope. */
export function scopeViewOf(scope: ScopeNode): Scope {
  return (scope.view ??= makeView(scope));
}

/** Each attempt of a group has a scope of its own. */
export function openGroupScope(node: TaskNode, extras: TaskExtras): void {
  const { scope } = node;
  const settings = extras.groupSettings as ScopeSettings;
  const group = new ScopeNode(node.name, scope, node, scope.ledger, settings);
  group.failures = [];
  scope.groups++;
  extras.group = group;
  scopeViewOf(group);
}
