import { admit, admitLater, oldestQueued, wouldQueue } from "./admission.ts";
import { beginAdopted, prepareNext, start } from "./attempt.ts";
import { stopTask } from "./cancel.ts";
import { expireTask } from "./expire.ts";
import { callLater, coarseNow, wall } from "./clock.ts";
import { currentNode } from "./context.ts";
import { scopePath, taskPath } from "./describe.ts";
import { badOption, givenMs, oneOf, toFunction, toMs, toName } from "./duration.ts";
import { KeyConflictError, QueueFullError, TaskTimeoutError } from "./errors.ts";
import { emitTask, isHeard, kinds } from "./events.ts";
import { link } from "./hidden.ts";
import { forgetIfIdle, poolFor } from "./limits.ts";
import { refuseReady } from "./readiness.ts";
import { scopeRefusal, taskRefusal } from "./refusal.ts";
import { toRetry } from "./restart.ts";
import type { ServiceState } from "./restart.ts";
import { countQueued, takesFrom } from "./room.ts";
import { OPEN } from "./scope-node.ts";
import type { ScopeNode } from "./scope-node.ts";
import { attach, toSignal } from "./signals.ts";
import { stopErrorOf } from "./stop-signal.ts";
import { ADOPTED, BODY_DONE, BODY_OK, CANCEL_ASKED, ENDING, GIVING_UP, KEEPS_RUN, RETRYING, RUNNING, SERVICE, STOPPING, TaskNode, extrasOf, isBlockOf, isTerminal, stateOf } from "./task-node.ts"; // prettier-ignore
import type { TaskExtras } from "./task-node.ts";
import type { SpawnOptions } from "./options.ts";
import type { Run } from "./types.ts";
import { inMotion } from "./work.ts";

/** Starts a task that stands in a scope. */
export function spawnInScope(
  scope: ScopeNode,
  name: string,
  run: Run<unknown>,
  options: SpawnOptions | undefined,
  flags: number,
): TaskNode {
  if (scope.state !== OPEN) refuseUnlessInside(scope, name);
  return spawn(scope, undefined, name, run, options, flags);
}

/** Starts a child of a task. In a group's body that is a task of the group. */
export function spawnInTask(
  node: TaskNode,
  name: string,
  run: Run<unknown>,
  options: SpawnOptions | undefined,
  flags: number,
): TaskNode {
  const parent = blockInUse(node);
  refuseUnlessAlive(parent, name);
  const group = parent.extras?.group;
  if (group !== undefined) return spawnInScope(group, name, run, options, flags);
  return spawn(parent.scope, parent, name, run, options, flags);
}

/** The block of a task in which the caller runs; the task itself where it runs in none of its blocks. */
export function blockInUse(node: TaskNode): TaskNode {
  const current = currentNode();
  if (current === undefined || current === node || !isBlockOf(current, node) || isTerminal(current))
    return node;
  return current;
}

/** Why nothing more can begin in a task: no attempt runs, or its end has begun; undefined where one goes on. */
export function whyOver(node: TaskNode): string | undefined {
  if (stateOf(node) === RETRYING) return "is between two attempts";
  return stateOf(node) !== RUNNING || (node.flags & (ENDING | GIVING_UP)) !== 0 ? "has ended" : undefined;
}

function refuseUnlessAlive(parent: TaskNode, name: string): void {
  const over = whyOver(parent);
  if (over !== undefined) throw taskRefusal(parent, `${over}: ${JSON.stringify(name)} cannot be its child`);
  if ((parent.flags & (STOPPING | CANCEL_ASKED)) !== 0 || hasFailed(parent)) {
    const cause = parent.stop?.error ?? parent.stop?.cancelError ?? parent.result;
    throw taskRefusal(parent, `is being cancelled: ${JSON.stringify(name)} was not started`, { cause });
  }
}

/** Its body threw: what it started is being cancelled. */
export function hasFailed(parent: TaskNode): boolean {
  return (parent.flags & (BODY_DONE | BODY_OK)) === BODY_DONE;
}

