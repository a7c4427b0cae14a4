import type { TaskCancelledError, TaskTimeoutError } from "./errors.ts";
import type { Timer } from "./clock.ts";
import type { GraceTimer } from "./grace.ts";
import type { QueueEntry, Pool } from "./limits.ts";
import type { Retry, ServiceState } from "./restart.ts";
import type { ScopeNode, ScopeSettings } from "./scope-node.ts";
import type { AttemptInfo, Progress } from "./info.ts";
import type { Attributes, SpawnOptions } from "./options.ts";
import type { Run, Task, TaskContext } from "./types.ts";
import type { TaskState } from "./words.ts";
import type { Wait } from "./wait.ts";

/** The state, in the low bits of `flags`. From `SUCCEEDED` on it is terminal. */
export const WAITING = 0;
export const RUNNING = 1;
export const RETRYING = 2;
export const SUCCEEDED = 4;
export const FAILED = 5;
export const CANCELLED = 6;
export const LOST = 7;
export const ABANDONED = 8;
const STATE_MASK = 15;

/** Somebody awaits it, or did: a failure is theirs. */
export const AWAITED = 1 << 4;
/** The whole task was asked to stop: no attempt follows. */
export const CANCEL_ASKED = 1 << 6;
/** This attempt was asked to stop: its waits reject. */
export const STOPPING = 1 << 7;
/** The function of this attempt has returned or thrown. */
export const BODY_DONE = 1 << 8;
/** It returned. */
export const BODY_OK = 1 << 9;
/** Its children have ended and its clean-up runs: nothing new may start. */
export const ENDING = 1 << 10;
/** Not a task for the outside: a timeout block, a shield, a clean-up. */
export const HIDDEN = 1 << 11;
/** Spared from the cancellation of what it belongs to, until the end of grace. */
export const SHIELD = 1 << 12;
/** Long-lived: drain and `untilIdle()` do not wait for it. */
export const SERVICE = 1 << 13;
/** Somebody else's promise: it cannot be told to stop. */
export const ADOPTED = 1 << 14;
/** Its function is kept, for another attempt. */
export const KEEPS_RUN = 1 << 15;
/** Its failure is its group's, its service's or its block's: not delivered by itself. */
export const COLLECTED = 1 << 16;
/** What it awaits was collected as garbage. */
export const IS_LOST = 1 << 17;
/** The body of a group. */
export const GROUP = 1 << 18;
/** Waits to be started again together with other services. */
export const HELD = 1 << 19;
/** Counts as busy in its scope. */
export const BUSY = 1 << 20;
/** Its grace is over; what it still has is the last second of a shield. */
export const GRACE_OVER = 1 << 21;
/** Is abandoned as soon as nothing below it lives. */
export const GIVING_UP = 1 << 24;
/** A crash journal says that it lives. */
export const JOURNALED = 1 << 26;
/** Holds a slot of its scope's concurrency. */
export const HOLDS_SLOT = 1 << 22;
/** Holds a place of its bound by key. */
export const HOLDS_POOL = 1 << 23;
/** Has that place, and may still wait for a slot. */
export const STARTS_SOON = 1 << 25;

const STATE_NAMES: readonly TaskState[] = [
  "waiting", "running", "retrying", "running", "succeeded", "failed", "cancelled", "lost", "abandoned",
]; // prettier-ignore

/**
 * What only some tasks need. Made on first need: a plain task that succeeds never has one, and its fields are most
 * of what a task could weigh.
 */
export class TaskExtras {
  options: SpawnOptions | undefined = undefined;
  attempt = 0;
  /** How long it may take to stop, in ms, where that is not its scope's. */
  grace: number | undefined = undefined;
  taskController: AbortController | undefined = undefined;
  attemptController: AbortController | undefined = undefined;
  /** Of each attempt, in ms. */
  timeout: number | undefined = undefined;
  timeoutTimer: Timer | undefined = undefined;
  deadlineTimer: Timer | undefined = undefined;
  /** Of the delay or of the back-off. */
  delayTimer: Timer | undefined = undefined;
  /** Starts the next attempt, in the async context that it was made in. */
  go: ((node: TaskNode) => void) | undefined = undefined;
  handle: Task<unknown> | undefined = undefined;
  key: string | undefined = undefined;
  /** The task with the same key that has to end first, and the one that waits for this one's end. */
  predecessor: TaskNode | undefined = undefined;
  successor: TaskNode | undefined = undefined;
  /** Bounds by key. */
  pool: Pool | undefined = undefined;
  /** Its place in the queue of a bound, and where that is a bound by key, among those of its scope. */
  queued: QueueEntry | undefined = undefined;
  queuedInScope: QueueEntry | undefined = undefined;
  attributes: Attributes | undefined = undefined;
  progress: Progress | undefined = undefined;
  history: AttemptInfo[] | undefined = undefined;
  lastError: { readonly error: unknown } | undefined = undefined;
  defers: (() => unknown)[] | undefined = undefined;
  deferErrors: unknown[] | undefined = undefined;
  /** The scope of a group, and the settings with which each attempt opens one. */
  groupSettings: ScopeSettings | undefined = undefined;
  group: ScopeNode | undefined = undefined;
  retry: Retry | undefined = undefined;
  service: ServiceState | undefined = undefined;
  /** Of a task with children, once asked for. */
  path: string | undefined = undefined;
  /** How many shields are open in this task. */
  shields = 0;
  /** Called at the end of a hidden task. */
  onEnd: ((node: TaskNode) => void) | undefined = undefined;
  /** What the timeout of a hidden task is called. */
  timeoutKind: "attempt" | "block" | "cleanup" = "attempt";
}

