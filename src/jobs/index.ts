/**
 * `holdfast/jobs`: work that survives the process. Jobs are stored by an engine, run by workers, and kept until they
 * have ended.
 *
 * @module
 */

export { defineJob } from "./define.ts";
export type { AnyJob, Job, JobOptions, JobRun, JobTypes, Retention } from "./define.ts";
export type {
  ClaimAnswer,
  ClaimedJob,
  ClaimName,
  ClaimRequest,
  Ended,
  Engine,
  EngineCapabilities,
  EngineClock,
  EngineContext,
  Enqueued,
  JobStore,
  Keep,
  Lease,
  LeaseState,
  NewJob,
  Note,
  Reads,
  Settlement,
  StoredSchedule,
  StoredStep,
} from "./engine.ts";
export {
  EngineError,
  expiredInfo,
  JobCancelledError,
  JobFailedError,
  JobInputError,
  JobKeyConflictError,
  JobResultError,
  JobStateError,
  JobStepError,
  JobUnknownError,
  lapsedInfo,
  LeaseLostError,
  QueueClosedError,
  replacedInfo,
} from "./errors.ts";
export type { EngineErrorCode } from "./errors.ts";
export type {
  JobEndEvent,
  JobEvent,
  JobHappening,
  JobListener,
  JobRef,
  JobRetryEvent,
  JobSleepEvent,
} from "./events.ts";
export type { JobContext } from "./job-context.ts";
export type { EnqueueOptions } from "./new-job.ts";
export { openQueue } from "./open-queue.ts";
export type { EnqueueItem, InTransaction, Queue, QueueOptions, ScheduleOptions, Stored } from "./queue.ts";
export type {
  AttemptEnd,
  JobAttempt,
  JobEnd,
  JobLogLine,
  JobNameStats,
  JobPage,
  JobQuery,
  JobRecord,
  JobState,
  JobStats,
  JobStep,
  JobSummary,
} from "./record.ts";
export type {
  SchemaInput,
  SchemaOutput,
  StandardIssue,
  StandardResult,
  StandardSchema,
} from "./standard-schema.ts";
