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
  const isTooOften = service.crashes.length > service.restarts;
  const words = isTooOften ? "ended more often than it may be restarted" : "returned";
  const { error } = failure ?? { error: new Error(`${taskPath(node)} ${words}`) };
  if (isTooOften) {
    escalate(node, verdict.state === LOST ? LOST : FAILED, error);
    return;
  }
  const pause = pauseAfter(service.crashes.length, service);
  rest(node, failure);
  emitTrouble(node, "restart", error, pause);
  const members = membersWith(node);
  const restart = (): void => restartTogether(node, members, pause, error);
  if (members.length === 1) pauseFor(node, pause);
  // A start on its way cannot be called back: who is about to begin does, and is stopped like one that has run for long.
  else soon(() => inMotion(restart, undefined));
}

/**
 * Which services start anew when this one does, it among them, oldest first (OTP's strategies). What has never begun
 * begins when it is due.
 */
function membersWith(node: TaskNode): TaskNode[] {
  const { strategy } = node.scope.settings;
  if (strategy === "one-for-one") return [node];
  const services = [...(node.scope.services ?? [])];
  return services.filter((other) => {
    if (other === node) return true;
    if (other.extras?.service?.isSchedule !== false) return false;
    if (stateOf(other) === WAITING || isTerminal(other)) return false;
    return strategy === "one-for-all" || other.id > node.id;
  });
}

function restartTogether(node: TaskNode, members: readonly TaskNode[], pause: number, reason: unknown): void {
  // It may have been cancelled by now.
  if (stateOf(node) !== RETRYING) return;
  const running = new Set(members.filter((member) => stateOf(member) === RUNNING));
  const together: Together = { members, running, pause };
  const demand = demandFor("sibling", taskPath(node), reason);
  for (const member of members) {
    const extras = extrasOf(member);
    const service = extras.service as ServiceState;
    // Two that crash at once: whoever waits for the first restart waits for this one.
    if (service.together !== undefined) leaveTogether(member, service.together);
    service.together = together;
    member.flags |= HELD;
    clearTimer(extras.delayTimer);
    extras.delayTimer = undefined;
  }
  for (const sibling of [...running]) stopForSibling(sibling, demand);
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
function escalate(node: TaskNode, state: number, error: unknown): void {
  node.flags |= COLLECTED;
  settle(node, state, error);
  noteError(node.scope, error);
  let root: ScopeNode = node.scope;
  for (let scope: ScopeNode | undefined = node.scope; scope !== undefined; scope = enclosing(scope)) {
    root = scope;
    scope.escalation ??= { error };
    cancelScope(scope, demandFor("scope", scopePath(scope), error));
  }
  deliverTo(root, node, error);
}
