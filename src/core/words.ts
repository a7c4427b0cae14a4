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
