import type { ErrorInfo } from "../core/index.ts";

/** What is wrong with an engine, or with what was asked of it. */
export type EngineErrorCode =
  /** The store cannot be reached or opened: no such folder, no server, no rights. */
  | "HF_ENGINE_UNAVAILABLE"
  /** The schema of the store is newer than this holdfast, or is none of its. */
  | "HF_ENGINE_SCHEMA"
  /** The store is damaged. */
  | "HF_ENGINE_CORRUPT"
  /** There is no room: the disk or the database is full. */
  | "HF_ENGINE_FULL"
  /** It may be read, and not written. */
  | "HF_ENGINE_READONLY"
  /** Others held the store for too long. */
  | "HF_ENGINE_BUSY"
  /** The connection was cut before the answer came: what was asked may be stored, or not. */
  | "HF_ENGINE_UNSURE"
  /** It was closed. */
  | "HF_ENGINE_CLOSED"
  /** It says of itself that it cannot do this. */
  | "HF_ENGINE_CANNOT"
  /** Anything else; see `cause`. */
  | "HF_ENGINE_FAILED";

/**
 * An engine could not do what was asked. Nothing of it is stored, but where the code is `HF_ENGINE_UNSURE`. `cause` is
 * what its driver threw. Asked again later it may work, but for `HF_ENGINE_SCHEMA`, `HF_ENGINE_CORRUPT`,
 * `HF_ENGINE_CANNOT` and `HF_ENGINE_CLOSED`.
 */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly code: EngineErrorCode;
  /** That of the engine. */
  readonly engine: string;
  constructor(code: EngineErrorCode, engine: string, message: string, cause?: unknown) {
    super(`${engine}: ${message}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.engine = engine;
  }
}

/** What speaks of one job, or of jobs of one name. */
abstract class JobError extends Error {
  abstract readonly code: string;
  /** That of the definition. */
  readonly job: string;
  /** Absent where it has not been stored. */
  readonly id: string | undefined;
  constructor(message: string, job: string, id: string | undefined, options?: ErrorOptions) {
    super(message, options);
    this.job = job;
    this.id = id;
  }
}

/** Thrown by `enqueue` with `onConflict: "reject"`: an unfinished job of this name has the key. Nothing was stored. */
export class JobKeyConflictError extends JobError {
  override readonly name = "JobKeyConflictError";
  readonly code = "HF_JOB_KEY_CONFLICT";
  readonly key: string;
  constructor(job: string, key: string, holder: string) {
    super(`${job} ${holder} is unfinished and has the key ${JSON.stringify(key)}`, job, holder);
    this.key = key;
  }
}

/**
 * The input is not what the definition's schema asks for, is no JSON, or is too large. Thrown by `enqueue`, and then
 * nothing was stored; where a stored input no longer fits, because the code has changed since, the job fails with this
 * without being run. Mend the input, or the schema, and `retry` the job.
 */
export class JobInputError extends JobError {
  override readonly name = "JobInputError";
  readonly code = "HF_JOB_INPUT";
  /** What is wrong where: `tenant.id: expected a string`. */
  readonly issues: readonly string[];
  constructor(job: string, id: string | undefined, issues: readonly string[], cause?: unknown) {
    super(
      `the input of ${who(job, id)} is not valid: ${issues.join("; ")}`,
      job,
      id,
      cause === undefined ? undefined : { cause },
    );
    this.issues = issues;
  }
}

/**
 * The worker no longer holds the lease: it could not renew it in time, because its event loop stood or the store was
 * out of reach. It is the reason of the attempt's cancellation, and what `step` rejects with. Let it pass: another
 * worker has the job, or will have.
 */
export class LeaseLostError extends JobError {
  override readonly name = "LeaseLostError";
  readonly code = "HF_LEASE_LOST";
  constructor(job: string, id: string) {
    super(`${who(job, id)} was taken from this worker: its lease is over`, job, id);
  }
}

/** A step was used wrongly: its name twice in one run, or a value that is no JSON. */
export class JobStepError extends JobError {
  override readonly name = "JobStepError";
  readonly code = "HF_JOB_STEP";
  readonly step: string;
  constructor(job: string, id: string, step: string, what: string, cause?: unknown) {
    super(
      `step ${JSON.stringify(step)} of ${who(job, id)} ${what}`,
      job,
      id,
      cause === undefined ? undefined : { cause },
    );
    this.step = step;
  }
}

/** What a job returned is no JSON, or too large: then it fails, and is not tried again. Return what is small and plain. */
export class JobResultError extends JobError {
  override readonly name = "JobResultError";
  readonly code = "HF_JOB_RESULT";
  constructor(job: string, id: string, what: string, cause?: unknown) {
    super(`the result of ${who(job, id)} ${what}`, job, id, cause === undefined ? undefined : { cause });
  }
}

/** Thrown by `retry` and `remove`: that is not possible in the state in which the job is. */
export class JobStateError extends JobError {
  override readonly name = "JobStateError";
  readonly code = "HF_JOB_STATE";
  constructor(job: string, id: string, what: string) {
    super(`${who(job, id)} ${what}`, job, id);
  }
}

/** Thrown by `result`: the job ended as failed. `error` is what its last attempt failed with, as plain data. */
export class JobFailedError extends JobError {
  override readonly name = "JobFailedError";
  readonly code = "HF_JOB_FAILED";
  readonly error: ErrorInfo | undefined;
  constructor(job: string, id: string, error: ErrorInfo | undefined) {
    super(`${who(job, id)} failed${error === undefined ? "" : `: ${error.message}`}`, job, id, {
      cause: error,
    });
    this.error = error;
  }
}

/** Thrown by `result`: the job was cancelled. `error` tells why, as plain data. */
export class JobCancelledError extends JobError {
  override readonly name = "JobCancelledError";
  readonly code = "HF_JOB_CANCELLED";
  readonly error: ErrorInfo | undefined;
  constructor(job: string, id: string, error: ErrorInfo | undefined) {
    super(`${who(job, id)} was cancelled${error === undefined ? "" : `: ${error.message}`}`, job, id);
    this.error = error;
  }
}

/** Thrown where an id is given that the store does not know: mistyped, or removed since. */
export class JobUnknownError extends JobError {
  override readonly name = "JobUnknownError";
  readonly code = "HF_JOB_UNKNOWN";
  constructor(id: string) {
    super(`there is no job ${JSON.stringify(id)}`, "", id);
  }
}

/** Thrown by what a queue is asked once it has begun to close. */
export class QueueClosedError extends Error {
  override readonly name = "QueueClosedError";
  readonly code = "HF_QUEUE_CLOSED";
  readonly path: string;
  constructor(path: string, what: string) {
    super(`${path} is closed: ${what} is not possible any more`);
    this.path = path;
  }
}

/** Why a job is cancelled, where somebody asks for it. */
export function cancelledInfo(reason: string): ErrorInfo {
  return { name: "JobCancelledError", code: "HF_JOB_CANCELLED", message: String(reason) };
}

/** What a job fails with that was not begun in time. For engines. */
export function expiredInfo(expiresAt: number): ErrorInfo {
  return {
    name: "JobExpiredError",
    code: "HF_JOB_EXPIRED",
    message: `no attempt began before ${new Date(expiresAt).toISOString()}`,
  };
}

/** What an attempt ends with whose lease ended before it did. For engines. */
export function lapsedInfo(worker: string): ErrorInfo {
  return {
    name: "LeaseLapsedError",
    code: "HF_LEASE_LAPSED",
    message: `${worker} did not renew its lease: it died, its event loop stood, or the store was out of its reach`,
  };
}

/** What a queued job ends with whose key was taken by a newer one, and a running one is asked to stop for. For engines. */
export function replacedInfo(key: string): ErrorInfo {
  return {
    name: "JobReplacedError",
    code: "HF_JOB_REPLACED",
    message: `a newer job took the key ${JSON.stringify(key)}`,
  };
}

function who(job: string, id: string | undefined): string {
  return id === undefined ? job : `${job} ${id}`;
}
