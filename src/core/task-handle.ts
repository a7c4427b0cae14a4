import { stopTask } from "./cancel.ts";
import { callingTask, currentNode } from "./context.ts";
import { cycleThroughTask } from "./deadlock.ts";
import { taskInfo, taskPath } from "./describe.ts";
import { DeadlockError } from "./errors.ts";
import { outcomeOf } from "./settle.ts";
import { stopErrorOf, taskSignal } from "./stop-signal.ts";
import { AWAITED, isTerminal, stateName, stateOf, STOPPING, SUCCEEDED } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";
import type { TaskInfo } from "./info.ts";
import type { Task } from "./types.ts";
import type { Outcome, TaskState } from "./words.ts";
import { capture, captured, rejected, thenOf, waitFor } from "./wait.ts";

/** What `spawn` returns: one task, from outside. */
class TaskHandle implements Task<unknown> {
  readonly #node: TaskNode;

  constructor(node: TaskNode) {
    this.#node = node;
  }

  get id(): number {
    return this.#node.id;
  }

  get name(): string {
    return this.#node.name;
  }

  get path(): string {
    return taskPath(this.#node);
  }

  get state(): TaskState {
    return stateName(this.#node);
  }

  get signal(): AbortSignal {
    return taskSignal(this.#node);
  }

  then<A = unknown, B = never>(
    onFulfilled?: ((value: unknown) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return thenOf(awaitTask(this.#node), onFulfilled, onRejected) as Promise<A | B>;
  }

  catch<R = never>(onRejected?: ((reason: unknown) => R | PromiseLike<R>) | null): Promise<unknown> {
    return thenOf(awaitTask(this.#node), undefined, onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<unknown> {
    return awaitTask(this.#node).finally(onFinally);
  }

  outcome(): Promise<Outcome<unknown>> {
    return untilOutcome(this.#node, `${this.path}.outcome()`, true);
  }

  cancel(reason?: unknown): Promise<Outcome<unknown>> {
    const node = this.#node;
    const by = currentNode();
    stopTask(node, "task", by && taskPath(by), reason);
    return untilOutcome(node, `${this.path}.cancel()`, false);
  }

  info(): TaskInfo {
    return taskInfo(this.#node);
  }

  get [Symbol.toStringTag](): string {
    return "Task";
  }

  /** What a log or a debugger shows of it. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Task(${this.path}: ${this.state})`;
  }
}

/** The handle of a task. Those with a key, or that were asked for before, keep theirs. */
export function handleOf(node: TaskNode): Task<unknown> {
  const { extras } = node;
  if (extras === undefined || extras.key === undefined) return new TaskHandle(node);
  return (extras.handle ??= new TaskHandle(node));
}

/** The promise to which a `then` attaches: a cancellation point of the task that calls it. */
function awaitTask(node: TaskNode): Promise<unknown> {
  const current = callingTask();
  if (current === undefined) return sharedPromise(node);
  if ((current.flags & STOPPING) !== 0) return Promise.reject(stopErrorOf(current));
  if (isTerminal(node)) return sharedPromise(node);
  const cycle = cycleThroughTask(current, node);
  if (cycle !== undefined) return Promise.reject(new DeadlockError(`await ${taskPath(node)}`, cycle));
  return waitFor("value", current, node);
}

/** What all share who await from outside of any task, and what those get who come after the end. */
function sharedPromise(node: TaskNode): Promise<unknown> {
  node.flags |= AWAITED;
  if (node.settled !== undefined) return node.settled;
  if (!isTerminal(node)) {
    const promise = new Promise<unknown>(capture);
    node.resolve = captured.resolve;
    node.reject = captured.reject;
    return (node.settled = promise);
  }
  // Not kept if it rejects: a rejected promise without a listener would be called unhandled.
  return stateOf(node) === SUCCEEDED ? Promise.resolve(node.result) : Promise.reject(node.result);
}

/** How a task will have ended. Not a cancellation point, so that a `finally` may await it. */
function untilOutcome(node: TaskNode, what: string, isAwaiting: boolean): Promise<Outcome<unknown>> {
  if (isTerminal(node)) {
    if (isAwaiting) node.flags |= AWAITED;
    return Promise.resolve(outcomeOf(node));
  }
  const awaiter = callingTask();
  const cycle = awaiter && cycleThroughTask(awaiter, node);
  if (cycle !== undefined) return rejected(new DeadlockError(what, cycle));
  return waitFor(isAwaiting ? "outcome" : "end", awaiter, node) as Promise<Outcome<unknown>>;
}