/** A scope that drains takes work only from what still runs inside it; one that closes, none. */
function refuseUnlessInside(scope: ScopeNode, name: string): void {
  const current = currentNode();
  if (takesFrom(scope, current)) return;
  // Who is being cancelled is told why, others why the scope takes nothing more.
  const cause = (current && stopErrorOf(current)) ?? scope.reason;
  throw scopeRefusal(scope, `: ${JSON.stringify(name)} was not started`, { cause });
}

function spawn(
  scope: ScopeNode,
  parent: TaskNode | undefined,
  name: string,
  run: Run<unknown>,
  options: SpawnOptions | undefined,
  flags: number,
): TaskNode {
  toName(name, "name");
  toFunction(run, "run");
  if (options === undefined && scope.settings.concurrency === Infinity) {
    // The plain way: nothing but a task.
    const node = new TaskNode(scope.ledger.nextId(), name, scope, parent, run, flags, coarseNow());
    own(node);
    start(node);
    return node;
  }
  return spawnWith(scope, parent, name, run, options ?? NO_OPTIONS, flags);
}

const NO_OPTIONS: SpawnOptions = Object.freeze({});
const CONFLICTS = ["join", "replace", "reject"] as const;

function own(node: TaskNode): void {
  const { scope } = node;
  link(node);
  scope.live++;
  scope.tally.spawned++;
  scope.ledger.countSpawn(node.name);
  if (isHeard(scope, kinds.spawn)) emitTask(node, "spawn");
}

function spawnWith(
  scope: ScopeNode,
  parent: TaskNode | undefined,
  name: string,
  run: Run<unknown>,
  options: SpawnOptions,
  flags: number,
  prepare?: (node: TaskNode) => void,
): TaskNode {
  const { key } = options;
  let holder: TaskNode | undefined;
  if (key !== undefined) {
    const conflict = oneOf("onConflict", options.onConflict, CONFLICTS);
    toName(key, "key");
    holder = scope.keys?.get(key);
    if (holder !== undefined) {
      if (conflict === "reject") throw new KeyConflictError(taskPath(holder), key);
      if (conflict === "join" && (holder.flags & (CANCEL_ASKED | STOPPING)) === 0) return holder;
    }
  }
  const node = new TaskNode(scope.ledger.nextId(), name, scope, parent, run, flags, coarseNow());
  const deadline = applyOptions(node, options);
  if (holder === undefined) makeRoom(node);
  prepare?.(node);
  own(node);
  if (options.record === "journal") scope.ledger.watcher?.spawned(node);
  const extras = extrasOf(node);
  if (extras.pool !== undefined) extras.pool.users++;
  takeKey(node, extras, holder);
  // Who replaces the key of its own ancestor has cancelled itself.
  if (isTerminal(node) || follow(node, options.signal)) return node;
  if (deadline === 0) {
    // Over before its first turn: `run` is not called.
    deadlineIsOver({ node, ms: 0 });
    return node;
  }
  setDeadline(node, deadline);
  if (options.delay !== undefined)
    extras.delayTimer = callLater(toMs(options.delay, "delay"), delayIsOver, node);
  if (admit(node)) start(node);
  else prepareNext(extras);
  return node;
}

/** Checks all options before anything is done with them. Returns the deadline, in ms from now. */
function applyOptions(node: TaskNode, options: SpawnOptions): number | undefined {
  const extras = extrasOf(node);
  extras.options = options;
  extras.key = options.key;
  extras.attributes = options.attributes;
  extras.timeout = givenMs(options.timeout, "timeout");
  extras.grace = givenMs(options.grace, "grace");
  if (options.signal !== undefined) toSignal(options.signal);
  if (options.onError !== undefined) toFunction(options.onError, "onError");
  givenMs(options.expect, "expect");
  givenMs(options.delay, "delay");
  if (options.limit !== undefined) extras.pool = poolFor(node.scope, options.limit);
  if (options.retry !== undefined) {
    extras.retry = toRetry(options.retry);
    if (extras.retry.attempts > 1) node.flags |= KEEPS_RUN;
  }
  const { deadline } = options;
  if (!(deadline instanceof Date)) return givenMs(deadline, "deadline");
  if (Number.isNaN(deadline.getTime())) throw badOption("deadline", deadline, "a valid Date");
  return Math.max(0, deadline.getTime() - wall());
}

