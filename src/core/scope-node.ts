import type { Timer } from "./clock.ts";
import type { Closing } from "./close-report.ts";
import type { Ledger } from "./ledger.ts";
import type { Fifo } from "./fifo.ts";
import type { TaskNode } from "./task-node.ts";
import type { ScopeEventName, ScopeEvent } from "./info.ts";
import type { Attributes, OnError } from "./options.ts";
import type { Scope } from "./types.ts";

export const OPEN = 0;
export const DRAINING = 1;
export const CLOSING = 2;
export const CLOSED = 3;

/** How many tasks of a scope have come to which end. */
export type Tally = ReturnType<typeof newTally>;

export const newTally = () => ({
  spawned: 0,
  succeeded: 0,
  failed: 0,
  cancelled: 0,
  lost: 0,
  abandoned: 0,
  late: 0,
});

export function addTally(to: Tally, more: Readonly<Tally>): void {
  to.spawned += more.spawned;
  to.succeeded += more.succeeded;
  to.failed += more.failed;
  to.cancelled += more.cancelled;
  to.lost += more.lost;
  to.abandoned += more.abandoned;
  to.late += more.late;
}

/** Somebody who waits for a scope, and the task in which they do. */
export interface ScopeWaiter {
  readonly task: TaskNode | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export type Listener = (event: ScopeEvent) => void;

/** The settings of a scope, resolved: what is inherited has been. */
export interface ScopeSettings {
  readonly concurrency: number;
  readonly queue: number;
  readonly onFull: "reject" | "drop-oldest";
  readonly onError: OnError | undefined;
  readonly isCancelAll: boolean;
  readonly strategy: "one-for-one" | "one-for-all" | "rest-for-one";
  readonly grace: number;
  readonly deferTimeout: number;
  readonly attributes: Attributes;
  readonly hasContext: boolean;
}

/** A scope as holdfast sees it: data only. */
export class ScopeNode {
  readonly name: string;
  readonly parent: ScopeNode | undefined;
  /** The task whose group this is. */
  readonly owner: TaskNode | undefined;
  readonly ledger: Ledger;
  readonly settings: ScopeSettings;
  view: Scope | undefined = undefined;
  state: number = OPEN;
  /** The youngest of its live tasks. */
  tasks: TaskNode | undefined = undefined;
  /** The youngest of its child scopes that are not closed, and its own neighbours in its parent's list. */
  scopes: ScopeNode | undefined = undefined;
  prev: ScopeNode | undefined = undefined;
  next: ScopeNode | undefined = undefined;
  /** How many of its tasks and child scopes keep it from being idle. */
  busy = 0;
  /** Live tasks, children included, in this scope itself. */
  live = 0;
  /** Groups among them whose scope is not closed: without any, no walk over scopes has to look at tasks. */
  groups = 0;
  /** Of tasks in this scope, and in child scopes that have closed. */
  readonly tally: Tally = newTally();
  keys: Map<string, TaskNode> | undefined = undefined;
  slotsUsed = 0;
  slotQueue: Fifo<TaskNode> | undefined = undefined;
  /** Its tasks that wait for a bound by key. */
  limitQueue: Fifo<TaskNode> | undefined = undefined;
  services: Set<TaskNode> | undefined = undefined;
  idleWaiters: Set<ScopeWaiter> | undefined = undefined;
  readyWaiters: Set<ScopeWaiter> | undefined = undefined;
  roomWaiters: Set<ScopeWaiter> | undefined = undefined;
  closeWaiters: Set<ScopeWaiter> | undefined = undefined;
  listeners: Map<ScopeEventName, Set<Listener>> | undefined = undefined;
  controller: AbortController | undefined = undefined;
  drainController: AbortController | undefined = undefined;
  defers: (() => unknown)[] | undefined = undefined;
  isCleaning = false;
  /** A failure is about to cancel the rest. */
  isFailing = false;
  /** Somebody was told that there is room, and has not had the time to take it. */
  isRoomPromised = false;
  closing: Closing | undefined = undefined;
  /** The outermost scope that drains around it. */
  drainRoot: ScopeNode | undefined = undefined;
  timeoutTimer: Timer | undefined = undefined;
  /** Why it began to close. */
  reason: unknown = undefined;
  /** Failures of a group or of a cancel-all scope. */
  failures: unknown[] | undefined = undefined;
  /** The task that failed first. */
  firstFailed: TaskNode | undefined = undefined;
  /** A service's last error that came up to here. */
  escalation: { readonly error: unknown } | undefined = undefined;
  path: string | undefined = undefined;
  prefix: string | undefined = undefined;

  constructor(
    name: string,
    parent: ScopeNode | undefined,
    owner: TaskNode | undefined,
    ledger: Ledger,
    settings: ScopeSettings,
  ) {
    this.name = name;
    this.parent = parent;
    this.owner = owner;
    this.ledger = ledger;
    this.settings = settings;
  }
}
