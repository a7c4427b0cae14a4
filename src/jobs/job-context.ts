import type { Duration, TaskContext } from "../core/index.ts";

/** A job as its function sees it while one attempt at it runs. */
export interface JobContext {
  /** Of the job: the same in all attempts. */
  readonly id: string;
  /** That of its definition. */
  readonly name: string;
  readonly key: string | undefined;
  /** Which attempt this is, from 1; those that lapsed, were released or slept are counted too. */
  readonly attempt: number;
  /** How many of the attempts before failed. */
  readonly failures: number;
  /**
   * Aborts when this attempt is to stop: it has timed out, the job was cancelled, the worker closes, or it could not
   * keep its lease. Pass it on to whatever waits.
   */
  readonly signal: AbortSignal;
  /** Aborts when the worker begins to drain: come to a good place to stop, there is not much time. */
  readonly draining: AbortSignal;
  /** The task that this attempt runs as: its children, its clean-up, its shields. */
  readonly task: TaskContext;
  /**
   * Does something once. What `fn` returns is stored, and a later attempt gets that, without calling `fn`. It goes
   * through JSON in the first attempt too, so that all see the same. A step that fails is not stored.
   *
   * Rejects with what `fn` throws; `JobStepError` where the name was used before in this attempt, or the value is no
   * JSON; `LeaseLostError`, or this attempt's cancellation with that as its reason, where the job is no longer this
   * worker's: then nothing was stored.
   *
   * Stored after `fn` has returned: a worker that is killed in between does it again. What must not happen twice
   * outside needs a key there: `job.id` with the name of the step is one.
   *
   * @example const receipt = await job.step("charge", () => charge(card, { idempotencyKey: `${job.id}/charge` }));
   */
  step<T>(name: string, fn: () => T | PromiseLike<T>): Promise<T>;
  /**
   * Waits. What is longer than five seconds gives back the worker and the lease: this attempt is cancelled here (let it
   * pass, as any cancellation), and the next one begins when the time is over; it comes by here at once. So everything
   * before a long sleep belongs into steps.
   */
  sleep(duration: Duration): Promise<void>;
  /** Says how far it has come, in whatever it counts. Stored within a second, the last word for certain. */
  progress(done: number, total?: number, note?: string): void;
  /** Adds a line to the job's log: at most 2,000 characters, the newest 200 lines are kept. Stored within a second. */
  log(text: string): void;
}
