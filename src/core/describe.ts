import { toWall } from "./clock.ts";
import { describeError } from "./errors.ts";
import { addTally, newTally } from "./scope-node.ts";
import type { ScopeNode, Tally } from "./scope-node.ts";
import {
  CANCELLED, extrasOf, FAILED, HIDDEN, isTerminal, stateName, stateOf, SUCCEEDED, terminalName, visibleTask, WAITING,
} from "./task-node.ts"; // prettier-ignore
import type { TaskNode } from "./task-node.ts";
import { given } from "./given.ts";
import { NO_ERROR } from "./ledger.ts";
import type { RecordDetail, TaskRecord } from "./ledger.ts";
import type { ScopeStats, ScopeTree, TaskInfo } from "./info.ts";
import type { Attributes } from "./options.ts";
import type { ScopeState, TaskState } from "./words.ts";
import { familyOfScope, listed, scopesOf } from "./walk.ts";

const SCOPE_STATES: readonly ScopeState[] = ["open", "draining", "closing", "closed"];
const NO_ATTRIBUTES: Attributes = Object.freeze({});

export function scopeState(scope: ScopeNode): ScopeState {
  return SCOPE_STATES[scope.state] as ScopeState;
}

/** Where a scope stands. Kept on the scope as a string that shares its parent's, so that deep trees stay small. */
export function scopePath(scope: ScopeNode): string {
  if (scope.path !== undefined) return scope.path;
  const open: ScopeNode[] = [];
  let above: ScopeNode | undefined = scope;
  for (; above !== undefined && above.path === undefined; above = enclosing(above)) open.push(above);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next.owner !== undefined) next.path = taskPath(next.owner);
    else next.path = next.parent === undefined ? next.name : `${next.parent.path}/${next.name}`;
  }
  return scope.path as unknown as string;
}

/** A scope's path with the slash behind it: what the paths of its tasks share. */
function scopePrefix(scope: ScopeNode): string {
  return (scope.prefix ??= `${scopePath(scope)}/`);
}

/** Where a task stands: `courier/requests/welcome-mail`. Built when asked; kept for tasks that have children. */
export function taskPath(node: TaskNode): string {
  const task = visibleTask(node);
  const above = parentPath(task);
  return above === undefined ? scopePrefix(task.scope) + task.name : `${above}/${task.name}`;
}

/** The path of the task that a task is a child of; undefined for one that stands in its scope. */
export function parentPath(node: TaskNode): string | undefined {
  const open: TaskNode[] = [];
  let path: string | undefined;
  for (let above = node.parent; above !== undefined; above = above.parent) {
    above = visibleTask(above);
    // A hidden task without a task around it: the clean-up of a scope.
    if ((above.flags & HIDDEN) !== 0) break;
    path = above.extras?.path;
    if (path !== undefined) break;
    open.push(above);
  }
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    path = extrasOf(next).path = `${path ?? scopePath(next.scope)}/${next.name}`;
  }
  return path;
}

/** Its children, those of its hidden blocks, and those of its group. */
export function visibleChildren(node: TaskNode): TaskNode[] {
  const found: TaskNode[] = [];
  const open = [node];
  for (let task = open.pop(); task !== undefined; task = open.pop()) {
    const below = [...listed(task.children), ...listed(task.extras?.group?.tasks)];
    for (const child of below) ((child.flags & HIDDEN) === 0 ? found : open).push(child);
  }
  return found;
}

/** A live or ended task as plain data. */
export function taskInfo(node: TaskNode): TaskInfo {
  const more = { attempt: attemptOf(node), detail: detailOf(node), error: errorOf(node) };
  return describe(node, more, taskPath(node), stateName(node), visibleChildren(node).length);
}

/** What there is to say of a task beyond names, times and its error; undefined where there is nothing. */
export function detailOf({ extras }: TaskNode): RecordDetail | undefined {
  if (extras === undefined) return undefined;
  const { key, attributes, progress, history } = extras;
  const isEmpty = (key ?? attributes ?? progress ?? history) === undefined;
  return isEmpty ? undefined : { key, attributes, progress, history };
}

/** What went wrong with a task, for its record; `NO_ERROR` where nothing did. */
export function errorOf(node: TaskNode): unknown {
  const state = stateOf(node);
  if (state === SUCCEEDED) return NO_ERROR;
  const last = node.extras?.lastError;
  // Cancelled in back-off: what the last attempt failed with says more than that it was cancelled.
  if (last !== undefined && state <= CANCELLED && state !== FAILED) return last.error;
  return state < SUCCEEDED ? NO_ERROR : node.result;
}

