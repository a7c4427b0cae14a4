import { noteAbandoned } from "./close-report.ts";
import { taskPath } from "./describe.ts";
import { TaskAbandonedError, withoutStack } from "./errors.ts";
import { noteFinding } from "./events.ts";
import { graceOf } from "./grace.ts";
import { CLOSING } from "./scope-node.ts";
import { settle } from "./settle.ts";
import { ABANDONED, ENDING, GIVING_UP, HIDDEN, isTerminal } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";
import { familyOfTask } from "./walk.ts";
import { scopeMayAdvance, taskMayAdvance } from "./work.ts";

/**
 * Gives up a task that would not stop, and all that lives below it, leaves first. Its code may still run.
 * Clean-up below it is left to its own limit, and what that belongs to is given up when it is done: what a clean-up
 * needs must not be disposed of before.
 */
export function abandon(node: TaskNode): void {
  const family = familyOfTask(node);
  for (const scope of family.scopes) {
    if (scope.state < CLOSING) scope.state = CLOSING;
    scopeMayAdvance(scope);
  }
  for (const task of family.tasks.reverse()) {
    if ((task.flags & ENDING) !== 0) continue;
    if (task.children === undefined && task.extras?.group === undefined) giveUp(task);
    else {
      task.flags |= GIVING_UP;
      taskMayAdvance(task);
    }
  }
}

/** Ends one task of which nothing below lives any more. */
export function giveUp(node: TaskNode): void {
  if (isTerminal(node)) return;
  const { stop } = node;
  const cause = stop?.error ?? stop?.heldTimeout ?? stop?.cancelError;
  const error = withoutStack(() => new TaskAbandonedError(taskPath(node), graceOf(node), cause));
  settle(node, ABANDONED, error);
  if ((node.flags & HIDDEN) !== 0) return;
  noteFinding(node, {
    finding: "unresponsive",
    what: "did not stop within its grace",
    advice: "pass task.signal to what it awaits",
  });
  noteAbandoned(node);
}
