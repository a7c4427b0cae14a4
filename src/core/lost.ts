import { taskPath } from "./describe.ts";
import { TaskLostError } from "./errors.ts";
import { cancelScope, cancelTask } from "./cancel.ts";
import { advanceTask, prepareNext } from "./attempt.ts";
import { BODY_DONE, extrasOf, IS_LOST, KEEPS_RUN, RUNNING, stateOf } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";
import { listed } from "./walk.ts";
import { inMotion, scopeMayAdvance } from "./work.ts";

/**
 * For the watch: nothing can ever settle what this task awaits. Its children are cancelled and awaited, its clean-up
 * runs, then it is terminal; retry and restart treat it as a failure.
 */
export function loseTask(node: TaskNode): void {
  if (stateOf(node) !== RUNNING || (node.flags & BODY_DONE) !== 0) return;
  inMotion(lose, node);
}

function lose(node: TaskNode): void {
  node.flags |= BODY_DONE | IS_LOST;
  node.result = new TaskLostError(taskPath(node));
  if ((node.flags & KEEPS_RUN) !== 0) prepareNext(extrasOf(node));
  const demand = { source: "parent", by: taskPath(node), reason: node.result, grace: Infinity } as const;
  for (const child of listed(node.children)) cancelTask(child, demand);
  const group = node.extras?.group;
  if (group !== undefined) {
    cancelScope(group, demand);
    scopeMayAdvance(group);
  }
  advanceTask(node);
}