/** Throws, or drops the task that waited longest, where the queue is full. */
function makeRoom(node: TaskNode): void {
  const { scope } = node;
  const { queue, concurrency, onFull } = scope.settings;
  if (node.parent !== undefined || countQueued(scope) < queue || !wouldQueue(node)) return;
  const oldest = onFull === "drop-oldest" ? oldestQueued(scope) : undefined;
  if (oldest === undefined) {
    if (node.extras?.pool !== undefined) forgetIfIdle(node.extras.pool);
    throw new QueueFullError(scopePath(scope), node.name, concurrency, queue);
  }
  stopTask(oldest, "queue", scopePath(scope));
}

function takeKey(node: TaskNode, extras: TaskExtras, holder: TaskNode | undefined): void {
  const { key } = extras;
  if (key === undefined) return;
  const { scope } = node;
  (scope.keys ??= new Map<string, TaskNode>()).set(key, node);
  if (holder === undefined) return;
  // The newest replacer takes the place of an older one that still waits.
  const first = holder.extras?.predecessor ?? holder;
  const by = taskPath(node);
  // Linked before: the cancel may end the new task too, or call what spawns with this key again.
  extras.predecessor = first;
  extrasOf(first).successor = node;
  stopTask(holder, "key", by);
}

/** Hangs the task on a signal from outside. Returns whether that had already aborted. */
function follow(node: TaskNode, signal: AbortSignal | undefined): boolean {
  if (signal === undefined) return false;
  if (signal.aborted) signalAborted(node, signal.reason);
  else attach(signal, node, signalAborted);
  return signal.aborted;
}

function signalAborted(node: TaskNode, reason: unknown): void {
  stopTask(node, "signal", undefined, reason);
}

function setDeadline(node: TaskNode, ms: number | undefined): void {
  if (ms !== undefined) extrasOf(node).deadlineTimer = callLater(ms, deadlineIsOver, { node, ms });
}

function deadlineIsOver({ node, ms }: { readonly node: TaskNode; readonly ms: number }): void {
  inMotion(() => expireTask(node, new TaskTimeoutError(taskPath(node), "deadline", ms)), undefined);
}

function delayIsOver(node: TaskNode): void {
  extrasOf(node).delayTimer = undefined;
  admitLater(node);
}

/** Starts a service, or a schedule. */
export function spawnService(
  scope: ScopeNode,
  name: string,
  run: Run<unknown>,
  options: SpawnOptions,
  service: ServiceState,
): TaskNode {
  if (scope.state !== OPEN) refuseUnlessInside(scope, name);
  toName(name, "name");
  toFunction(run, "run");
  return spawnWith(scope, undefined, name, run, options, SERVICE | KEEPS_RUN, (node) => {
    const extras = extrasOf(node);
    extras.service = service;
    extras.onEnd = refuseReady;
    (scope.services ??= new Set<TaskNode>()).add(node);
  });
}

/** Owns a promise that somebody else started. */
export function adoptInScope(
  scope: ScopeNode,
  name: string,
  promise: PromiseLike<unknown>,
  options: SpawnOptions,
): TaskNode {
  if (scope.state !== OPEN) refuseUnlessInside(scope, name);
  toName(name, "name");
  const node = new TaskNode(scope.ledger.nextId(), name, scope, undefined, undefined, ADOPTED, coarseNow());
  const deadline = applyOptions(node, options);
  own(node);
  beginAdopted(node, promise);
  if (!follow(node, options.signal)) setDeadline(node, deadline);
  return node;
}
