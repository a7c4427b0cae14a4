import { clearTimer, nextTurn, setTimer, Timer } from "./clock.ts";
import { outside } from "./context.ts";
import type { TaskNode } from "./task-node.ts";

/** Takes the two functions of a promise without a closure of its own: read them right after `new Promise(capture)`. */
export const captured: { resolve: (value: unknown) => void; reject: (error: unknown) => void } = {
  resolve: noop,
  reject: noop,
};
export function capture(resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
  captured.resolve = resolve;
  captured.reject = reject;
}

/** Does nothing: attached to a promise it marks its rejection as handled. */
export function noop(): void {}

const nativeThen = Promise.prototype.then;

/** The native `then`, whatever somebody may have put in its place. */
export function thenOf<T, A, B>(
  promise: Promise<T>,
  onFulfilled: ((value: T) => A) | null | undefined,
  onRejected: ((error: unknown) => B) | null | undefined,
): Promise<A | B> {
  return nativeThen.call(promise, onFulfilled as never, onRejected as never) as Promise<A | B>;
}

const DONE = Promise.resolve();

/** Calls `fn` in a microtask of its own, in the async context of now. */
export function soon(fn: () => void): void {
  void thenOf(DONE, fn, undefined);
}

/**
 * Calls `fn(arg)` when the microtasks are done, outside of any task. From a microtask, so that the tick comes after all of
 * them, also where a timer started this turn.
 */
export function afterMicrotasks<A>(fn: (arg: A) => void, arg: A): void {
  outside(() => soon(() => process.nextTick(fn, arg)));
}

/** A promise that is already rejected, and marked as handled. */
export function rejected<T>(error: unknown): Promise<T> {
  const promise = Promise.reject<T>(error);
  void thenOf(promise, undefined, noop);
  return promise;
}

/**
 * What a wait is for. `value` and `outcome` wait for a task, and take its failure; `end` (a cancel) waits for it and
 * does not. `sleep` and `tick` wait for a moment, `event` for anything else.
 */
export type WaitKind = "value" | "outcome" | "end" | "sleep" | "tick" | "event";

/**
 * One pending wait. It sits in two lists: that of the task that waits (so that cancelling it can reject the wait)
 * and that of the task it waits for (so that its end can resolve it); from both comes the deadlock search.
 */
export class Wait extends Timer {
  readonly kind: WaitKind;
  awaiter: TaskNode | undefined;
  target: TaskNode | undefined;
  /** The promise itself, where holdfast has to mark a rejection of it as handled. */
  promise: Promise<unknown> | undefined = undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  prev: Wait | undefined = undefined;
  next: Wait | undefined = undefined;
  targetPrev: Wait | undefined = undefined;
  targetNext: Wait | undefined = undefined;

  constructor(
    kind: WaitKind,
    awaiter: TaskNode | undefined,
    target: TaskNode | undefined,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    super();
    this.kind = kind;
    this.awaiter = awaiter;
    this.target = target;
    this.resolve = resolve;
    this.reject = reject;
    if (awaiter !== undefined) {
      const first = awaiter.waits;
      this.next = first;
      if (first !== undefined) first.prev = this;
      awaiter.waits = this;
    }
    if (target !== undefined) {
      const first = target.waiters;
      this.targetNext = first;
      if (first !== undefined) first.targetPrev = this;
      target.waiters = this;
    }
  }

  /** Its moment has come. */
  onTime(): void {
    this.end(undefined);
  }

  /** Takes it out of both lists and off the clock. */
  unlink(): void {
    clearTimer(this);
    this.leaveAwaiter();
    const { target, targetPrev, targetNext } = this;
    if (target !== undefined) {
      if (targetPrev === undefined) target.waiters = targetNext;
      else targetPrev.targetNext = targetNext;
      if (targetNext !== undefined) targetNext.targetPrev = targetPrev;
      this.target = this.targetPrev = this.targetNext = undefined;
    }
  }

  /** The task that waited has ended; whoever got the promise still gets what it waits for. */
  leaveAwaiter(): void {
    const { awaiter, prev, next } = this;
    if (awaiter === undefined) return;
    if (prev === undefined) awaiter.waits = next;
    else prev.next = next;
    if (next !== undefined) next.prev = prev;
    this.awaiter = this.prev = this.next = undefined;
  }

  /** Ends the wait with what was waited for. */
  end(value: unknown): void {
    this.unlink();
    this.resolve(value);
  }

  /** Ends the wait with an error that holdfast made: nobody is obliged to handle it. */
  fail(error: unknown): void {
    this.unlink();
    if (this.promise !== undefined) void thenOf(this.promise, undefined, noop);
    this.reject(error);
  }
}

/** Waits for the end of a task. */
export function waitFor(
  kind: "value" | "outcome" | "end",
  awaiter: TaskNode | undefined,
  target: TaskNode,
): Promise<unknown> {
  const promise = new Promise<unknown>(capture);
  void new Wait(kind, awaiter, target, captured.resolve, captured.reject);
  return promise;
}

/** Waits for no task, as a cancellation point of `awaiter`; what ends the wait is up to the caller. */
export function pause(kind: "sleep" | "tick" | "event" | "end", awaiter: TaskNode): PromisedWait {
  const promise = new Promise<unknown>(capture);
  const wait = new Wait(kind, awaiter, undefined, captured.resolve, captured.reject);
  wait.promise = promise;
  return wait as PromisedWait;
}

type PromisedWait = Wait & { promise: Promise<unknown> };

/** Waits until timers and I/O have had a turn. */
export function untilOthersRan(awaiter: TaskNode): Promise<void> {
  const wait = pause("event", awaiter);
  nextTurn(() => wait.onTime());
  return wait.promise as Promise<void>;
}

/** Waits until a moment. */
export function sleepUntilOver(awaiter: TaskNode, ms: number, kind: "sleep" | "tick"): Promise<unknown> {
  const wait = pause(kind, awaiter);
  setTimer(wait, ms);
  return wait.promise;
}
