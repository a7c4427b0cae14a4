import type { ErrorInfo } from "./errors.ts";

/**
 * A length of time: a number of milliseconds, or a number with a unit.
 *
 * @example
 * const a: Duration = 250;
 * const b: Duration = "1.5s";
 */
export type Duration = number | `${number}ms` | `${number}s` | `${number}m` | `${number}h` | `${number}d`;

/**
 * Where a task stands. `waiting` (for its first turn, a slot, a key or a delay), `running`, `retrying` (in back-off)
 * and `cancelling` (asked to stop, not stopped yet) are live; the others are terminal and never change.
 */
export type TaskState = LiveState | TerminalState;
/** The states of a task that has not ended. */
export type LiveState = "waiting" | "running" | "retrying" | "cancelling";
/** The states in which a task has ended. */
export type TerminalState = "succeeded" | "failed" | "cancelled" | "lost" | "abandoned";
/** Where a scope stands. It only ever moves to the right. */
export type ScopeState = "open" | "draining" | "closing" | "closed";

/** How a task ended. What `task.outcome()` resolves with; it is never a rejection. */
export type Outcome<T> =
  | { readonly state: "succeeded"; readonly value: T }
  | { readonly state: "failed"; readonly error: unknown }
  /** `reason` is the `TaskCancelledError` that awaiters get: its own `reason` is what was given to `cancel()`. */
  | { readonly state: "cancelled"; readonly reason: unknown }
  | { readonly state: "lost" }
  /** `reason` is the `TaskAbandonedError` that awaiters get. */
  | { readonly state: "abandoned"; readonly reason: unknown };

/** Plain values by name: ids, tenants, anything by which an operator looks for a task. They must be JSON-safe. */
export type Attributes = Readonly<Record<string, unknown>>;

/** How long to wait before the next attempt. */
export interface Backoff {
  /** @default "exponential" */
  readonly kind?: "exponential" | "constant";
  /** The first wait. @default "100ms" */
  readonly min?: Duration;
  /** No wait is longer. @default "10s" */
  readonly max?: Duration;
  /** `full` draws each wait evenly from zero to its length. @default "full" */
  readonly jitter?: "full" | "none";
}

/** When a failed attempt is tried again. */
export interface RetryPolicy extends Backoff {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  /** Says whether this error is worth another attempt; `attempt` is the one that failed, from 1. @default every error */
  readonly when?: (error: unknown, attempt: number) => boolean;
}

/** Bounds the tasks that name the same key, anywhere below one root scope. */
export interface LimitOptions {
  /** One endpoint, one tenant: what is bounded together. */
  readonly key: string;
  /** How many may run at once. */
  readonly concurrency: number;
  /** How many may start within any window of `per`. @default no bound */
  readonly rate?: { readonly count: number; readonly per: Duration };
}

/** Called with a failure that nobody awaited. */
export type OnError = (error: unknown, task: TaskInfo) => unknown;

/** What is decided about a task where it is spawned. */
export interface SpawnOptions {
  /** For each attempt, from running. A value returned after it still counts. @default none */
  readonly timeout?: Duration;
  /** For all attempts, from spawn; a Date is a moment of the wall clock. @default none */
  readonly deadline?: Duration | Date;
  /** How long after a cancel or a timeout the task may take to stop. @default the scope's, else "5s" */
  readonly grace?: Duration;
  /** @default one attempt */
  readonly retry?: RetryPolicy;
  /** Unique among the live tasks of one scope. @default none */
  readonly key?: string;
  /** What to do where the key is taken. @default "join" */
  readonly onConflict?: "join" | "replace" | "reject";
  /** @default none */
  readonly limit?: LimitOptions;
  /** Wait this long before the first attempt. @default none */
  readonly delay?: Duration;
  /** Cancels the task when it aborts. @default none */
  readonly signal?: AbortSignal;
  /** Receives a failure that nobody awaits, before the scope's. @default the scope's */
  readonly onError?: OnError;
  /** @default {} */
  readonly attributes?: Attributes;
  /** How long a run is expected to take at most; older tasks are a finding. @default none */
  readonly expect?: Duration;
  /** `journal`: known on disk at once, not only at the next sweep. @default "memory" */
  readonly record?: "memory" | "journal";
}

