import { clearTimer } from "./clock.ts";
import { clearGrace } from "./grace.ts";
import { runCleanups } from "./cleanup.ts";
import { noteError } from "./close-report.ts";
import { deliverTo } from "./delivery.ts";
import { isA } from "./errors.ts";
import { emitTrouble } from "./events.ts";
import { pauseFor, rest } from "./rest.ts";
import { pauseAfter } from "./restart.ts";
import type { Retry } from "./restart.ts";
import { OPEN } from "./scope-node.ts";
import { endService, isKeptRunning } from "./service.ts";
import { settle } from "./settle.ts";
import { CANCEL_ASKED, ENDING, FAILED, GIVING_UP, LOST, STOPPING } from "./task-node.ts";
import type { TaskExtras, TaskNode } from "./task-node.ts";
import { judge } from "./verdict.ts";
import type { Verdict } from "./verdict.ts";
import { inMotion } from "./work.ts";

/** The body and the children of an attempt have ended: cleans up, then ends the task or starts another attempt. */
export function finishAttempt(node: TaskNode): void {
  const { extras } = node;
  clearTimer(extras?.timeoutTimer);
  clearGrace(node.stop);
  node.flags |= ENDING;
  const defers = extras?.defers;
  if (extras === undefined || defers === undefined || defers.length === 0) {
    conclude(node);
    return;
  }
  extras.defers = undefined;
  runCleanups(
    node.scope,
    node,
    defers,
    (error) => (extras.deferErrors ??= []).push(error),
    () => inMotion(conclude, node),
  );
}

function conclude(node: TaskNode): void {
  const { extras } = node;
  const verdict = judge(node);
  if (extras !== undefined) {
    tellCleanupErrors(node, extras, verdict);
    if (extras.service !== undefined && isKeptRunning(node)) {
      endService(node, extras.service, verdict);
      return;
    }
    const { attempt, retry } = extras;
    if (retry !== undefined && mayRetry(node, attempt, retry, verdict)) {
      const pause = pauseAfter(attempt, retry);
      rest(node, { error: verdict.result });
      emitTrouble(node, "retry", verdict.result, pause);
      pauseFor(node, pause);
      return;
    }
  }
  settle(node, verdict.state, verdict.result);
}

/** Where a clean-up failed and the task did not fail with it, its failure is told by itself. */
function tellCleanupErrors(node: TaskNode, extras: TaskExtras, verdict: Verdict): void {
  const errors = extras.deferErrors;
  if (errors === undefined) return;
  extras.deferErrors = undefined;
  for (const error of errors) {
    noteError(node.scope, error);
    if (
      verdict.result !== error &&
      !(isA(verdict.result, AggregateError) && verdict.result.errors.includes(error))
    ) {
      deliverTo(node.scope, node, error);
    }
  }
}

function mayRetry(node: TaskNode, attempt: number, retry: Retry, verdict: Verdict): boolean {
  if (verdict.state !== FAILED && verdict.state !== LOST) return false;
  if (attempt >= retry.attempts || (node.flags & (CANCEL_ASKED | GIVING_UP)) !== 0) return false;
  if (node.scope.state !== OPEN) return false;
  if (node.parent !== undefined && (node.parent.flags & STOPPING) !== 0) return false;
  if (retry.when === undefined) return true;
  try {
    return retry.when(verdict.result, attempt);
  } catch (error) {
    deliverTo(node.scope, node, error);
    return false;
  }
}
