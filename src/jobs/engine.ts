import type { ErrorInfo, Progress, WaitingLine } from "../core/index.ts";
import type { JobLogLine, JobPage, JobQuery, JobRecord, JobState, JobStats } from "./record.ts";

/**
 * What keeps jobs. `docs/engines.md` tells how to write one; `holdfast/jobs/conformance` is the suite that it has to
 * pass. The words MUST and SHOULD are meant as in RFC 2119.
 *
 * An engine stores, orders, leases and fences. It never calls a user's function, knows no definitions, and decides no
 * retries: those are the queue's. What it is given and gives back is plain data; inputs, results and values of steps
 * are JSON **text**, which it MUST give back as it came.
 *
 * Times are of two kinds, and MUST NOT be mixed. Moments at which something is due (`runAt`, `expiresAt`) are ms since
 * the epoch, and follow the wall clock. Leases are lengths, and MUST be measured with a clock that does not jump.
 */
export interface Engine {
  /** For people: `sqlite /srv/courier.db`. No secrets in it. */
  readonly name: string;
  readonly capabilities: EngineCapabilities;
  /**
   * Opens the store, and makes or migrates its schema. Rejects with `EngineError`: `HF_ENGINE_SCHEMA` where the schema is
   * newer than this engine, which it MUST leave untouched; `HF_ENGINE_UNAVAILABLE` where it cannot be reached or opened.
   * Nothing stays open after a rejection.
   */
  open(context: EngineContext): Promise<JobStore>;
}

/** Where engines differ. The queue refuses with `HF_ENGINE_CANNOT` what an engine says it cannot do. */
export interface EngineCapabilities {
  /** `enqueue` within a transaction of the user's, given as `client`. */
  readonly transactions: boolean;
  /** A bound on how many jobs of one `concurrencyKey` run at once, over all workers. */
  readonly concurrencyKeys: boolean;
  /** A bound on how many jobs of one name start within any window, over all workers. */
  readonly rates: boolean;
  /** `onConflict: "replace"`. */
  readonly replace: boolean;
  /**
   * Operations that are begun in one turn of the event loop are applied in the order in which they were begun, so that
   * a claim sees what was enqueued just before it, though neither has been acknowledged.
   */
  readonly ordered: boolean;
  /** The shortest lease that it can keep, in ms. */
  readonly minLease: number;
}

/** What an engine is given when it is opened. */
export interface EngineContext {
  /** Names this opening in leases and records; unique. */
  readonly worker: string;
  /** How long a lease lasts from its claim or its last renewal, in ms. */
  readonly lease: number;
  /** False: this opening never claims, and need not listen for what could be claimed. */
  readonly work: boolean;
  /**
   * Something may have changed that others did: `jobs` may be claimable, a job that runs here may have to stop
   * (`cancel`), a job may have ended (`end`). A hint, from which no promise follows: it may come too often, and may be
   * lost for up to five seconds, after which the engine MUST call it for what it missed. An engine need not call it
   * for what was done through its own opening, but for `jobs`, where that made something claimable, and for `end`,
   * where a claim or a replacement ended a job: who asked for that knows not which.
   */
  wake(what: "jobs" | "cancel" | "end"): void;
  /** Trouble that no operation can be rejected with: a lost connection. Called once for each trouble, not each retry. */
  onTrouble(error: unknown): void;
  readonly clock: EngineClock;
}

/** Time, for engines: so that a test can move it. */
export interface EngineClock {
  /** Never jumps, and is the same in all processes of this machine; ms from an unknown moment. */
  now(): number;
  /** ms since the epoch. */
  wall(): number;
  /** Calls `fn` after `ms`, and returns what takes that back. It keeps the process alive unless `isIdle`. */
  later(ms: number, fn: () => void, isIdle?: boolean): () => void;
}

/**
 * An opened store. Every promise resolves only once what it tells is stored as durably as the engine was asked to; or
 * rejects with `EngineError`, and then nothing of that operation is stored, but where its code is `HF_ENGINE_UNSURE`
 * (a connection was cut before the answer came).
 */
