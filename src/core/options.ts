import type { TaskInfo } from "./info.ts";
import type { Duration } from "./words.ts";

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
  /** Wait this long before the first attempt; meanwhile it has no slot, and no place in the queue. @default none */
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
  /**
   * How many may wait for a slot. That is asked once, at `spawn`, where somebody can be told: a task that was accepted
   * waits after its `delay`, or after the end of the task whose key it takes, however many do. @default no bound
   */
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
  /**
   * `false`: no async context; `currentTask()` and the ambient functions do not see its tasks, and of what is in a
   * `timeout()` or a `shield()` there only the signal that it is given is its own: waits are those of the task.
   * @default true
   */
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
  /** How many may wait for a slot; see `ScopeOptions`. @default no bound */
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
