import { CLOSED } from "./scope-node.ts";
import type { ScopeNode } from "./scope-node.ts";
import { isCleanup } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";

/** What stands in one owner's list, oldest first. A copy: what is done with it may change the list. */
export function listed<T extends TaskNode | ScopeNode>(last: T | undefined): T[] {
  const all: T[] = [];
  for (let one = last; one !== undefined; one = one.prev as T | undefined) all.push(one);
  return all.reverse();
}

/**
 * Calls `visit` for every live task below `scope`, hidden ones too, in no order; it must not change the tree. Makes no
 * list of them: a sweep goes over a hundred thousand.
 */
export function visitTasks(scope: ScopeNode, visit: (node: TaskNode) => void): void {
  const scopes = [scope];
  const lists: TaskNode[] = [];
  for (;;) {
    const last = lists.pop();
    if (last !== undefined) {
      for (let task: TaskNode | undefined = last; task !== undefined; task = task.prev) {
        visit(task);
        if (task.children !== undefined) lists.push(task.children);
        const group = task.extras?.group;
        if (group !== undefined && group.state !== CLOSED) scopes.push(group);
      }
      continue;
    }
    const next = scopes.pop();
    if (next === undefined) return;
    if (next.tasks !== undefined) lists.push(next.tasks);
    for (let child = next.scopes; child !== undefined; child = child.prev) scopes.push(child);
  }
}

/** What lives under some scopes or tasks. */
export interface Family {
  /** Outer ones before inner ones. */
  readonly scopes: ScopeNode[];
  /** Parents before children. */
  readonly tasks: TaskNode[];
}

/**
 * All live scopes and tasks below `scope`, itself included. With a stack of its own: trees may be deeper than the
 * engine's stack.
 */
export function familyOfScope(scope: ScopeNode): Family {
  return collect([scope], []);
}

/** `scope` and all live scopes below it, outer ones first. */
export function scopesOf(scope: ScopeNode): ScopeNode[] {
  const found = [scope];
  const open: TaskNode[] = [];
  const pass = (last: TaskNode | undefined): void => {
    for (let task = last; task !== undefined; task = task.prev) {
      if (task.children !== undefined || task.extras?.group !== undefined) open.push(task);
    }
  };
  for (const next of found) {
    if (next.groups > 0) pass(next.tasks);
    for (let child = next.scopes; child !== undefined; child = child.prev) found.push(child);
    for (let task = open.pop(); task !== undefined; task = open.pop()) {
      pass(task.children);
      const group = task.extras?.group;
      if (group !== undefined && group.state !== CLOSED) found.push(group);
    }
  }
  return found;
}

/** All live tasks below `task`, itself included, and the scopes of the groups among them; clean-ups are left out. */
export function familyOfTask(task: TaskNode): Family {
  return collect([], [task], task);
}

/** Without the clean-ups below `root`, where there is one. */
function collect(openScopes: ScopeNode[], openTasks: TaskNode[], root?: TaskNode): Family {
  const family: Family = { scopes: [], tasks: [] };
  for (;;) {
    const scope = openScopes.pop();
    if (scope !== undefined) {
      family.scopes.push(scope);
      for (let task = scope.tasks; task !== undefined; task = task.prev) openTasks.push(task);
      for (let child = scope.scopes; child !== undefined; child = child.prev) openScopes.push(child);
      continue;
    }
    const task = openTasks.pop();
    if (task === undefined) return family;
    if (root !== undefined && task !== root && isCleanup(task)) continue;
    family.tasks.push(task);
    const group = task.extras?.group;
    if (group !== undefined && group.state !== CLOSED) openScopes.push(group);
    for (let child = task.children; child !== undefined; child = child.prev) openTasks.push(child);
  }
}
