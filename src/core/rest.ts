import { callLater, now, toWall } from "./clock.ts";
import { describeError } from "./errors.ts";
import { given } from "./given.ts";
import { clearGrace } from "./grace.ts";
import { endWaits } from "./settle.ts";
import { ENDING, extrasOf, RETRYING, setState, stateOf, STOPPING } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";

/** At most so many attempts are described in a record. */
const MAX_HISTORY = 20;

/** Between two attempts: what the last one left is put away, and described. A failure may be with `undefined`. */
export function rest(node: TaskNode, failure: { readonly error: unknown } | undefined): void {
  const extras = extrasOf(node);
  setState(node, RETRYING);
  node.flags &= ~(STOPPING | ENDING);
  if (node.waits !== undefined) endWaits(node);
  extras.lastError = failure;
  const history = (extras.history ??= []);
  if (history.length === MAX_HISTORY) history.shift();
  history.push(
    given({
      attempt: extras.attempt,
      startedAt: toWall(node.startedAt),
      endedAt: toWall(now()),
      error: failure && describeError(failure.error),
    }),
  );
  extras.group = undefined;
  clearGrace(node.stop);
  node.stop = undefined;
}

/** The next attempt starts `ms` from now. */
export function pauseFor(node: TaskNode, ms: number): void {
  extrasOf(node).delayTimer = callLater(ms, pauseIsOver, node);
}

function pauseIsOver(node: TaskNode): void {
  const extras = extrasOf(node);
  extras.delayTimer = undefined;
  if (stateOf(node) === RETRYING) extras.go?.(node);
}
