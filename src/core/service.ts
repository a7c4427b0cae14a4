import { clearTimer, now } from "./clock.ts";
import { cancelScope, demandFor, stopForSibling } from "./cancel.ts";
import { noteError } from "./close-report.ts";
import { deliverTo } from "./delivery.ts";
import { enclosing, scopePath, taskPath } from "./describe.ts";
import { emitTrouble } from "./events.ts";
import { pauseFor, rest } from "./rest.ts";
import { pauseAfter } from "./restart.ts";
import type { ServiceState, Together } from "./restart.ts";
import { OPEN } from "./scope-node.ts";
import type { ScopeNode } from "./scope-node.ts";
import { settle } from "./settle.ts";
import {
  CANCEL_ASKED, COLLECTED, extrasOf, FAILED, HELD, isTerminal, LOST, RETRYING, RUNNING, stateOf, SUCCEEDED, WAITING,
} from "./task-node.ts"; // prettier-ignore
import type { TaskNode } from "./task-node.ts";
import type { Verdict } from "./verdict.ts";
import { soon } from "./wait.ts";
import { inMotion } from "./work.ts";

/** Whether a service may be started again at all. */
export function isKeptRunning(node: TaskNode): boolean {
  return (node.flags & CANCEL_ASKED) === 0 && node.scope.state === OPEN;
}

/** An attempt of a service has ended: it restarts, escalates, or ends for good. */
export function endService(node: TaskNode, service: ServiceState, verdict: Verdict): void {
  const { together } = service;
  const failure = verdict.state === SUCCEEDED ? undefined : { error: verdict.result };
  if ((node.flags & HELD) !== 0 && together !== undefined) {
    rest(node, failure);
    leaveTogether(node, together);
    return;
  }
  if (service.restart === "never" || (failure === undefined && service.restart !== "always")) {
    settle(node, verdict.state, failure?.error);
    return;
  }
  const moment = now();
  service.crashes = service.crashes.filter((crash) => crash > moment - service.within);
  service.crashes.push(moment);
  if (service.crashes.length > service.restarts) {
    escalate(node, verdict);
    return;
  }
  const pause = pauseAfter(service.crashes.length, service);
  rest(node, failure);
  const error = failure === undefined ? new Error(`${taskPath(node)} returned`) : failure.error;
  emitTrouble(node, "restart", error, pause);
  const siblings = siblingsOf(node);
  const restart = (): void => restartTogether(node, siblings, pause, error);
  if (siblings.length === 0) pauseFor(node, pause);
  // A start on its way cannot be called back: who is about to begin does, and is stopped like one that has run for long.
  else soon(() => inMotion(restart, undefined));
}

/** Which other services start anew with this one (OTP's strategies). What has never begun begins when it is due. */
function siblingsOf(node: TaskNode): TaskNode[] {
  const { strategy } = node.scope.settings;
  if (strategy === "one-for-one") return [];
  const services = [...(node.scope.services ?? [])];
  return services.filter((other) => {
    if (other === node || other.extras?.service?.isSchedule !== false) return false;
    if (stateOf(other) === WAITING || isTerminal(other)) return false;
    return strategy === "one-for-all" || other.id > node.id;
  });
}

function restartTogether(
  node: TaskNode,
  siblings: readonly TaskNode[],
  pause: number,
  reason: unknown,
): void {
  // It may have been cancelled by now.
  if (stateOf(node) !== RETRYING) return;
  const members = [node, ...siblings].toSorted((a, b) => a.id - b.id);
  const together: Together = {
    members,
    running: new Set(siblings.filter((s) => stateOf(s) === RUNNING)),
    pause,
  };
  const demand = demandFor("sibling", taskPath(node), reason);
  for (const member of members) {
    const extras = extrasOf(member);
    const { service } = extras;
    if (service === undefined) continue;
    // Two that crash at once: whoever waits for the first restart waits for this one.
    if (service.together !== undefined) leaveTogether(member, service.together);
    service.together = together;
    member.flags |= HELD;
    clearTimer(extras.delayTimer);
    extras.delayTimer = undefined;
  }
  for (const sibling of [...together.running]) stopForSibling(sibling, demand);
  startTogether(together);
}

/** One of them has ended its attempt, or for good. */
function leaveTogether(node: TaskNode, together: Together): void {
  if (together.running.delete(node)) startTogether(together);
}

function startTogether(together: Together): void {
  if (together.running.size > 0) return;
  for (const member of together.members) {
    const extras = extrasOf(member);
    if (stateOf(member) !== RETRYING || extras.service?.together !== together) continue;
    extras.service.together = undefined;
    member.flags &= ~HELD;
    pauseFor(member, together.pause);
  }
}

/** Past its intensity: every scope around it closes, innermost first, and the root is told. */
function escalate(node: TaskNode, verdict: Verdict): void {
  const error =
    verdict.state === SUCCEEDED
      ? new Error(`${taskPath(node)} ended more often than it may be restarted`)
      : verdict.result;
  node.flags |= COLLECTED;
  settle(node, verdict.state === LOST ? LOST : FAILED, error);
  noteError(node.scope, error);
  let root: ScopeNode = node.scope;
  for (let scope: ScopeNode | undefined = node.scope; scope !== undefined; scope = enclosing(scope)) {
    root = scope;
    scope.escalation ??= { error };
    cancelScope(scope, demandFor("scope", scopePath(scope), error));
  }
  deliverTo(root, node, error);
}