export interface JobStore extends Reads {
  /**
   * Stores jobs, all or none. An answer for each, in their order. With `client`, stores them in that transaction
   * (`capabilities.transactions`).
   *
   * A key is unique among the unfinished jobs of a name. Where it is taken: `join` stores nothing, and answers with the
   * one that is there; `reject` stores none of all, and rejects with `JobKeyConflictError`; `replace` cancels the other
   * (if it runs it is asked to stop, as by `cancel`) and stores this one, which MUST NOT be claimed before the other has
   * ended.
   */
  enqueue(jobs: readonly NewJob[], client?: unknown): Promise<readonly Enqueued[]>;

  /**
   * Leases jobs to this opening: of the names that are asked for, not paused, due, within the bounds. First those of
   * higher priority, of these those that were enqueued earlier. A job MUST be given to one claim only, until its lease
   * has ended. Each claim of a job has another, greater token.
   *
   * What it meets on the way, it puts right: jobs whose lease has ended are `lapsed` and can be claimed again, or end
   * as `failed` where they had more than `maxLapses`; what has expired ends as `failed`; what was asked to stop and
   * runs nowhere ends as `cancelled`. Within a second of a lease's end, its job MUST be claimable.
   */
  claim(request: ClaimRequest): Promise<ClaimAnswer>;

  /**
   * Extends leases to a full length from now. An answer for each: `held`; `cancel`, which is held and asked to stop;
   * `lost`, where the lease has ended or the job is another's.
   */
  renew(leases: readonly Lease[]): Promise<readonly LeaseState[]>;

  /** The same without extending anything: asked after `wake("cancel")`. */
  check(leases: readonly Lease[]): Promise<readonly LeaseState[]>;

  /**
   * Ends attempts. An answer for each: whether it was written. Fenced: it MUST NOT be where the token is not that of
   * the newest claim, or where the lease has ended, whether or not another has claimed the job.
   */
  settle(settlements: readonly Settlement[]): Promise<readonly boolean[]>;

  /** Records that a step was done. Fenced as `settle`. False also where the job has a step of that name. */
  recordStep(lease: Lease, step: StoredStep): Promise<boolean>;

  /** What attempts say of themselves while they run. Fenced as `settle`. */
  note(notes: readonly Note[]): Promise<readonly boolean[]>;

  /**
   * Asks a job to stop. Queued: it ends as `cancelled`. Running: it is marked, its worker hears of it (within a second),
   * and it ends with that one's settlement. Ended: nothing. Answers with the state after that; undefined where there is
   * no such job.
   */
  cancel(id: string, reason: ErrorInfo): Promise<JobState | undefined>;

  /**
   * Queues a job again that ended as `failed` or `cancelled`: due at once, failures and lapses counted from zero, its
   * record kept, its expiry dropped. With `fromStart` its steps are dropped. False where it ended otherwise, has not
   * ended, or another unfinished job has its key; undefined where there is no such job.
   */
  retry(id: string, fromStart: boolean): Promise<boolean | undefined>;

  /** Removes an ended job and all that is known of it. False where it has not ended; undefined where there is none. */
  remove(id: string): Promise<boolean | undefined>;

  /** Lets nobody claim jobs of this name, or of any; what runs goes on. Stored, and obeyed by all workers. */
  pause(name: string | undefined): Promise<void>;
  /** Takes back `pause`, of the same name or of any. */
  resume(name: string | undefined): Promise<void>;

  /** Removes ended jobs whose time is over, at most so many; answers with how many it removed. */
  sweep(limit: number): Promise<number>;

  /**
   * Waits for what has begun, and gives back all that it holds. Leases stay as they are: the queue has handed them back
   * before. Operations that begin later reject with `HF_ENGINE_CLOSED`.
   */
  close(): Promise<void>;
}

/** What is asked without changing anything. */
export interface Reads {
  /** All that is known of a job; undefined where there is none. */
  get(id: string): Promise<JobRecord | undefined>;
  /** Newest first. `after` is a `next` of this list; a page starts behind it, whatever was removed meanwhile. */
  list(query: JobQuery & { readonly limit: number }): Promise<JobPage>;
  /** Counts; of each name of which there is a job, or that is paused. */
  stats(): Promise<JobStats>;
  /** Of these jobs, those that have ended or do not exist: the ones that a `result()` waits for. */
  ended(ids: readonly string[]): Promise<readonly Ended[]>;
}

