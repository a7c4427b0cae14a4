import { callingTask } from "./context.ts";
import { stopErrorOf } from "./stop-signal.ts";
import { capture, captured, noop, rejected, thenOf, Wait } from "./wait.ts";

/** Makes waiting for a promise a cancellation point of the task that waits. The promise itself goes on. */
export function cancellable<T>(promise: Promise<T>): Promise<T> {
  const current = callingTask();
  if (current === undefined) return promise;
  const stop = stopErrorOf(current);
  if (stop !== undefined) {
    // What the promise still does is no longer waited for by the one who was cancelled.
    void thenOf(promise, undefined, noop);
    return rejected(stop);
  }
  const own = new Promise<unknown>(capture);
  const wait = new Wait("event", current, undefined, captured.resolve, captured.reject);
  void thenOf(
    promise,
    (value) => wait.end(value),
    (error) => wait.fail(error),
  );
  return own as Promise<T>;
}
