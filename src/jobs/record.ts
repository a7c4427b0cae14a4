import type { ErrorInfo, Progress, WaitingLine } from "../core/index.ts";

/** Where a job is. The last three are ends, and never change but by `retry()`. */
export type JobState = "queued" | "running" | "succeeded" | "failed" | "cancelled";

export const JOB_STATES: readonly [JobState, ...JobState[]] = [
  "queued",
  "running",
  "succeeded",
  "failed",
  "cancelled",
];

/** An end. */
export type JobEnd = Exclude<JobState, "queued" | "running">;

/**
 * How one attempt ended: `slept` when the job asked to go on later, `released` when its worker stopped and handed it
 * back, `lapsed` when its lease ended because the worker died or stood still. Only `failed` counts against the retry
 * policy.
 */
export type AttemptEnd = "succeeded" | "failed" | "cancelled" | "slept" | "released" | "lapsed";

/** One run of a job by one worker. Times are ms since the epoch. */
export interface JobAttempt {
  /** From 1. */
  readonly attempt: number;
  /** The name of the worker that held the lease. */
  readonly worker: string;
  readonly startedAt: number;
  /** Absent while it runs. */
  readonly endedAt?: number;
  /** Absent while it runs. */
  readonly end?: AttemptEnd;
  readonly error?: ErrorInfo;
  /** Where it stood when it was given up: it did not stop within its grace, and may run still. */
  readonly awaiting?: readonly WaitingLine[];
}

/** A step of a job that was done, and is not done again. */
export interface JobStep {
  readonly name: string;
  /** ms since the epoch. */
  readonly at: number;
  /** What its function returned, as JSON. */
  readonly value: unknown;
}

/** A line that a job said of itself. */
export interface JobLogLine {
  /** ms since the epoch. */
  readonly at: number;
  readonly attempt: number;
  readonly text: string;
}

/** A job as it is listed. Plain data that goes into JSON; times are ms since the epoch. */
export interface JobSummary {
  /** Given by the engine: a string without meaning, unique in its store. */
  readonly id: string;
  /** That of its definition. */
  readonly name: string;
  readonly state: JobState;
  readonly key?: string;
  /** What `concurrencyKey` made of its input. */
  readonly concurrencyKey?: string;
  /** Higher runs earlier. */
  readonly priority: number;
  readonly createdAt: number;
  /** Not before this moment: its delay, or the pause before its next attempt. Absent where it may run at once. */
  readonly runAt?: number;
  /** When an attempt no longer may begin. */
  readonly expiresAt?: number;
  /** When its latest attempt began. */
  readonly startedAt?: number;
  /** When it came to its end. */
  readonly endedAt?: number;
  /** How many attempts have begun. */
  readonly attempt: number;
  /** How many of these failed, since it was last enqueued or retried by hand. */
  readonly failures: number;
  /** How many of these lapsed, since it was last enqueued or retried by hand. */
  readonly lapses: number;
  /** Somebody asked it to stop, and it has not yet. */
  readonly isCancelling: boolean;
  /** Who holds its lease. */
  readonly worker?: string;
  /** What the last failed attempt failed with; where the job was cancelled, why. */
  readonly error?: ErrorInfo;
  readonly progress?: Progress;
  /** The schedule that it is an occurrence of. */
  readonly schedule?: string;
}

/** All that is known of one job. */
export interface JobRecord extends JobSummary {
  readonly input: unknown;
  /** What it returned, as JSON; absent where it returned nothing, or has not ended well. */
  readonly result?: unknown;
  /** The newest attempts, oldest first; at most 50. */
  readonly attempts: readonly JobAttempt[];
  readonly steps: readonly JobStep[];
  /** The newest lines, oldest first; at most 200. */
  readonly log: readonly JobLogLine[];
}

/** What is asked of a list. */
export interface JobQuery {
  readonly name?: string;
  readonly state?: JobState;
  readonly key?: string;
  readonly schedule?: string;
  /** @default 50, at most 1000 */
  readonly limit?: number;
  /** Where the page before ended. */
  readonly after?: string;
}

/** A page of a list, newest first. */
export interface JobPage {
  readonly jobs: readonly JobSummary[];
  /** What to give as `after` for the next page; absent on the last. */
  readonly next?: string;
}

/** Counts of the jobs of one name. */
export interface JobNameStats {
  /** Those that wait, for whatever reason. */
  readonly queued: number;
  readonly running: number;
  /** Ended, and not yet removed by their retention. */
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Nobody may claim them. */
  readonly isPaused: boolean;
  /** When the oldest one that could run now was enqueued, ms since the epoch; absent where none could. */
  readonly oldestReadyAt?: number;
}

/** Counts of a queue. */
export interface JobStats extends Omit<JobNameStats, "oldestReadyAt"> {
  readonly names: Readonly<Record<string, JobNameStats>>;
}