/** A job to be stored. */
export interface NewJob {
  readonly name: string;
  /** JSON. */
  readonly input: string;
  readonly key?: string;
  /** @default "join" */
  readonly onConflict?: "join" | "replace" | "reject";
  readonly priority: number;
  /** Absent: at once. */
  readonly runAt?: number;
  readonly expiresAt?: number;
  readonly concurrencyKey?: string;
  /** How many jobs of this name with this `concurrencyKey` may run at once. The newest one to be stored decides. */
  readonly concurrencyPerKey?: number;
  readonly maxLapses: number;
  /** How long it is kept after its end, in ms; Infinity: for ever. */
  readonly keep: Keep;
  readonly schedule?: StoredSchedule;
}

/** For how long ended jobs are kept, in ms. */
export interface Keep {
  readonly succeeded: number;
  /** Those that failed or were cancelled. */
  readonly failed: number;
}

/** The schedule of a job, carried from each occurrence to the next. */
export interface StoredSchedule {
  readonly name: string;
  readonly expression: string;
  readonly timeZone?: string;
}

/** What became of a job that was to be stored. `isNew` is false where its key was taken and it joined another. */
export interface Enqueued {
  readonly id: string;
  readonly isNew: boolean;
}

/** What a worker has room for. */
export interface ClaimRequest {
  /** How many at most, of all names. */
  readonly limit: number;
  readonly names: readonly ClaimName[];
}

/** What it has room for of one name. */
export interface ClaimName {
  readonly name: string;
  readonly limit: number;
  /** Over all workers: at most so many claims within any window. `per` in ms. */
  readonly rate?: { readonly count: number; readonly per: number };
}

/** What was claimed. */
export interface ClaimAnswer {
  readonly jobs: readonly ClaimedJob[];
  /**
   * In how many ms time alone may make something claimable: a delay, a rate, the end of a lease. Absent where
   * nothing is known, or where the engine calls `wake("jobs")` by itself then.
   */
  readonly nextIn?: number;
}

/** By what a worker shows that a job is its. */
export interface Lease {
  readonly id: string;
  /** That of its claim. */
  readonly token: number;
}

/** What became of a lease. */
export type LeaseState = "held" | "cancel" | "lost";

/** A job that was claimed. */
export interface ClaimedJob extends Lease {
  readonly name: string;
  /** JSON. */
  readonly input: string;
  readonly key?: string;
  readonly priority: number;
  readonly createdAt: number;
  /** From 1. */
  readonly attempt: number;
  readonly failures: number;
  readonly steps: readonly StoredStep[];
  readonly schedule?: StoredSchedule;
  /** Somebody asked it to stop meanwhile. */
  readonly isCancelling: boolean;
}

/** A step as it is stored. */
export interface StoredStep {
  readonly name: string;
  /** JSON. */
  readonly value: string;
  /** ms since the epoch. */
  readonly at: number;
}

/** What an attempt says of itself while it runs. */
export interface Note extends Lease {
  readonly progress?: Progress;
  /** To be added; the newest 200 of a job are kept. */
  readonly log?: readonly JobLogLine[];
}

/** How an attempt ends. */
export interface Settlement extends Note {
  /**
   * `succeeded`, `failed`, `cancelled` end the job. `again` queues it after a failure, due at `runAt`; `slept` queues it
   * without one, due at `runAt`; `released` queues it as it was before the claim, at once.
   */
  readonly end: "succeeded" | "failed" | "cancelled" | "again" | "slept" | "released";
  /** JSON; of `succeeded`, where it returned something. */
  readonly result?: string;
  /** Where `cancelled` has none, the reason that `cancel` was given stays. */
  readonly error?: ErrorInfo;
  readonly runAt?: number;
  /** Where it stood when it was given up. */
  readonly awaiting?: readonly WaitingLine[];
  /** To be stored in the same moment: the next occurrence of its schedule. Joins where its key is taken by another. */
  readonly next?: NewJob;
}

/** How a job has ended, for who waits for it. Without a state: there is no such job (any more). */
export interface Ended {
  readonly id: string;
  readonly state?: "succeeded" | "failed" | "cancelled";
  /** JSON. */
  readonly result?: string;
  readonly error?: ErrorInfo;
}
