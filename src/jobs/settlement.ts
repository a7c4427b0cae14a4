import { wall } from "../core/clock.ts";
import { describeError, isA } from "../core/errors.ts";
import { given } from "../core/given.ts";
import { TaskLostError, TaskTimeoutError } from "../core/index.ts";
import { taskPath } from "../core/describe.ts";
import { report } from "../core/reporter.ts";
import { pauseAfter } from "../core/restart.ts";
import { OPEN } from "../core/scope-node.ts";
import { ABANDONED, CANCELLED, LOST, stateOf, SUCCEEDED } from "../core/task-node.ts";
import type { TaskNode } from "../core/task-node.ts";
import type { Settlement } from "./engine.ts";
import { JobInputError, JobResultError } from "./errors.ts";
import { MAX_INPUT } from "./input.ts";
import type { RunningJob } from "./running-job.ts";

/** What is to be stored of an attempt that has ended. Undefined: nothing, for it is no longer this worker's. */
export function settlementOf(job: RunningJob, node: TaskNode): Settlement | undefined {
  const { why } = job;
  if (why?.kind === "lease") return undefined;
  const news = job.takeNews() ?? job.lease;
  const state = stateOf(node);
  // The end that most come to, without more objects than it needs.
  if (state === SUCCEEDED && why === undefined && node.result === undefined)
    return Object.assign(news, SUCCEEDED_WITH_NOTHING);
  if (state === SUCCEEDED && why?.kind !== "sleep") return { ...news, ...succeeded(job, node.result) };
  const error = state === LOST ? new TaskLostError(taskPath(node)) : node.result;
  if (
    state === SUCCEEDED ||
    state === CANCELLED ||
    (state === ABANDONED && !isA(causeOf(error), TaskTimeoutError))
  )
    return { ...news, ...stopped(job, node) };
  return { ...news, ...failed(job, error) };
}

const SUCCEEDED_WITH_NOTHING = { end: "succeeded" } as const;

type End = Omit<Settlement, "id" | "token">;

function succeeded(job: RunningJob, value: unknown): End {
  try {
    const result = JSON.stringify(value);
    if (result === undefined) return { end: "succeeded" };
    if (result.length > MAX_INPUT)
      return failed(
        job,
        new JobResultError(
          job.name,
          job.id,
          `has ${result.length} characters of JSON, ${MAX_INPUT} are allowed`,
        ),
      );
    return { end: "succeeded", result };
  } catch (error) {
    return failed(job, new JobResultError(job.name, job.id, "cannot be written as JSON", error));
  }
}

/** It stopped because it was told to. Who told it, if it was not the queue, was its scope's end, or somebody by hand. */
function stopped({ why }: RunningJob, node: TaskNode): End {
  if (why?.kind === "sleep") return { end: "slept", runAt: why.runAt };
  if (why?.kind === "cancel") return given({ end: "cancelled" as const, error: why.reason });
  if (node.scope.state !== OPEN) return { end: "released" };
  return { end: "cancelled", error: describeError(node.result) };
}

function failed(job: RunningJob, error: unknown): End {
  const { retry } = job.settings;
  const failures = job.claimed.failures + 1;
  const info = describeError(error);
  if (failures >= retry.attempts || isHopeless(error) || !isWorthAnother(job, error, failures))
    return { end: "failed", error: info };
  return { end: "again", error: info, runAt: wall() + pauseAfter(failures, retry) };
}

/** Another attempt would come to the same. */
function isHopeless(error: unknown): boolean {
  return isA(error, JobInputError) || isA(error, JobResultError);
}

function isWorthAnother(job: RunningJob, error: unknown, failures: number): boolean {
  try {
    return job.settings.retry.when?.(error, failures) ?? true;
  } catch (own) {
    report(`${job.name} ${job.id}: its retry.when() failed, so there is no other attempt:`, own);
    return false;
  }
}

function causeOf(error: unknown): unknown {
  return isA(error, Error) ? error.cause : undefined;
}
