import { cancelScope, demandFor, stopForSibling } from "./cancel.ts";
import { runCleanups } from "./cleanup.ts";
import { callLater, clearTimer, now } from "./clock.ts";
import { Closing, noteError } from "./close-report.ts";
import { deliverTo } from "./delivery.ts";
import { enclosing, scopePath } from "./describe.ts";
import { drain } from "./drain.ts";
import { emitState, unlisten } from "./events.ts";
import { checkReady, wakeAll } from "./readiness.ts";
import { scopeRefusal } from "./refusal.ts";
import { forgetPools } from "./limits.ts";
import { roots } from "./roots.ts";
import { addTally, CLOSED, CLOSING, DRAINING } from "./scope-node.ts";
import type { ScopeNode } from "./scope-node.ts";
import { BODY_DONE, GIVING_UP, isTerminal, STOPPING } from "./task-node.ts";
import type { CloseReport } from "./info.ts";
import { together } from "./verdict.ts";
import { idleMayBe } from "./busy.ts";
import { soon } from "./wait.ts";
import { inMotion, scopeMayAdvance, taskMayAdvance } from "./work.ts";

/** What a close is asked for, checked: durations in ms. */
export interface CloseDemand {
  readonly source: "scope" | "deadline";
  readonly drain: number;
  readonly grace: number;
  readonly reason: unknown;
}

/** Begins to close a scope, or hurries a close that runs. */
export function beginClose(scope: ScopeNode, asked: CloseDemand): Promise<CloseReport> {
  const closing = (scope.closing ??= new Closing(scope, asked.source));
  if (scope.state === CLOSED) closing.finish();
  else inMotion(() => proceed(scope, closing, asked), undefined);
  return closing.promise;
}

function proceed(scope: ScopeNode, closing: Closing, asked: CloseDemand): void {
  closing.grace = Math.min(closing.grace, asked.grace);
  scope.reason ??= asked.reason;
  if (asked.drain === 0 || scope.state >= CLOSING) {
    endDrain(scope);
    return;
  }
  const endsAt = now() + asked.drain;
  if (endsAt < closing.drainEndsAt) {
    clearTimer(closing.drainTimer);
    closing.drainEndsAt = endsAt;
    closing.drainTimer = callLater(asked.drain, drainIsOver, scope);
  }
  drain(scope);
  scopeMayAdvance(scope);
}

function drainIsOver(scope: ScopeNode): void {
  inMotion(endDrain, scope);
}

/** From draining to closing: all that still lives is cancelled. */
function endDrain(scope: ScopeNode): void {
  if (scope.state === CLOSED) return;
  const { source, grace, drainTimer } = scope.closing as Closing;
  clearTimer(drainTimer);
  cancelScope(scope, { source, by: scopePath(scope), reason: scope.reason, grace });
  // It may have been closing already, and waiting for the body of its group.
  scopeMayAdvance(scope);
}

/** Moves a scope on: called when something in it or below it has ended, failed, or begun to close. */
export function advanceScope(scope: ScopeNode): void {
  if (scope.state === CLOSED) return;
  if (scope.failures !== undefined && scope.failures.length > 0 && scope.state < CLOSING) failSoon(scope);
  if (scope.readyWaiters !== undefined) checkReady(scope);
  if (scope.busy === 0) {
    wakeAll(scope.idleWaiters);
    if (scope.state === DRAINING && scope.closing !== undefined) endDrain(scope);
  }
  if (scope.tasks !== undefined || scope.scopes !== undefined || scope.isCleaning) return;
  const { owner } = scope;
  if (owner !== undefined && scope.state < CLOSING && (owner.flags & BODY_DONE) !== 0) {
    // Its natural end: there is nothing to cancel, only nothing more to come.
    scope.state = CLOSING;
    scope.drainController?.abort(scope.reason);
    emitState(scope);
  }
  if (scope.state === CLOSING && !isBodyStopping(scope)) cleanUp(scope);
}

/**
 * The body of a group was told to stop, and has not: it may still use what the group's clean-up disposes of. Where the
 * scope was closed by hand, that may be what the body waits for.
 */
function isBodyStopping({ owner, closing }: ScopeNode): boolean {
  if (owner === undefined || closing !== undefined || isTerminal(owner)) return false;
  return (owner.flags & (STOPPING | BODY_DONE | GIVING_UP)) === STOPPING;
}

/**
 * A task of a group or of a cancel-all scope failed. Whoever awaits it hears of it first: also a body that came to its
 * `await` in the same turn, and whose `then` is called only after this.
 */
function failSoon(scope: ScopeNode): void {
  if (scope.isFailing) return;
  scope.isFailing = true;
  soon(() => inMotion(failScope, scope));
}

/** The rest is cancelled, the group's body with it. */
function failScope(scope: ScopeNode): void {
  if (scope.state === CLOSED) return;
  const [error] = scope.failures ?? [];
  scope.reason ??= error;
  const demand = demandFor("sibling", scopePath(scope), error);
  cancelScope(scope, demand);
  const { owner } = scope;
  if (owner?.extras?.group === scope && (owner.flags & BODY_DONE) === 0) stopForSibling(owner, demand);
}

function cleanUp(scope: ScopeNode): void {
  const { defers } = scope;
  if (defers === undefined || defers.length === 0) {
    closed(scope);
    return;
  }
  scope.defers = undefined;
  scope.isCleaning = true;
  runCleanups(
    scope,
    undefined,
    defers,
    (error, node) => {
      noteError(scope, error);
      deliverTo(scope, node, error);
    },
    () => inMotion(cleaned, scope),
  );
}

function cleaned(scope: ScopeNode): void {
  scope.isCleaning = false;
  closed(scope);
}

function closed(scope: ScopeNode): void {
  scope.state = CLOSED;
  emitState(scope);
  leaveParent(scope);
  clearTimer(scope.timeoutTimer);
  unlisten(scope);
  const around = enclosing(scope);
  if (around === undefined) {
    roots.delete(scope);
    forgetPools(scope.ledger.pools);
    scope.ledger.watcher?.stop();
  } else addTally(around.tally, scope.tally);
  if (scope.owner === undefined) deliverFailures(scope);
  else scope.owner.scope.groups--;
  clearTimer(scope.closing?.drainTimer);
  scope.closing?.finish();
  wakeAll(scope.idleWaiters);
  // Nobody who waits for it to be ready will see that.
  for (const waiter of scope.readyWaiters ?? []) waiter.reject(scopeRefusal(scope));
  scope.readyWaiters = scope.closeWaiters = undefined;
  if (scope.owner !== undefined) taskMayAdvance(scope.owner);
  if (around !== undefined) idleMayBe(around);
}

function leaveParent(scope: ScopeNode): void {
  const { prev, next } = scope;
  const around = enclosing(scope);
  if (prev !== undefined) prev.next = next;
  if (next !== undefined) next.prev = prev;
  else if (around?.scopes === scope) around.scopes = prev;
  scope.prev = scope.next = undefined;
}

/** A cancel-all scope that failed tells its parent: what it was for has not been done. */
function deliverFailures(scope: ScopeNode): void {
  const { failures, firstFailed, parent } = scope;
  if (failures === undefined || firstFailed === undefined) return;
  const error = together(failures, `${failures.length} tasks of ${scopePath(scope)} failed`);
  noteError(scope, error);
  deliverTo(parent ?? scope, firstFailed, error);
}
