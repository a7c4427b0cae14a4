import { demandFor, limitGrace, stopAttemptAndBelow } from "./cancel.ts";
import { now } from "./clock.ts";
import { taskPath } from "./describe.ts";
import type { TaskTimeoutError } from "./errors.ts";
import { clearGrace, graceOf } from "./grace.ts";
import { settle } from "./settle.ts";
import {
  ADOPTED,
  CANCEL_ASKED,
  ENDING,
  FAILED,
  isTerminal,
  RUNNING,
  stateOf,
  stopOf,
  STOPPING,
} from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";

/** The whole task is out of time. */
export function expireTask(node: TaskNode, error: TaskTimeoutError): void {
  if (isTerminal(node) || (node.flags & CANCEL_ASKED) !== 0) return;
  const isRunning = stateOf(node) === RUNNING && (node.flags & ADOPTED) === 0;
  if (isRunning && isShielded(node)) {
    holdTimeout(node, error, true);
    return;
  }
  const { extras } = node;
  node.flags |= CANCEL_ASKED;
  stopOf(node).cancelError = error;
  if (isRunning) expireAttempt(node, error);
  extras?.taskController?.abort(error);
  if (!isRunning) settle(node, FAILED, error);
}

function isShielded({ extras }: TaskNode): boolean {
  return extras !== undefined && extras.shields > 0;
}

/** The attempt is out of time. During a shield that takes effect when the shield ends, or with the end of grace. */
export function expireAttempt(node: TaskNode, error: TaskTimeoutError): void {
  if (isTerminal(node) || (node.flags & (STOPPING | ENDING)) !== 0) return;
  if ((node.flags & ADOPTED) !== 0) {
    expireTask(node, error);
    return;
  }
  if (isShielded(node)) {
    holdTimeout(node, error, false);
    return;
  }
  stopAttemptAndBelow(node, error, demandFor("deadline", taskPath(node), error));
}

function holdTimeout(node: TaskNode, error: TaskTimeoutError, isWhole: boolean): void {
  const stop = stopOf(node);
  if (isWhole || stop.heldTimeout === undefined) {
    stop.heldTimeout = error;
    stop.heldIsWhole = isWhole;
  }
  limitGrace(node, graceOf(node), now());
}

/** The last shield of a task has ended: a timeout that waited for it takes effect, with a grace of its own. */
export function applyHeldTimeout(node: TaskNode): void {
  const { stop } = node;
  const error = stop?.heldTimeout;
  if (stop === undefined || error === undefined || isTerminal(node) || isShielded(node)) return;
  stop.heldTimeout = undefined;
  if ((node.flags & CANCEL_ASKED) === 0) clearGrace(stop);
  if (stop.heldIsWhole) expireTask(node, error);
  else expireAttempt(node, error);
}
