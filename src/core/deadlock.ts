import { isWithin, scopePath, taskPath } from "./describe.ts";
import type { Pool, QueueEntry } from "./limits.ts";
import type { ScopeNode } from "./scope-node.ts";
import { BUSY, GROUP, HOLDS_POOL, HOLDS_SLOT, isTerminal } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";

/*
 * Who would be stuck if `asker` waited: searched backwards, from the asker to all that wait for it. A task waits for
 * its children, for what it awaits, for the task whose key it takes, and for a slot, which keeps it stuck only if all
 * that hold one are stuck. If the target is among the stuck, the wait would never end.
 * (Deadlock detection by the wait-for graph, with the k-out-of-n rule for slots: Knapp, "Deadlock detection in
 * distributed databases", ACM Computing Surveys 19(4), 1987.)
 */

/** Each stuck task, with the one it waits for. */
type Stuck = Map<TaskNode, TaskNode | undefined>;

/** The cycle that would arise if `asker` waited for `target`, as paths; undefined where there is none. */
export function cycleThroughTask(asker: TaskNode, target: TaskNode): readonly string[] | undefined {
  if (isTerminal(target)) return undefined;
  if (asker !== target && !mayWait(target)) return undefined;
  // From both ends in turn: a long chain of tasks, each awaiting the next, is short from one of them.
  for (let limit = FIRST_LIMIT; ; limit *= 2) {
    if (asker !== target && isFree(target, asker, limit)) return undefined;
    const stuck = stuckBy(asker, limit);
    if (stuck !== undefined) return stuck.has(target) ? toPaths(stuck, target) : undefined;
  }
}

/** Whether it waits for a slot, or for another task's key. */
function isQueued(node: TaskNode): boolean {
  const { extras } = node;
  return extras !== undefined && (extras.queued !== undefined || extras.predecessor !== undefined);
}

const FIRST_LIMIT = 16;

/** Whether nothing that `target` waits for can be `asker`: seen forwards, within so many tasks. */
function isFree(target: TaskNode, asker: TaskNode, limit: number): boolean {
  const seen = new Set<TaskNode>([target]);
  for (const node of seen) {
    // Who holds what a queued task waits for is not written on it.
    if (node === asker || seen.size > limit || isQueued(node)) return false;
    for (let child = node.children; child !== undefined && seen.size <= limit; child = child.prev)
      seen.add(child);
    for (let wait = node.waits; wait !== undefined && seen.size <= limit; wait = wait.next) {
      if (wait.target !== undefined) seen.add(wait.target);
      else if (wait.kind === "event" || wait.kind === "end") return false;
    }
    if ((node.flags & GROUP) !== 0) return false;
  }
  return true;
}

/** Most tasks that are awaited wait for nothing themselves: no cycle goes through them. */
function mayWait(target: TaskNode): boolean {
  return (
    target.children !== undefined ||
    target.waits !== undefined ||
    isQueued(target) ||
    (target.flags & GROUP) !== 0
  );
}

/** The cycle that would arise if `asker` waited for all, or for all that is busy, in a scope. */
export function cycleThroughScope(
  asker: TaskNode,
  scope: ScopeNode,
  onlyBusy: boolean,
): readonly string[] | undefined {
  const stuck = stuckBy(asker, Infinity) as Stuck;
  for (const task of stuck.keys()) {
    if (isTerminal(task) || !isWithin(task.scope, scope) || (onlyBusy && (task.flags & BUSY) === 0)) continue;
    return [scopePath(scope), ...toPaths(stuck, task)];
  }
  return undefined;
}

/** All that are stuck; undefined where they are more than the limit. */
function stuckBy(asker: TaskNode, limit: number): Stuck | undefined {
  const stuck: Stuck = new Map([[asker, undefined]]);
  const open: TaskNode[] = [asker];
  const heldSlots = new Map<ScopeNode | Pool, number>();
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (stuck.size > limit) return undefined;
    const add = (other: TaskNode | undefined): void => {
      if (other === undefined || isTerminal(other) || stuck.has(other)) return;
      stuck.set(other, node);
      open.push(other);
    };
    add(node.parent);
    for (let wait = node.waiters; wait !== undefined; wait = wait.targetNext) add(wait.awaiter);
    add(node.extras?.successor);
    addScopeWaiters(node, add);
    if ((node.flags & HOLDS_SLOT) !== 0) {
      const { scope } = node;
      if (countHolder(heldSlots, scope) === scope.slotsUsed) addQueue(scope.slotQueue?.first, add);
    }
    const pool = node.extras?.pool;
    if (pool !== undefined && (node.flags & HOLDS_POOL) !== 0 && countHolder(heldSlots, pool) === pool.used) {
      addQueue(pool.queue.first, add);
    }
  }
  return stuck;
}

function countHolder<K>(held: Map<K, number>, of: K): number {
  const count = (held.get(of) ?? 0) + 1;
  held.set(of, count);
  return count;
}

function addQueue(first: QueueEntry | undefined, add: (node: TaskNode) => void): void {
  for (let entry = first; entry !== undefined; entry = entry.next) add(entry.value);
}

/** A group waits for what stands in its scope; whoever closes a scope, or waits for it, for all that does. */
function addScopeWaiters(node: TaskNode, add: (node: TaskNode | undefined) => void): void {
  for (let scope: ScopeNode | undefined = node.scope; scope !== undefined; scope = scope.parent) {
    for (const waiter of scope.closeWaiters ?? []) add(waiter.task);
    if ((node.flags & BUSY) !== 0) for (const waiter of scope.idleWaiters ?? []) add(waiter.task);
    if (scope.owner !== undefined) {
      add(scope.owner);
      return;
    }
  }
}

function toPaths(stuck: Stuck, from: TaskNode): string[] {
  const paths: string[] = [];
  for (let node: TaskNode | undefined = from; node !== undefined; node = stuck.get(node)) {
    const path = taskPath(node);
    if (paths.at(-1) !== path) paths.push(path);
  }
  // From the one who asks, who waits for the target, and so on round.
  const asker = paths.pop() as string;
  return paths[0] === asker ? paths : [asker, ...paths];
}