/** Options of a scope. */
export interface ScopeOptions {
  /** How many of its own tasks may run at once. @default no bound */
  readonly concurrency?: number;
  /** How many may wait for a slot. @default no bound */
  readonly queue?: number;
  /** What a spawn into a full queue does. @default "reject" */
  readonly onFull?: "reject" | "drop-oldest";
  /** Receives failures nobody awaited. @default the parent's, at last stderr */
  readonly onError?: OnError;
  /** `cancel-all`: the first failure of a task closes the scope. @default "isolate" */
  readonly onFailure?: "isolate" | "cancel-all";
  /** Which services restart when one crashes. @default "one-for-one" */
  readonly strategy?: "one-for-one" | "one-for-all" | "rest-for-one";
  /** Grace of its tasks. @default the parent's, else "5s" */
  readonly grace?: Duration;
  /** The scope is cancelled after this time. @default none */
  readonly timeout?: Duration;
  /** How long one `defer` may take. @default the parent's, else "5s" */
  readonly deferTimeout?: Duration;
  /** @default {} */
  readonly attributes?: Attributes;
  /** `false`: no async context; `currentTask()` and the ambient functions do not see its tasks. @default true */
  readonly context?: boolean;
}

/** Options of a root scope. */
export interface RootOptions extends ScopeOptions {
  /** How many records of ended tasks are kept. @default 1000 */
  readonly records?: number;
}

/** Options of a group: those of a task, and those of the scope that its body receives. */
export interface GroupOptions extends Omit<SpawnOptions, "attributes"> {
  /** How many of the group's tasks may run at once; the body takes no slot. @default no bound */
  readonly concurrency?: number;
  /** How many may wait for a slot. @default no bound */
  readonly queue?: number;
  /** @default "reject" */
  readonly onFull?: "reject" | "drop-oldest";
  /** @default {} */
  readonly attributes?: Attributes;
}

/** Options of `map`. */
export interface MapOptions extends SpawnOptions {
  /** How many items are worked on at once. @default 16 */
  readonly concurrency?: number;
}

/** Options of `adopt`: the promise runs already, and cannot be told to stop. */
export type AdoptOptions = Pick<
  SpawnOptions,
  "timeout" | "deadline" | "signal" | "onError" | "attributes" | "expect"
>;

/** Options of a service. */
export interface ServiceOptions extends Pick<
  SpawnOptions,
  "grace" | "signal" | "onError" | "attributes" | "delay"
> {
  /** @default "on-failure" */
  readonly restart?: "always" | "on-failure" | "never";
  /** More restarts than this within this time escalate. @default { restarts: 5, within: "1m" } */
  readonly intensity?: { readonly restarts: number; readonly within: Duration };
  /** @default 100 ms to 10 s, exponential, full jitter */
  readonly backoff?: Backoff;
  /** `false`: `untilReady()` does not wait for it. @default true */
  readonly ready?: boolean;
}

/** Options of `every`. */
export interface EveryOptions extends Pick<
  SpawnOptions,
  "timeout" | "grace" | "retry" | "signal" | "onError" | "attributes"
> {
  /** What to do with a tick that is due while the last one runs. @default "skip" */
  readonly overlap?: "skip" | "queue" | "allow";
}

/** Options of `cron`. */
export interface CronOptions extends EveryOptions {
  /** An IANA time zone. @default the process's */
  readonly timeZone?: string;
}

/** Options of `close`. */
export interface CloseOptions {
  /** How long live work may still finish by itself. @default 0 */
  readonly drain?: Duration;
  /** A ceiling on the tasks' own grace. @default none */
  readonly grace?: Duration;
  /** Why; the reason of every cancellation that follows. */
  readonly reason?: unknown;
}

