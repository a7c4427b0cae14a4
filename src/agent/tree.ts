import { emptyTree, taskInfo, visible, visibleChildren } from "../core/describe.ts";
import type { ScopeNode } from "../core/scope-node.ts";
import { isTerminal } from "../core/task-node.ts";
import type { TaskNode } from "../core/task-node.ts";
import { listed } from "../core/walk.ts";
import type { Omitted, ScopeBranch, TaskBranch } from "./answers.ts";

/** How much of a tree is told: a process may hold a million tasks, and a screen has forty lines. */
export interface TreeBounds {
  /** So many tasks and scopes in all. */
  readonly limit: number;
  /** So many tasks, and so many scopes, of each owner: the oldest. */
  readonly each: number;
}

type Open<T> = { -readonly [K in keyof T]: T[K] };
type OpenScope = Open<Omit<ScopeBranch, "tasks" | "scopes">> & { tasks: OpenTask[]; scopes: OpenScope[] };
type OpenTask = Open<Omit<TaskBranch, "tasks" | "scopes">> & { tasks: OpenTask[]; scopes: OpenScope[] };

/** How many names of what is left out are told. */
const MAX_NAMES = 10;

/** Deeper owners are not looked into: what writes and reads JSON recurses. */
const MAX_DEPTH = 500;

/** What waits to be looked into, and how deep it is. */
type Owner = readonly [ScopeNode, OpenScope, number] | readonly [TaskNode, OpenTask, number];

/**
 * The live tree, as far as the bounds allow. Breadth first, so that where they bite it is the depth that is missing and
 * not the next root; and what is left out is counted.
 */
export function scopeBranches(nodes: readonly ScopeNode[], bounds: TreeBounds): ScopeBranch[] {
  const branches = nodes.map(emptyTree);
  fill(
    nodes.map((node, at) => [node, branches[at] as OpenScope, 0]),
    bounds,
  );
  return branches;
}

/** A live task and what is below it. */
export function taskBranch(node: TaskNode, bounds: TreeBounds): TaskBranch {
  const branch = emptyTask(node);
  fill([[node, branch, 0]], bounds);
  return branch;
}

function fill(queue: Owner[], { limit, each }: TreeBounds): void {
  let left = limit;
  // It grows while it is gone through.
  for (const [node, branch, depth] of queue) {
    const room = depth < MAX_DEPTH ? each : 0;
    const tasks = tasksOf(node);
    const scopes = scopesOf(node);
    const shownTasks = tasks.slice(0, Math.min(room, left));
    left -= shownTasks.length;
    const shownScopes = scopes.slice(0, Math.min(room, left));
    left -= shownScopes.length;
    for (const task of shownTasks) {
      const below = emptyTask(task);
      branch.tasks.push(below);
      queue.push([task, below, depth + 1]);
    }
    for (const scope of shownScopes) {
      const below: OpenScope = emptyTree(scope);
      branch.scopes.push(below);
      queue.push([scope, below, depth + 1]);
    }
    if (shownTasks.length < tasks.length) branch.omitted = omittedOf(tasks.slice(shownTasks.length));
    if (shownScopes.length < scopes.length) branch.omittedScopes = scopes.length - shownScopes.length;
  }
}

function tasksOf(node: ScopeNode | TaskNode): TaskNode[] {
  const below = isTask(node) ? visibleChildren(node) : visible(listed(node.tasks));
  return below.filter((task) => !isTerminal(task));
}

function scopesOf(node: ScopeNode | TaskNode): ScopeNode[] {
  const owner = isTask(node) ? node.extras?.group : node;
  return listed(owner?.scopes);
}

function isTask(node: ScopeNode | TaskNode): node is TaskNode {
  return "flags" in node;
}

function omittedOf(tasks: readonly TaskNode[]): Omitted {
  const counts = new Map<string, number>();
  for (const { name } of tasks) counts.set(name, (counts.get(name) ?? 0) + 1);
  const names = [...counts].toSorted(([, a], [, b]) => b - a).slice(0, MAX_NAMES);
  return { count: tasks.length, names: Object.fromEntries(names) };
}

function emptyTask(node: TaskNode): OpenTask {
  return { ...taskInfo(node), tasks: [], scopes: [] };
}
