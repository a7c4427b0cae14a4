import { HIDDEN } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";

/** Its own grace, in ms. A hidden block has that of its task. */
export function graceOf(node: TaskNode): number {
  let task = node;
  while ((task.flags & HIDDEN) !== 0 && task.extras?.grace === undefined && task.parent !== undefined)
    task = task.parent;
  return task.extras?.grace ?? task.scope.settings.grace;
}
