import type { CloseReport, ScopeEventName, ScopeEventOf, ScopeStats, ScopeTree, TaskInfo } from "./info.ts";
import type {
  AdoptOptions,
  Attributes,
  CloseOptions,
  CronOptions,
  EveryOptions,
  GroupOptions,
  MapOptions,
  ScopeOptions,
  ServiceOptions,
  SpawnOptions,
} from "./options.ts";
import type { Duration, Outcome, ScopeState, TaskState } from "./words.ts";

declare global {
  // So that these types check without `lib.esnext.disposable` and without Node's own.
  interface SymbolConstructor {
    readonly dispose: unique symbol;
    readonly asyncDispose: unique symbol;
  }
}

/**
 * Disposes of itself when asked. Structural, so that these types need no `lib` beyond ES2022: anything with
 * `[Symbol.dispose]` or `[Symbol.asyncDispose]` fits.
 */
export type DisposableLike =
  | {
      /** Gives back what it holds; it is awaited, for at most the `deferTimeout`. Preferred where there are both. */
      [Symbol.asyncDispose](): PromiseLike<unknown>;
    }
  | {
      /** Gives back what it holds, at once. */
      [Symbol.dispose](): unknown;
    };

/** One run, with its attempts, of a function that one scope owns. Awaiting it is optional; owning it is not. */
export interface Task<T> extends PromiseLike<T> {
  /** Unique in this process; it grows in the order of spawning. */
  readonly id: number;
  /** What it was given at spawn. Unlike `id` and `key` it is shared by all tasks of its kind. */
  readonly name: string;
  /** Where it stands: `courier/background/mail`. */
  readonly path: string;
  /** As it is now. The terminal states (`succeeded`, `failed`, `cancelled`, `lost`, `abandoned`) never change. */
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
  /**
   * As that of a promise: what becomes of the value, or of what `onRejected` makes of the failure. Counts as awaiting,
   * and inside a task it is a cancellation point: it rejects when the task that waits is told to stop.
   */
  catch<R = never>(onRejected?: ((reason: unknown) => R | PromiseLike<R>) | null): Promise<T | R>;
  /**
   * As that of a promise: calls `onFinally` at the end, however it came, and passes on the value or the failure.
   * Counts as awaiting, so the failure is yours; inside a task it is a cancellation point.
   */
  finally(onFinally?: (() => void) | null): Promise<T>;
  /**
   * What `await` calls. Rejects with what the task threw, the very object; with `TaskCancelledError`,
   * `TaskTimeoutError`, `TaskLostError` or `TaskAbandonedError` where it ended so; with `DeadlockError` where the one
   * who waits is waited for. Inside a task it is a cancellation point.
   */
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B>;
  /** What is known of it at this moment, as plain data that goes into JSON; it does not change afterwards. */
  info(): TaskInfo;
}

/** What a task runs. */
export type Run<T> = (task: TaskContext) => T | PromiseLike<T>;

/** The task as its own function sees it: its argument, and `currentTask()`. */
export interface TaskContext {
  /** That of its `Task`: unique in this process. */
  readonly id: number;
  /** What it was given at spawn. */
  readonly name: string;
  /** Where it stands: `courier/background/mail`. */
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
  /**
   * Says how far it has come, in whatever it counts: `progress(30, 200, "pages")`. The last word is kept, with its
   * time, in its info and in its record; said in a loop it costs little. Nothing happens when the task has ended.
   */
  progress(done: number, total?: number, note?: string): void;
  /** Adds attributes to its record. */
  set(attributes: Attributes): void;
  /** A service says that it is ready, once. */
  ready(): void;
}

/** Owns tasks and child scopes, and is not closed before all of them have ended. */
export interface Scope {
  /** What it was opened with. */
  readonly name: string;
  /** Where it stands: `courier/requests`. */
  readonly path: string;
  /** The scope that it was opened in; undefined for a root. That of a group is the scope of its task. */
  readonly parent: Scope | undefined;
  /** Aborts when the scope begins to cancel what it owns. */
  readonly signal: AbortSignal;
  /** Aborts when the scope begins to drain, or to close without: take no new work. */
  readonly draining: AbortSignal;
  /** As it is now: `open`, `draining`, `closing`, `closed`, and never back. */
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
  /** Counts of what was spawned here and below, and how it ended; by name also the usual run time, in ms. */
  stats(): ScopeStats;
  /** What lives here and below, by owner, as plain data that goes into JSON. What has ended is in `tasks()`. */
  tree(): ScopeTree;
  /** Listens to what happens here and below. Returns the function that stops listening. */
  on<E extends ScopeEventName>(event: E, listener: (event: ScopeEventOf<NoInfer<E>>) => void): () => void;
  /**
   * `await using app = openScope("app")`: `cancel()`, and waits until the scope has closed. Never tells of failures:
   * they went to their awaiters and to `onError`.
   */
  [Symbol.asyncDispose](): Promise<void>;
}
