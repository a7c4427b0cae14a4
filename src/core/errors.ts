/** Who asked a task to stop. */
export type CancelSource =
  | "task" /* its own cancel() */
  | "parent" /* the task that spawned it ended or was cancelled */
  | "scope" /* its scope closed */
  | "sibling" /* another task of its group or cancel-all scope failed, or another service restarts it */
  | "signal" /* the signal given at spawn aborted */
  | "key" /* another task with its key replaced it */
  | "queue" /* a full queue dropped it */
  | "drain" /* not yet due when its scope began to drain */
  | "deadline"; /* a timeout, of itself or of what it belongs to */

/** An error as plain data, safe for JSON. */
export interface ErrorInfo {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: ErrorInfo;
}

/** Common to all: a stable `code`, and the `path` of the task or scope it speaks of. */
abstract class HoldfastError extends Error {
  abstract readonly code: string;
  readonly path: string;
  constructor(message: string, path: string, options?: ErrorOptions) {
    super(message, options);
    this.path = path;
  }
}

/** What a cancellation says of itself. */
export interface CancelDetail {
  readonly source: CancelSource;
  /** The path of the task or scope that asked, where there was one. */
  readonly by: string | undefined;
  readonly reason: unknown;
}

/**
 * This task was asked to stop. Thrown out of `sleep`, `every`, `checkpoint` and awaiting a Task, by
 * `throwIfCancelled()`, and what awaiting a cancelled task rejects with; it is also `signal.reason`.
 * Let it pass: a task that rethrows it ends `cancelled`. Clean-up that must await goes into `shield`.
 *
 * Its name and code are those of Node's own AbortError, so that code which knows that one knows this one.
 */
export class TaskCancelledError extends HoldfastError implements CancelDetail {
  override readonly name = "AbortError";
  readonly code = "ABORT_ERR";
  readonly source: CancelSource;
  readonly by: string | undefined;
  readonly reason: unknown;
  constructor(path: string, detail: CancelDetail, words: string = cancelWords(detail)) {
    const { source, by, reason } = detail;
    super(path + words, path, reason === undefined ? undefined : { cause: reason });
    this.source = source;
    this.by = by;
    this.reason = reason;
  }
}

/** What a cancellation says after the path of its task. */
export function cancelWords({ source, by, reason }: CancelDetail): string {
  return ` was cancelled (${source}${by === undefined ? "" : ` ${by}`})${reasonWords(reason)}`;
}

function reasonWords(reason: unknown): string {
  try {
    if (typeof reason === "string") return `: ${reason}`;
    return reason instanceof Error ? `: ${String(reason.message)}` : "";
  } catch {
    return ": an error whose own properties throw";
  }
}

