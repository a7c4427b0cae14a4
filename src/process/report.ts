import { now, wall } from "../core/clock.ts";
import type { ErrorInfo } from "../core/errors.ts";
import type { TaskInfo } from "../core/info.ts";
import type { TaskState } from "../core/words.ts";
import type { AwaitLine, TaskLines } from "../inspect/await-line.ts";

/**
 * Why a process ended: a signal, `requestClose` (or a close of the root from outside), a body that failed, a service
 * past its restart intensity, the first failure in a root with `onFailure: "cancel-all"`, an error nobody caught, or
 * nothing left to do.
 */
export type EndCause = "signal" | "requested" | "body" | "escalation" | "failure" | "uncaught" | "finished";

/** A task that would not stop. */
export interface StubbornTask {
  readonly path: string;
  readonly id: number;
  /** `abandoned`, or where the process could not wait for that, what it was at the end. */
  readonly state: TaskState;
  /** Since it was spawned, in ms. */
  readonly age: number;
  readonly attempt: number;
  /**
   * At which lines its functions wait: the innermost ones, at most five; of the files that people wrote, where source
   * maps lead there in time. Absent where that is not known: no `await` of its own holds it up, or the process could not
   * be read in time.
   */
  readonly awaiting?: readonly AwaitLine[];
  readonly key?: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/**
 * How a process ended: the one line of JSON that `main()` writes to stderr where that is no terminal. Fields are only
 * ever added; one that is absent says that there was no such thing.
 *
 * @example
 * // {"holdfast":"report","name":"courier","pid":17,"cause":"signal","signal":"SIGTERM","ms":812,"exitCode":0,…}
 */
export interface ProcessReport {
  readonly holdfast: "report";
  /** That of `main()`. */
  readonly name: string;
  readonly pid: number;
  readonly cause: EndCause;
  /** The first signal, where the cause is one. */
  readonly signal?: string;
  /** The second signal, which ended the process at once. */
  readonly forcedBy?: string;
  /** What `requestClose` was given, as text. */
  readonly reason?: string;
  /** From the cause to the end. */
  readonly ms: number;
  readonly exitCode: number;
  /** How many tasks ended so, from the cause on. */
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly lost: number;
  /** What would not stop; at most 100 are listed. */
  readonly abandoned: readonly StubbornTask[];
  /** The failure that was the cause, uncaught errors, failures of clean-up; at most 20 are listed. */
  readonly errors: readonly ErrorInfo[];
  /** How many uncaught errors there were, where there were any. */
  readonly uncaught?: number;
  /** What is not listed, where lists were cut. */
  readonly omitted?: { readonly abandoned: number; readonly errors: number };
  /**
   * What held the event loop when the deadline was over: the task, where it was one's own code, and the stack.
   * `native`: it was no JavaScript, so that nobody could look; `abandoned` lists what lived when the end began, and
   * nothing where the loop was blocked before. `waiting`: tasks that it does not list, with the lines at which they wait.
   */
  readonly blocked?: {
    readonly task?: string;
    readonly stack?: string;
    readonly native?: true;
    readonly waiting?: readonly TaskLines[];
  };
}

/** An error that nobody caught, as it comes: a line of its own before the report. */
export interface UncaughtReport {
  readonly holdfast: "uncaught";
  readonly name: string;
  readonly pid: number;
  readonly origin: "uncaughtException" | "unhandledRejection";
  /** The task in whose async context it was thrown. */
  readonly task?: string;
  readonly error: ErrorInfo;
}

const MAX_TASKS = 100;
const MAX_ERRORS = 20;

/** What a report is made of. */
export interface ReportParts extends Omit<
  ProcessReport,
  "holdfast" | "pid" | "abandoned" | "ms" | "omitted"
> {
  readonly abandoned: readonly TaskInfo[];
  /** At which lines tasks stand. @default none */
  readonly lines?: readonly TaskLines[];
  /** How many errors there were besides. @default 0 */
  readonly unkept?: number;
  /** When it began, on the clock of `now()`. */
  readonly startedAt: number;
}

/** Puts a report together, and cuts what would be too long. */
export function toReport(parts: ReportParts): ProcessReport {
  const { name, cause, startedAt, exitCode, abandoned, errors, unkept = 0, lines = [], ...rest } = parts;
  const omitted = {
    abandoned: Math.max(0, abandoned.length - MAX_TASKS),
    errors: Math.max(0, errors.length - MAX_ERRORS) + unkept,
  };
  return {
    holdfast: "report",
    name,
    pid: process.pid,
    cause,
    ms: Math.max(0, Math.round(now() - startedAt)),
    exitCode,
    ...rest,
    abandoned: abandoned.slice(0, MAX_TASKS).map((task) => toStubborn(task, lines)),
    errors: errors.slice(0, MAX_ERRORS),
    ...(omitted.abandoned + omitted.errors === 0 ? {} : { omitted }),
  };
}

function toStubborn(
  { path, id, state, createdAt, attempt, key, attributes }: TaskInfo,
  lines: readonly TaskLines[],
): StubbornTask {
  const found = lines.find((one) => one.id === id && one.path === path);
  return {
    path,
    id,
    state,
    age: Math.max(0, wall() - createdAt),
    attempt,
    ...(found === undefined ? {} : { awaiting: found.awaiting }),
    ...(key === undefined ? {} : { key }),
    ...(Object.keys(attributes).length === 0 ? {} : { attributes }),
  };
}