/** How far a task says it has come. */
export interface Progress {
  readonly done: number;
  readonly total?: number;
  readonly note?: string;
  /** When it was said, in ms since the epoch. */
  readonly at: number;
}

/** One ended attempt. Times are ms since the epoch. */
export interface AttemptInfo {
  readonly attempt: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly error?: ErrorInfo;
}

/** A task as plain data, safe for JSON. Times are ms since the epoch. */
export interface TaskInfo {
  readonly id: number;
  readonly name: string;
  readonly path: string;
  readonly state: TaskState;
  /** From 1; 0 while it has not started. */
  readonly attempt: number;
  readonly key?: string;
  readonly createdAt: number;
  /** Of the latest attempt; absent where none has started. */
  readonly startedAt?: number;
  /** Absent while it lives. */
  readonly endedAt?: number;
  /** The failure, the reason of the cancellation, or the last attempt's error. */
  readonly error?: ErrorInfo;
  /** The newest ended attempts but for the last, at most 20; absent where there was no retry. */
  readonly attempts?: readonly AttemptInfo[];
  readonly progress?: Progress;
  readonly attributes: Attributes;
  /** How many of its children live. */
  readonly children: number;
}

/** What ended while a scope closed, descendants included. Safe for JSON. */
export interface CloseReport {
  readonly path: string;
  /** How long it took. */
  readonly ms: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly lost: number;
  /** What would not stop; at most 1,000 are listed. */
  readonly abandoned: readonly TaskInfo[];
  /** Failures of clean-up, and what made the scope close; at most 1,000 are listed. */
  readonly errors: readonly unknown[];
}

/** Counts of one name. Latencies are from start to end, in ms, as the upper bound of a power-of-two bucket. */
export interface NameStats {
  readonly live: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly lost: number;
  readonly abandoned: number;
  readonly p50: number;
  readonly p99: number;
}

/** Counts of a scope and all below it. */
export interface ScopeStats {
  readonly path: string;
  readonly state: ScopeState;
  /** Live tasks, and of these those that wait for a slot, a key, a delay or their first turn. */
  readonly live: number;
  readonly waiting: number;
  readonly spawned: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly lost: number;
  readonly abandoned: number;
  /** What settled after it had been given up. */
  readonly late: number;
  /** By name, over the whole tree of the root; past 1,000 names the rest is counted under `other`. */
  readonly names: Readonly<Record<string, NameStats>>;
}

/** A task with what runs below it. */
export interface TaskTree extends TaskInfo {
  readonly tasks: readonly TaskTree[];
}

/** A scope with what runs below it. */
export interface ScopeTree {
  readonly name: string;
  readonly path: string;
  readonly state: ScopeState;
  readonly attributes: Attributes;
  readonly tasks: readonly TaskTree[];
  readonly scopes: readonly ScopeTree[];
}

/** One thing that happened, as plain data: a sentence for people, fields for machines. */
export type ScopeEvent =
  | { readonly type: "spawn" | "start"; readonly at: number; readonly text: string; readonly task: TaskInfo }
  | {
      readonly type: "retry" | "restart";
      readonly at: number;
      readonly text: string;
      readonly task: TaskInfo;
      readonly error: ErrorInfo;
      /** ms until the next attempt. */
      readonly delay: number;
    }
  | {
      readonly type: "cancel";
      readonly at: number;
      readonly text: string;
      readonly task: TaskInfo;
      readonly error: ErrorInfo;
    }
  | { readonly type: "end"; readonly at: number; readonly text: string; readonly task: TaskInfo }
  | {
      readonly type: "late";
      readonly at: number;
      readonly text: string;
      readonly task: TaskInfo;
      readonly error?: ErrorInfo;
    }
  | {
      readonly type: "finding";
      readonly at: number;
      readonly text: string;
      readonly finding: "unresponsive";
      readonly task: TaskInfo;
    }
  | {
      readonly type: "state";
      readonly at: number;
      readonly text: string;
      readonly scope: string;
      readonly state: ScopeState;
      readonly reason?: ErrorInfo;
    };