/** What is known of a stop: of an attempt, or of the whole task. Most tasks never have one. */
export class Stop {
  /** Why this attempt is to stop; undefined while a timeout waits for a shield to end. */
  error: StopError | undefined = undefined;
  /** Why the whole task is to stop. */
  cancelError: StopError | undefined = undefined;
  /** Says when its grace is over. */
  grace: GraceTimer | undefined = undefined;
  /** A timeout that fired during a shield, and whether it is the whole task's. */
  heldTimeout: TaskTimeoutError | undefined = undefined;
  heldIsWhole = false;
}

export type StopError = TaskCancelledError | TaskTimeoutError;

/** A task as holdfast sees it: data only. What may be done with it is in the files that say so. */
export class TaskNode {
  readonly id: number;
  readonly name: string;
  /** The scope that owns it, directly or through its ancestors. */
  readonly scope: ScopeNode;
  /** The task that it is a child of. */
  readonly parent: TaskNode | undefined;
  run: Run<unknown> | undefined;
  flags: number;
  readonly createdAt: number;
  /** Of the latest attempt; -1: none has started. */
  startedAt = -1;
  endedAt = -1;
  view: TaskContext | undefined = undefined;
  /** What the body returned or threw; once terminal: the value, or the error that awaiters get. */
  result: unknown = undefined;
  /** What awaiters outside of any task share, made for the first, and what settles it. */
  settled: Promise<unknown> | undefined = undefined;
  resolve: ((value: unknown) => void) | undefined = undefined;
  reject: ((error: unknown) => void) | undefined = undefined;
  /** Neighbours in the list of its owner. */
  prev: TaskNode | undefined = undefined;
  next: TaskNode | undefined = undefined;
  /** The youngest of its live children. */
  children: TaskNode | undefined = undefined;
  /** What it waits for. */
  waits: Wait | undefined = undefined;
  /** Who waits for it. */
  waiters: Wait | undefined = undefined;
  stop: Stop | undefined = undefined;
  extras: TaskExtras | undefined = undefined;

  constructor(
    id: number,
    name: string,
    scope: ScopeNode,
    parent: TaskNode | undefined,
    run: Run<unknown> | undefined,
    flags: number,
    createdAt: number,
  ) {
    this.id = id;
    this.name = name;
    this.scope = scope;
    this.parent = parent;
    this.run = run;
    this.flags = flags;
    this.createdAt = createdAt;
  }
}

export function stopOf(node: TaskNode): Stop {
  return (node.stop ??= new Stop());
}

export function extrasOf(node: TaskNode): TaskExtras {
  return (node.extras ??= new TaskExtras());
}

export function stateOf(node: TaskNode): number {
  return node.flags & STATE_MASK;
}

export function setState(node: TaskNode, state: number): void {
  node.flags = (node.flags & ~STATE_MASK) | state;
}

export function isTerminal(node: TaskNode): boolean {
  return (node.flags & STATE_MASK) >= SUCCEEDED;
}

export function stateName(node: TaskNode): TaskState {
  const state = stateOf(node);
  if (state === RUNNING && (node.flags & STOPPING) !== 0) return "cancelling";
  return STATE_NAMES[state] as TaskState;
}

/** The name of a terminal state. */
export function terminalName(state: number): TaskState {
  return STATE_NAMES[state] as TaskState;
}

/** The task that a hidden block belongs to, itself where it is not one. */
export function visibleTask(node: TaskNode): TaskNode {
  let task = node;
  while ((task.flags & HIDDEN) !== 0 && task.parent !== undefined) task = task.parent;
  return task;
}

/** A clean-up, which has a limit of its own. */
export function isCleanup(node: TaskNode): boolean {
  return node.extras?.timeoutKind === "cleanup";
}

/** Whether `block` is `task`, or a hidden block somewhere inside it. */
export function isBlockOf(block: TaskNode, task: TaskNode): boolean {
  let node: TaskNode | undefined = block;
  while (node !== task && (node.flags & HIDDEN) !== 0 && node.parent !== undefined) node = node.parent;
  return node === task;
}
