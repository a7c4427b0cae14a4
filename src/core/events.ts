import { channel } from "node:diagnostics_channel";
import type { Channel } from "node:diagnostics_channel";
import { toWall, now } from "./clock.ts";
import { enclosing, scopePath, scopeState, taskInfo } from "./describe.ts";
import { describeError } from "./errors.ts";
import { given } from "./given.ts";
import { report } from "./reporter.ts";
import type { Listener, ScopeNode } from "./scope-node.ts";
import { HIDDEN, isTerminal } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";
import type { FindingWords, ScopeEvent, ScopeEventName, ScopeEventOf } from "./info.ts";

/** A kind of event, and its channel of node:diagnostics_channel: `holdfast:spawn`, … Its messages are the events. */
class EventKind {
  /** Its place among the listener counts of a ledger. */
  readonly index: number;
  readonly channel: Channel;

  constructor(name: ScopeEventName, index: number) {
    this.index = index;
    this.channel = channel(`holdfast:${name}`);
  }
}

export const kinds: Readonly<Record<ScopeEventName, EventKind>> = {
  spawn: new EventKind("spawn", 0),
  start: new EventKind("start", 1),
  retry: new EventKind("retry", 2),
  restart: new EventKind("restart", 3),
  cancel: new EventKind("cancel", 4),
  end: new EventKind("end", 5),
  late: new EventKind("late", 6),
  finding: new EventKind("finding", 7),
  state: new EventKind("state", 8),
};

/** Starts listening at one scope. Returns the function that stops. */
export function listen(scope: ScopeNode, name: ScopeEventName, listener: Listener): () => void {
  const listeners = (scope.listeners ??= new Map<ScopeEventName, Set<Listener>>());
  let set = listeners.get(name);
  if (set === undefined) listeners.set(name, (set = new Set()));
  // A function of its own for each call, so that listening twice is heard twice and stopped once.
  const own: Listener = (event) => listener(event);
  set.add(own);
  countListeners(scope, kinds[name], 1);
  return () => {
    if (set.delete(own)) countListeners(scope, kinds[name], -1);
  };
}

/** A closed scope has nothing more to say. */
export function unlisten(scope: ScopeNode): void {
  for (const [name, set] of scope.listeners ?? []) {
    countListeners(scope, kinds[name], -set.size);
    set.clear();
  }
  scope.listeners = undefined;
}

function countListeners(scope: ScopeNode, { index }: EventKind, by: number): void {
  const counts = scope.ledger.listeners;
  counts[index] = (counts[index] ?? 0) + by;
}

/**
 * Whether anybody hears of this kind of event. Asked on the hot path, before an event is made: so by an index, and not
 * by a name that would have to be looked up.
 */
export function isHeard(scope: ScopeNode, { index, channel: target }: EventKind): boolean {
  return (scope.ledger.listeners[index] as number) > 0 || target.hasSubscribers;
}

/** Says what happened to a task. */
export function emitTask(node: TaskNode, name: "spawn" | "start" | "end"): void {
  if ((node.flags & HIDDEN) !== 0) return;
  const task = taskInfo(node);
  const what = { spawn: "was spawned", start: "started", end: task.state }[name];
  send(node.scope, name, `${task.path} ${what}`, { task });
}

/** Says that a task is asked to stop, or that an attempt failed, or a service returned, and another follows. */
export function emitTrouble(
  node: TaskNode,
  name: "cancel" | "retry" | "restart",
  error: unknown,
  delay = 0,
): void {
  if ((node.flags & HIDDEN) !== 0 || !isHeard(node.scope, kinds[name])) return;
  const task = taskInfo(node);
  const info = describeError(error);
  if (name === "cancel") {
    send(node.scope, name, info.message, { task, error: info });
    return;
  }
  const ended = name === "retry" ? "failed" : "ended";
  const text = `${task.path} ${ended} in attempt ${task.attempt} and runs again in ${delay} ms: ${info.message}`;
  send(node.scope, name, text, { task, error: info, delay });
}

/** Says that something settled after it had been given up. */
export function emitLate(node: TaskNode, isOk: boolean, error: unknown): void {
  if ((node.flags & HIDDEN) !== 0 || !isHeard(node.scope, kinds.late)) return;
  const task = taskInfo(node);
  const more = isOk ? { task } : { task, error: describeError(error) };
  send(node.scope, "late", `${task.path} settled after it was ${task.state}`, more);
}

/** Tells a watch, where there is one, or else whoever listens, that something is wrong with a task. */
export function noteFinding(node: TaskNode, words: FindingWords): void {
  if ((node.flags & HIDDEN) !== 0) return;
  const { watcher } = node.scope.ledger;
  if (watcher === undefined) emitFinding(node, words);
  else watcher.report(node, words);
}

/** Says that something is wrong with a task. */
export function emitFinding(node: TaskNode, { what, ...words }: FindingWords): void {
  if (!isHeard(node.scope, kinds.finding)) return;
  const task = taskInfo(node);
  const { path } = task;
  const ms = Math.max(0, (isTerminal(node) ? node.endedAt : now()) - node.createdAt);
  send(node.scope, "finding", `${path} ${what}: ${words.advice}`, { path, task, ms, ...words });
}

/** Says that something is wrong with a scope, and no task can be named. */
export function emitScopeFinding(scope: ScopeNode, { what, ms = 0, ...words }: FindingWords): void {
  const path = scopePath(scope);
  send(scope, "finding", `${path}: ${what}: ${words.advice}`, { path, ms, ...words });
}

/** Says that a scope has a new state. */
export function emitState(scope: ScopeNode): void {
  if (!isHeard(scope, kinds.state)) return;
  const path = scopePath(scope);
  const state = scopeState(scope);
  const { reason } = scope;
  const more = { scope: path, state, reason: reason === undefined ? undefined : describeError(reason) };
  send(scope, "state", `${path} is ${state}`, given(more));
}

function send<E extends ScopeEventName>(
  from: ScopeNode,
  type: E,
  text: string,
  more: Omit<ScopeEventOf<E>, "type" | "at" | "text">,
): void {
  const event = { type, at: toWall(now()), text, ...more } as unknown as ScopeEvent;
  const { index, channel: target } = kinds[type];
  if ((from.ledger.listeners[index] as number) > 0) {
    for (let scope: ScopeNode | undefined = from; scope !== undefined; scope = enclosing(scope)) {
      const listeners = scope.listeners?.get(type);
      if (listeners !== undefined) for (const listener of [...listeners]) tell(listener, event);
    }
  }
  if (target.hasSubscribers) target.publish(event);
}

function tell(listener: Listener, event: ScopeEvent): void {
  try {
    listener(event);
  } catch (error) {
    report(`a listener of "${event.type}" threw`, error);
  }
}