/** The events of one name. */
export type ScopeEventOf<E extends ScopeEventName> = ScopeEvent & { readonly type: E };

/** The names of the events. */
export type ScopeEventName = ScopeEvent["type"];

/**
 * Disposes of itself when asked. Structural, so that these types need no `lib` beyond ES2022: anything with
 * `[Symbol.dispose]` or `[Symbol.asyncDispose]` fits.
 */
export type DisposableLike =
  { [Symbol.asyncDispose](): PromiseLike<unknown> } | { [Symbol.dispose](): unknown };

/** One run, with its attempts, of a function that one scope owns. Awaiting it is optional; owning it is not. */
export interface Task<T> extends PromiseLike<T> {
  readonly id: number;
  readonly name: string;
  readonly path: string;
  readonly state: TaskState;
  /** Aborts when the whole task is cancelled; an attempt's own timeout does not abort it. */
  readonly signal: AbortSignal;
  /**
   * Asks the task to stop, and resolves when it has ended, clean-up included, or is abandoned.
   * Rejects only with `DeadlockError`: called from inside what it would wait for. It still takes effect.
   */
  cancel(reason?: unknown): Promise<Outcome<T>>;
  /** How it ended. Never rejects, but with `DeadlockError`. Counts as awaiting: the failure is yours. */
  outcome(): Promise<Outcome<T>>;
  catch<R = never>(onRejected?: ((reason: unknown) => R | PromiseLike<R>) | null): Promise<T | R>;
  finally(onFinally?: (() => void) | null): Promise<T>;
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B>;
  info(): TaskInfo;
}

/** What a task runs. */
export type Run<T> = (task: TaskContext) => T | PromiseLike<T>;

/** The task as its own function sees it: its argument, and `currentTask()`. */
export interface TaskContext {
  readonly id: number;
  readonly name: string;
  readonly path: string;
  /** From 1. */
  readonly attempt: number;
  /** The scope that owns it. */
  readonly scope: Scope;
  /** Aborts when this attempt is to stop. Made when first read. */
  readonly signal: AbortSignal;
  /** Aborts when the scope begins to drain: finish up, take no new work. */
  readonly draining: AbortSignal;
  /** Starts a child: this attempt does not end before it. */
  spawn<T>(name: string, run: Run<T>, options?: SpawnOptions): Task<T>;
  /** Starts a group as a child. */
  group<T>(name: string, body: (group: Scope) => T | PromiseLike<T>, options?: GroupOptions): Task<T>;
  /** Runs a function over items as a child group; results in the order of the items. */
  map<T, R>(
    name: string,
    items: Iterable<T> | AsyncIterable<T>,
    run: (item: T, task: TaskContext) => R | PromiseLike<R>,
    options?: MapOptions,
  ): Task<R[]>;
  /** Resolves after `duration`; rejects at once when the task is cancelled or times out. */
  sleep(duration: Duration): Promise<void>;
  /** Yields 1, 2, 3… at a fixed rate, first after one period; missed ticks are skipped. Ends when the scope drains. */
  every(period: Duration): AsyncIterable<number>;
  /** Lets other work run; rejects when the task is cancelled or times out. */
  checkpoint(): Promise<void>;
  /** Throws the task's cancellation or timeout, if there is one. */
  throwIfCancelled(): void;
  /**
   * A deadline over a block and the children spawned in it; grace as for tasks.
   * Rejects with `TaskTimeoutError`, after the block has stopped.
   */
  timeout<R>(duration: Duration, body: (signal: AbortSignal) => PromiseLike<R>): Promise<R>;
  /** Spares what is inside from cancellation and timeouts, until the end of grace; then its signal aborts. */
  shield<R>(body: (signal: AbortSignal) => PromiseLike<R>): Promise<R>;
  /** Runs at the end of this attempt, last first, after its children. */
  defer(cleanup: () => unknown): void;
  /** Disposes of the resource at the end of this attempt. Returns it. */
  use<R extends DisposableLike>(resource: R): R;
  progress(done: number, total?: number, note?: string): void;
  /** Adds attributes to its record. */
  set(attributes: Attributes): void;
  /** A service says that it is ready, once. */
  ready(): void;
}

