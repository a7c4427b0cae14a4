import { badOption, toCount, toFunction, toMs, toName, toObject } from "../core/duration.ts";
import { given } from "../core/given.ts";
import type { Backoff, Duration, RetryPolicy, SpawnOptions } from "../core/index.ts";
import { toRetry } from "../core/restart.ts";
import type { Retry } from "../core/restart.ts";
import type { Keep } from "./engine.ts";
import type { JobContext } from "./job-context.ts";
import type { SchemaInput, SchemaOutput, StandardSchema } from "./standard-schema.ts";

/** What a job runs. What it returns is stored, as JSON. */
export type JobRun<Input, Result> = (input: Input, job: JobContext) => Result | PromiseLike<Result>;

/** What is decided about all jobs of one name. */
export interface JobOptions<Input, Result> {
  /**
   * When a failed attempt is tried again; `when` is asked with what it threw. Attempts whose worker died do not count.
   * @default { attempts: 5, min: "1s", max: "1h" }
   */
  readonly retry?: RetryPolicy;
  /** For each attempt, from its start; then it is told to stop, and counts as failed. @default none */
  readonly timeout?: Duration;
  /** How long after that, or after a cancel, an attempt may take to stop. @default the scope's, else "5s" */
  readonly grace?: Duration;
  /** An attempt does not begin later than this after `enqueue`: then the job fails. @default never */
  readonly expires?: Duration;
  /** Higher runs earlier. @default 0 */
  readonly priority?: number;
  /** How many of this name one worker runs at once. @default the queue's */
  readonly concurrency?: number;
  /**
   * What is bounded together over all workers: one tenant, one endpoint. Called with the input at `enqueue`; undefined:
   * this one is not bounded.
   */
  readonly concurrencyKey?: (input: Input) => string | undefined;
  /** How many jobs with the same `concurrencyKey` run at once, over all workers. @default 1 */
  readonly concurrencyPerKey?: number;
  /** At most so many attempts begin within any window of `per`, over all workers. @default no bound */
  readonly rate?: { readonly count: number; readonly per: Duration };
  /**
   * How often its lease may lapse (its worker died, or stood still) before it counts as what kills workers, and fails.
   * @default 10
   */
  readonly lapses?: number;
  /** How long ended jobs are kept. @default { succeeded: "1d", failed: "30d" } */
  readonly retention?: Retention;
  /** Called for each attempt. */
  readonly run: JobRun<Input, Result>;
}

/** How long ended jobs are kept; `"forever"` until somebody removes them. */
export interface Retention {
  /** @default "1d" */
  readonly succeeded?: Duration | "forever";
  /** Those that failed or were cancelled: long enough for somebody to look at them. @default "30d" */
  readonly failed?: Duration | "forever";
}

/** A kind of job: what `enqueue` takes, and what workers run. Made by `defineJob`. */
export interface Job<Input = unknown, Result = unknown> {
  readonly name: string;
  /** Never there at run time: what the compiler knows the types from. */
  readonly types?: JobTypes<Input, Result>;
}

/** From what the compiler knows what a kind of job takes and returns. */
export interface JobTypes<Input, Result> {
  /** As an argument, so that a job that takes more is one that takes less. */
  readonly input: (input: Input) => void;
  readonly result: Result;
}

/** Any kind of job. */
export type AnyJob = Job<never>;

/** A definition with its defaults in place; durations in ms. */
export interface JobSettings {
  readonly name: string;
  readonly schema: StandardSchema | undefined;
  readonly run: JobRun<unknown, unknown>;
  readonly retry: Retry;
  /** What the task of each attempt is spawned with, besides its attributes. */
  readonly task: Pick<SpawnOptions, "timeout" | "grace">;
  readonly expires: number | undefined;
  readonly priority: number;
  readonly concurrency: number;
  readonly concurrencyKey: ((input: unknown) => string | undefined) | undefined;
  readonly concurrencyPerKey: number;
  readonly rate: { readonly count: number; readonly per: number } | undefined;
  readonly maxLapses: number;
  readonly keep: Keep;
}