/** `instanceof`, also of what throws when it is looked at, as a revoked proxy does. */
export function isA<T>(value: unknown, type: abstract new (...args: never) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/**
 * A timeout or a deadline was over. Thrown like a cancellation inside the attempt; awaiters get it if no attempt
 * follows. Allow more time, or find out with `holdfast dump` what the task waited for.
 */
export class TaskTimeoutError extends HoldfastError {
  override readonly name = "TimeoutError";
  readonly code = "HF_TASK_TIMEOUT";
  /** The time that was allowed, in ms. */
  readonly ms: number;
  constructor(path: string, what: "attempt" | "deadline" | "block" | "scope" | "cleanup", ms: number) {
    super(`${path}: ${TIMEOUT_WORDS[what]} of ${ms} ms is over`, path);
    this.ms = ms;
  }
}

const TIMEOUT_WORDS = {
  attempt: "the attempt's timeout",
  deadline: "the deadline",
  block: "the timeout",
  scope: "the scope's timeout",
  cleanup: "the deferred clean-up's time",
} as const;

/**
 * Nothing can ever settle what the task awaits: it was collected as garbage. Awaiters get this rather than hang.
 * Look for a promise whose resolver nobody kept.
 */
export class TaskLostError extends HoldfastError {
  override readonly name = "TaskLostError";
  readonly code = "HF_TASK_LOST";
  constructor(path: string) {
    super(`${path} can never settle: what it awaits is unreachable`, path);
  }
}

/**
 * The task was asked to stop and did not within its grace; holdfast has given it up, and its code may still run.
 * Awaiters get this; `cause` is the timeout or the cancellation. Pass `task.signal` to what it awaits.
 */
export class TaskAbandonedError extends HoldfastError {
  override readonly name = "TaskAbandonedError";
  readonly code = "HF_TASK_ABANDONED";
  constructor(path: string, grace: number, cause: unknown) {
    super(`${path} did not stop within its grace of ${grace} ms and was abandoned`, path, { cause });
  }
}

/**
 * Something was started, or left sleeping, where nothing may run any more: the scope closes or drains, or the task
 * has ended or is being cancelled (`cause` is then the cancellation). Spawn on a scope that outlives you.
 */
export class ScopeClosedError extends HoldfastError {
  override readonly name = "ScopeClosedError";
  readonly code = "HF_SCOPE_CLOSED";
}

/** Thrown by `spawn`: the queue of the scope is full. Await `scope.untilRoom()` before, or allow more. */
export class QueueFullError extends HoldfastError {
  override readonly name = "QueueFullError";
  readonly code = "HF_QUEUE_FULL";
  constructor(path: string, name: string, concurrency: number, queue: number) {
    super(
      `${path} is full: ${concurrency} running, ${queue} waiting; ${JSON.stringify(name)} was not started (await untilRoom() first)`,
      path,
    );
  }
}

/** Thrown by `spawn` with `onConflict: "reject"`: a live task of the scope holds this key. */
export class KeyConflictError extends HoldfastError {
  override readonly name = "KeyConflictError";
  readonly code = "HF_KEY_CONFLICT";
  readonly key: string;
  constructor(path: string, key: string) {
    super(`${path} is live and holds the key ${JSON.stringify(key)}`, path);
    this.key = key;
  }
}

/** Thrown by the ambient functions outside of any task. Use a scope's own method, or enter one with `scope.run()`. */
export class NoScopeError extends HoldfastError {
  override readonly name = "NoScopeError";
  readonly code = "HF_NO_SCOPE";
  constructor(what: string) {
    super(`${what}() was called outside of any task: call it on a scope, or enter one with scope.run()`, "");
  }
}

/**
 * What was to be awaited waits for the one who asked. Rejects the promise of `then`, `outcome`, `cancel`, `close`
 * and `untilIdle`; `cycle` names who waits for whom. `cancel` and `close` still take effect: from inside, use
 * `requestClose()`, or do not await.
 */
export class DeadlockError extends HoldfastError {
  override readonly name = "DeadlockError";
  readonly code = "HF_DEADLOCK";
  /** Paths, each waiting for the next, the last for the first. */
  readonly cycle: readonly string[];
  constructor(what: string, cycle: readonly string[]) {
    super(`${what} would wait for itself: ${[...cycle, cycle[0]].join(" → ")}`, cycle[0] ?? "");
    this.cycle = cycle;
  }
}

/** Makes an error without a stack. That of a stop would show who asked for it, and cost more than all the rest of it. */
export function withoutStack<E>(make: () => E): E {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** How many causes deep an error is described. */
const MAX_CAUSES = 8;

/** Describes anything that was thrown, as plain data. Never throws, whatever the value's getters do. */
export function describeError(value: unknown, depth = 0): ErrorInfo {
  try {
    if (!(value instanceof Error)) return { name: "NonError", message: safeString(value) };
    const info: { -readonly [K in keyof ErrorInfo]: ErrorInfo[K] } = {
      name: String(value.name),
      message: String(value.message),
    };
    const { code } = value as { code?: unknown };
    if (typeof code === "string" || typeof code === "number") info.code = String(code);
    if (typeof value.stack === "string") info.stack = value.stack;
    if (value.cause !== undefined && depth < MAX_CAUSES) info.cause = describeError(value.cause, depth + 1);
    return info;
  } catch {
    return { name: "UnreadableError", message: "the error's own properties throw" };
  }
}

function safeString(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    // A cycle, a bigint, a getter that throws: then its tag has to do.
  }
  return text ?? Object.prototype.toString.call(value);
}
