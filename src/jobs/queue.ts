import type { CloseOptions, CloseReport, Duration, Scope } from "../core/index.ts";
import type { AnyJob, Job } from "./define.ts";
import type { Engine } from "./engine.ts";
import type { JobListener } from "./events.ts";
import type { EnqueueOptions } from "./new-job.ts";
import type { JobPage, JobQuery, JobRecord, JobStats } from "./record.ts";

/** Options of `openQueue`. */
export interface QueueOptions {
  /** Owns the queue: it closes with this one, and every attempt runs below it. */
  readonly scope: Scope;
  /** What keeps the jobs: `sqlite("courier.db")`. */
  readonly engine: Engine;
  /** What this worker can run. Jobs of other names are left for a worker that knows them. */
  readonly jobs: readonly AnyJob[];
  /** Names its scope. @default "jobs" */
  readonly name?: string;
  /** How many attempts run at once, of all names. @default 10 */
  readonly concurrency?: number;
  /**
   * How long a job belongs to a worker that does not say that it lives: so long after a kill -9 it waits. Renewed at a
   * third. @default "30s"
   */
  readonly lease?: Duration;
  /** False: enqueues, looks and waits, and runs nothing. @default true */
  readonly work?: boolean;
  /**
   * Called when the engine gives trouble that no call of yours could be told of: once, until it is over.
   * @default it is written to stderr
   */
  readonly onTrouble?: (error: unknown) => unknown;
}

/** One of `enqueueMany`. */
export interface EnqueueItem<Input> extends EnqueueOptions {
  readonly input: Input;
}

/** Where a job is stored. */
export interface Stored {
  readonly id: string;
  /** False where an unfinished job had the key, and nothing was stored. */
  readonly isNew: boolean;
}

/** A transaction of the user's: what the engine says it takes. */
export interface InTransaction {
  /** @default a transaction of the engine's own */
  readonly client?: unknown;
}

/** Options of `schedule`. */
export interface ScheduleOptions {
  /** An IANA time zone. @default the process's */
  readonly timeZone?: string;
  /** Higher runs earlier. @default that of the definition */
  readonly priority?: number;
}

/**
 * Jobs: work that survives the process. Made by `openQueue`. What it is asked once its scope has begun to close rejects
 * with `QueueClosedError`; what the engine cannot do, with `EngineError`.
 */
export interface Queue {
  /** Where it stands: `courier/jobs`. */
  readonly path: string;
  /**
   * Stores a job. Resolves when it is stored as durably as the engine was asked to: from then on it is run, whatever
   * happens to this process. Rejects with `JobInputError`, `JobKeyConflictError`, `EngineError`, `RangeError`.
   */
  enqueue<Input>(job: Job<Input>, input: Input, options?: EnqueueOptions & InTransaction): Promise<Stored>;
  /** The same for many, all or none; much cheaper than one by one. Answers in their order. */
  enqueueMany<Input>(
    job: Job<Input>,
    items: readonly EnqueueItem<Input>[],
    options?: InTransaction,
  ): Promise<readonly Stored[]>;
  /**
   * Runs a job at the times of a cron expression; needs the optional peer `croner`. Said again, at each start of the
   * program, it changes nothing, or what is different. One occurrence waits at a time; it is stored like any job, so one
   * that is due while nobody works runs once, later; the next one is stored when it has ended, so two never run at once.
   * It goes on until `unschedule`, also in workers that do not say this. Resolves with the waiting occurrence.
   */
  schedule<Input>(
    name: string,
    expression: string,
    job: Job<Input>,
    input: Input,
    options?: ScheduleOptions,
  ): Promise<Stored>;
  /** Ends a schedule: its waiting occurrence is cancelled; one that runs is the last. False: there was none. */
  unschedule(name: string): Promise<boolean>;
  /** All that is known of a job; undefined: there is none. */
  get(id: string): Promise<JobRecord | undefined>;
  /** A page of jobs, newest first. */
  list(query?: JobQuery): Promise<JobPage>;
  /** Counts. */
  stats(): Promise<JobStats>;
  /**
   * Cancels a job, wherever it runs. Resolves with its record when it has stopped; at once where it has ended before.
   * Rejects with `JobUnknownError`.
   */
  cancel(id: string, reason?: string): Promise<JobRecord>;
  /**
   * Runs a job again that failed or was cancelled: at once, with all its attempts before it, and with the steps that
   * were done, unless `fromStart`. Rejects with `JobUnknownError`, `JobStateError`.
   */
  retry(id: string, options?: { readonly fromStart?: boolean }): Promise<JobRecord>;
  /** Removes a job that has ended. Rejects with `JobUnknownError`, `JobStateError`. */
  remove(id: string): Promise<void>;
  /** Lets no worker begin jobs of this kind, or any; what runs goes on. Stored: it holds until `resume`. */
  pause(job?: AnyJob): Promise<void>;
  /** Takes back `pause`, of the same kind or of all. */
  resume(job?: AnyJob): Promise<void>;
  /**
   * Waits for the end of a job, wherever it runs, and resolves with what it returned. Rejects with `JobFailedError`,
   * `JobCancelledError`, `JobUnknownError`. Inside a task it is a cancellation point.
   */
  result<Result>(id: string, job?: Job<never, Result>): Promise<Result>;
  /** Begins no more jobs here, and resolves when those that run here have ended and that is stored. */
  drain(): Promise<void>;
  /** Listens to what happens to jobs at this worker. Returns the function that stops listening. */
  on(listener: JobListener): () => void;
  /**
   * Closes the queue: no more jobs begin; those that run may finish (`drain`), are told to stop, and have their leases
   * handed back, so that another worker runs them at once. Then the engine is closed. The same happens when its scope
   * closes.
   */
  close(options?: CloseOptions): Promise<CloseReport>;
  /** `close()`. */
  [Symbol.asyncDispose](): Promise<void>;
}