/** Owns tasks and child scopes, and is not closed before all of them have ended. */
export interface Scope {
  readonly name: string;
  /** Where it stands: `courier/requests`. */
  readonly path: string;
  readonly parent: Scope | undefined;
  /** Aborts when the scope begins to cancel what it owns. */
  readonly signal: AbortSignal;
  /** Aborts when the scope begins to drain, or to close without: take no new work. */
  readonly draining: AbortSignal;
  readonly state: ScopeState;
  /**
   * Starts a task. `run` is first called from a microtask, in spawn order; what it throws never comes out here.
   * Throws `ScopeClosedError`, `QueueFullError`, `KeyConflictError`, or `RangeError` for a bad option.
   */
  spawn<T>(name: string, run: Run<T>, options?: SpawnOptions): Task<T>;
  /** Owns a promise that somebody else started. Cancelling detaches from it at once. */
  adopt<T>(name: string, promise: PromiseLike<T>, options?: AdoptOptions): Task<T>;
  /** Tasks that succeed together or are cancelled together. */
  group<T>(name: string, body: (group: Scope) => T | PromiseLike<T>, options?: GroupOptions): Task<T>;
  /** Runs a function over items as a group; results in the order of the items. */
  map<T, R>(
    name: string,
    items: Iterable<T> | AsyncIterable<T>,
    run: (item: T, task: TaskContext) => R | PromiseLike<R>,
    options?: MapOptions,
  ): Task<R[]>;
  /** A long-lived task that is restarted when it ends. Past its intensity the last error escalates to the root. */
  service(name: string, run: Run<unknown>, options?: ServiceOptions): Task<void>;
  /** Runs at a fixed rate, first after one period. A failed run is delivered and the schedule goes on. */
  every(name: string, period: Duration, run: Run<unknown>, options?: EveryOptions): Task<void>;
  /** Runs by a cron expression; needs the optional peer `croner`. */
  cron(name: string, expression: string, run: Run<unknown>, options?: CronOptions): Task<void>;
  /** Opens a child scope. */
  scope(name: string, options?: ScopeOptions): Scope;
  /** Runs when the scope ends, last first, after everything in it. */
  defer(cleanup: () => unknown): void;
  /** Disposes of the resource when the scope ends. Returns it. */
  use<R extends DisposableLike>(resource: R): R;
  /** Calls `fn` inside this scope: there `spawn` is this scope's. */
  run<R>(fn: () => R): R;
  /** The live task that holds this key. */
  get(key: string): Task<unknown> | undefined;
  /** Resolves when every service not declared `ready: false` has called `task.ready()`; rejects if one ends first. */
  untilReady(): Promise<void>;
  /** Resolves when nothing but services and schedules is live, here and below. */
  untilIdle(): Promise<void>;
  /** Resolves when a `spawn` would be accepted. */
  untilRoom(): Promise<void>;
  /** Begins to close, from inside. */
  requestClose(reason?: unknown): void;
  /** `close({ drain: 0, reason })`. */
  cancel(reason?: unknown): Promise<CloseReport>;
  /** Drains, cancels, waits, cleans up. Rejects only with `DeadlockError`; repeated calls share one report. */
  close(options?: CloseOptions): Promise<CloseReport>;
  /** The live tasks here and below, then the records of those that ended here or below, newest first. */
  tasks(): Iterable<TaskInfo>;
  stats(): ScopeStats;
  tree(): ScopeTree;
  /** Listens to what happens here and below. Returns the function that stops listening. */
  on<E extends ScopeEventName>(event: E, listener: (event: ScopeEventOf<E>) => void): () => void;
  [Symbol.asyncDispose](): Promise<void>;
}