/** The attempt it is in, from 1; 0 while it has not started. */
export function attemptOf(node: TaskNode): number {
  if (node.extras !== undefined && node.extras.attempt > 0) return node.extras.attempt;
  return node.startedAt < 0 ? 0 : 1;
}

/** An ended task as plain data, from its record. */
export function recordInfo(record: TaskRecord): TaskInfo {
  const above = record.parentPath ?? scopePath(record.scope);
  return describe(record, record, `${above}/${record.name}`, terminalName(record.state), 0);
}

function describe(
  { id, name, createdAt, startedAt, endedAt }: TaskNode | TaskRecord,
  { attempt, detail, error }: Pick<TaskRecord, "attempt" | "detail" | "error">,
  path: string,
  state: TaskState,
  children: number,
): TaskInfo {
  return given({
    id,
    name,
    path,
    state,
    attempt,
    key: detail?.key,
    createdAt: toWall(createdAt),
    startedAt: startedAt < 0 ? undefined : toWall(startedAt),
    endedAt: endedAt < 0 ? undefined : toWall(endedAt),
    error: error === NO_ERROR ? undefined : describeError(error),
    attempts: detail?.history && [...detail.history],
    progress: detail?.progress,
    attributes: detail?.attributes ?? NO_ATTRIBUTES,
    children,
  });
}

/** The tasks of a scope and below: the live ones, then the records of the ended, newest first. */
export function* describeTasks(scope: ScopeNode): Generator<TaskInfo> {
  for (const task of liveTasks(scope)) if (!isTerminal(task)) yield taskInfo(task);
  for (const record of scope.ledger.records()) {
    if (isWithin(record.scope, scope)) yield recordInfo(record);
  }
}

/** The live tasks of a scope and below. */
export function liveTasks(scope: ScopeNode): TaskNode[] {
  return familyOfScope(scope).tasks.filter((task) => (task.flags & HIDDEN) === 0);
}

/** Whether `inner` is `outer` or stands in it. */
export function isWithin(inner: ScopeNode, outer: ScopeNode): boolean {
  for (let scope: ScopeNode | undefined = inner; scope !== undefined; scope = enclosing(scope)) {
    if (scope === outer) return true;
  }
  return false;
}

/** The scope around a scope; for a group that in which its task stands. */
export function enclosing(scope: ScopeNode): ScopeNode | undefined {
  return scope.owner === undefined ? scope.parent : scope.owner.scope;
}

export function describeStats(scope: ScopeNode): ScopeStats {
  const live = liveTasks(scope);
  return {
    path: scopePath(scope),
    state: scopeState(scope),
    live: live.length,
    waiting: live.filter((task) => stateOf(task) === WAITING).length,
    ...totalOf(scope),
    names: scope.ledger.names(),
  };
}

/** The sum over a scope and what lives below it. */
export function totalOf(scope: ScopeNode): Tally {
  const sum = newTally();
  for (const inner of scopesOf(scope)) addTally(sum, inner.tally);
  return sum;
}

interface OpenTree extends Omit<ScopeTree, "tasks" | "scopes"> {
  tasks: OpenTask[];
  scopes: OpenTree[];
}
interface OpenTask extends TaskInfo {
  tasks: OpenTask[];
  scopes: OpenTree[];
}

/** The live tree below a scope. */
export function describeTree(scope: ScopeNode): ScopeTree {
  const root = emptyTree(scope);
  const open: [tasks: TaskNode[], scopes: ScopeNode[], into: OpenTree | OpenTask][] = [];
  const openScope = (node: ScopeNode, tree: OpenTree): void => {
    open.push([visible(listed(node.tasks)), listed(node.scopes), tree]);
  };
  openScope(scope, root);
  for (const [tasks, scopes, into] of open) {
    for (const task of tasks) {
      const tree: OpenTask = { ...taskInfo(task), tasks: [], scopes: [] };
      into.tasks.push(tree);
      open.push([visibleChildren(task), listed(task.extras?.group?.scopes), tree]);
    }
    for (const child of scopes) {
      const tree = emptyTree(child);
      into.scopes.push(tree);
      openScope(child, tree);
    }
  }
  return root;
}

/** A scope, without what is in it. */
export function emptyTree(scope: ScopeNode): OpenTree {
  return {
    name: scope.name,
    path: scopePath(scope),
    state: scopeState(scope),
    attributes: scope.settings.attributes,
    tasks: [],
    scopes: [],
  };
}

/** These tasks; for a hidden one, what runs in it. */
export function visible(tasks: readonly TaskNode[]): TaskNode[] {
  return tasks.flatMap((task) => ((task.flags & HIDDEN) === 0 ? [task] : visibleChildren(task)));
}
