/**
 * Under this key the options of a task hold the request that it comes from, put there by an adapter. It is no option of
 * users', and is not told with the task.
 */
export const REQUEST: unique symbol = Symbol("holdfast request");

/** A request, as far as a task that comes from it may outlive it. */
export interface RequestEnd {
  /** On the clock of `now()`; undefined while it goes on. */
  endedAt: number | undefined;
}

/** Options with what an adapter has put there. */
export interface FromRequest {
  readonly [REQUEST]?: RequestEnd;
}
