import { attemptOf, taskPath } from "./describe.ts";
import { TaskLostError } from "./errors.ts";
import { noteFinding } from "./events.ts";
import { cancelScope, cancelTask, demandFor } from "./cancel.ts";
import { advanceTask, prepareNext } from "./attempt.ts";
import { BODY_DONE, extrasOf, IS_LOST, KEEPS_RUN, RUNNING, stateOf, visibleTask } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";
import { listed } from "./walk.ts";
import { inMotion, scopeMayAdvance } from "./work.ts";

/** One attempt whose promise was let go of. */
interface Attempt {
  readonly node: TaskNode;
  readonly attempt: number;
}

const collected = new FinalizationRegistry<Attempt>(({ node, attempt }) => {
  if (attemptOf(node) === attempt) loseTask(node);
});

/**
 * For the watch: lets go of the promise of a body that still runs. From then on only what may settle it keeps it alive:
 * the function that is suspended, and that by what it awaits. When it is collected as garbage, nothing can ever
 * settle it, and the task is lost. Nothing happens where that was done before, or the body is done.
 */
export function letGo(node: TaskNode): void {
  if (stateOf(node) !== RUNNING || (node.flags & BODY_DONE) !== 0) return;
  const { result } = node;
  if (!(result instanceof Promise)) return;
  node.result = undefined;
  collected.register(result, { node, attempt: attemptOf(node) });
}

/**
 * Nothing can ever settle what this task awaits. Its children are cancelled and awaited, its clean-up runs, then it is
 * terminal; retry and restart treat it as a failure.
 */
export function loseTask(node: TaskNode): void {
  if (stateOf(node) !== RUNNING || (node.flags & BODY_DONE) !== 0) return;
  // Of a block that is lost its task hears, and goes on with the error.
  noteFinding(visibleTask(node), {
    finding: "lost",
    what: "waits for what nothing can settle any more",
    advice: "let every path of what it awaits resolve or reject, or give it a timeout",
  });
  inMotion(lose, node);
}

function lose(node: TaskNode): void {
  node.flags |= BODY_DONE | IS_LOST;
  node.result = new TaskLostError(taskPath(node));
  if ((node.flags & KEEPS_RUN) !== 0) prepareNext(extrasOf(node));
  const demand = demandFor("parent", taskPath(node), node.result);
  for (const child of listed(node.children)) cancelTask(child, demand);
  const group = node.extras?.group;
  if (group !== undefined) {
    cancelScope(group, demand);
    scopeMayAdvance(group);
  }
  advanceTask(node);
}