/**
 * Defines a kind of job. The name is what is stored: it must not change while jobs of it wait. With `input`, a schema of
 * any library that implements Standard Schema, inputs are checked when they are enqueued, and again when they run.
 *
 * Throws `RangeError` with `code: "HF_BAD_OPTION"` for an option that cannot be.
 *
 * @example
 * const deliver = defineJob("deliver", {
 *   retry: { attempts: 8 },
 *   timeout: "30s",
 *   run: async (input: { url: string; body: string }, job) => {
 *     const receipt = await job.step("post", () => post(input, job.signal));
 *     await job.step("note", () => note(receipt));
 *   },
 * });
 */
export function defineJob<S extends StandardSchema, Result>(
  name: string,
  options: JobOptions<SchemaOutput<S>, Result> & { readonly input: S },
): Job<SchemaInput<S>, Awaited<Result>>;
export function defineJob<Input, Result>(
  name: string,
  options: JobOptions<Input, Result> & { readonly input?: undefined },
): Job<Input, Awaited<Result>>;
export function defineJob(
  name: string,
  options: JobOptions<never, unknown> & { readonly input?: StandardSchema | undefined },
): Job {
  return new Definition(toSettings(toName(name, "name"), toObject(options, "options")));
}

class Definition implements Job {
  readonly name: string;
  readonly #settings: JobSettings;
  constructor(settings: JobSettings) {
    this.name = settings.name;
    this.#settings = settings;
  }
  static settingsOf(job: AnyJob): JobSettings {
    if (job instanceof Definition) return job.#settings;
    throw badOption("job", job, "what defineJob() of this copy of holdfast returned");
  }
}

/** What is decided about jobs of this kind. Throws `RangeError` for what `defineJob` did not make. */
export const settingsOf: (job: AnyJob) => JobSettings = Definition.settingsOf;

/** How long back-offs of jobs last where nothing else is said: longer than in memory, for there is no hurry. */
const BACKOFF: Backoff = { min: "1s", max: "1h" };
const DEFAULT_ATTEMPTS = 5;
const DEFAULT_LAPSES = 10;

function toSettings(
  name: string,
  options: JobOptions<never, unknown> & { readonly input?: StandardSchema | undefined },
): JobSettings {
  const { input, run, timeout, grace, expires, priority, concurrencyKey, rate } = options;
  if (input !== undefined && typeof input["~standard"]?.validate !== "function")
    throw badOption("input", input, "a schema that implements Standard Schema");
  for (const [option, value] of Object.entries({ timeout, grace }))
    if (value !== undefined) toMs(value, option);
  if (concurrencyKey !== undefined) toFunction(concurrencyKey, "concurrencyKey");
  return {
    name,
    schema: input,
    run: toFunction(run, "run") as JobRun<unknown, unknown>,
    retry: toRetry({ ...BACKOFF, attempts: DEFAULT_ATTEMPTS, ...options.retry }),
    task: given({ timeout, grace }),
    expires: expires === undefined ? undefined : toMs(expires, "expires"),
    priority: priority === undefined ? 0 : toPriority(priority),
    concurrency: toBound(options.concurrency, "concurrency"),
    concurrencyKey: concurrencyKey as JobSettings["concurrencyKey"],
    concurrencyPerKey: toCount(options.concurrencyPerKey ?? 1, "concurrencyPerKey", 1),
    rate: rate && { count: toCount(rate.count, "rate.count", 1), per: toMs(rate.per, "rate.per") },
    maxLapses: toCount(options.lapses ?? DEFAULT_LAPSES, "lapses", 0),
    keep: {
      succeeded: toKeep(options.retention?.succeeded ?? "1d", "retention.succeeded"),
      failed: toKeep(options.retention?.failed ?? "30d", "retention.failed"),
    },
  };
}

/** The range that every engine stores. */
const MAX_PRIORITY = 1_000_000;

/** A priority, checked. */
export function toPriority(value: number): number {
  if (Number.isInteger(value) && Math.abs(value) <= MAX_PRIORITY) return value;
  throw badOption("priority", value, `a whole number from -${MAX_PRIORITY} to ${MAX_PRIORITY}`);
}

/** A bound of at least one; none where there is none. */
function toBound(value: number | undefined, option: string): number {
  return value === undefined || value === Infinity ? Infinity : toCount(value, option, 1);
}

function toKeep(value: Duration | "forever", option: string): number {
  return value === "forever" ? Infinity : toMs(value, option);
}
