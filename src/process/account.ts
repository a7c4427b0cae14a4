import { now } from "../core/clock.ts";
import { currentTask } from "../core/ambient.ts";
import { describeError } from "../core/errors.ts";
import type { ErrorInfo } from "../core/errors.ts";
import type { ScopeStats, TaskInfo } from "../core/info.ts";
import type { Scope } from "../core/types.ts";
import type { TaskLines } from "../inspect/await-line.ts";
import { toReport } from "./report.ts";
import type { EndCause, ProcessReport, UncaughtReport } from "./report.ts";
import { isTerminal, say, toJson, toText, toUncaughtText } from "./words.ts";

/** How many uncaught errors are written as they come; the rest is counted. A storm must not drown what matters. */
const MAX_WRITTEN = 10;
/** How many errors, and how many tasks, are kept for the report, which lists fewer and says how many it left out. */
const MAX_KEPT = 1000;

/** What is known of the end of a process: its cause, what went wrong, and from when its tasks are counted. */
export class Account {
  readonly name: string;
  readonly #scope: Scope;
  readonly #errors: ErrorInfo[] = [];
  /** Those that a person has seen. */
  readonly #shown: Set<ErrorInfo> = new Set<ErrorInfo>();
  #uncaught = 0;
  /** Errors that came when enough were kept. */
  #unkept = 0;
  #cause: EndCause = "finished";
  #signal: string | undefined;
  #reason: string | undefined;
  #base: ScopeStats | undefined;
  /** On the clock of `now()`. */
  startedAt: number = now();
  /** Whether the exit code says so. */
  isFailed = false;

  constructor(name: string, scope: Scope) {
    this.name = name;
    this.#scope = scope;
  }

  get cause(): EndCause {
    return this.#cause;
  }

  /** The end begins; a signal may have waited for that, `late` ms. */
  begin(cause: EndCause, signal: string | undefined, reason: unknown, late: number): void {
    this.#cause = cause;
    this.#signal = signal;
    // Elsewhere the reason is a failure, which the errors list.
    this.#reason = reason === undefined || cause !== "requested" ? undefined : describeError(reason).message;
    this.#base = this.#scope.stats();
    this.startedAt = now() - late;
  }

  /** A failure that is the end's cause, or came with it. */
  addFailure(error: unknown): void {
    this.isFailed = true;
    this.#keep(describeError(error));
  }

  /** An error that nobody caught: written at once, as the process may not come to a report. */
  addUncaught(error: unknown, origin: UncaughtReport["origin"]): void {
    this.isFailed = true;
    this.#uncaught++;
    if (this.#uncaught > MAX_WRITTEN) {
      if (this.#errors.length < MAX_KEPT) this.#keep(describeError(error));
      else this.#unkept++;
      return;
    }
    const info = describeError(error);
    this.#keep(info);
    this.#shown.add(info);
    const task = currentTask()?.path;
    const own: UncaughtReport = {
      holdfast: "uncaught",
      name: this.name,
      pid: process.pid,
      origin,
      ...(task === undefined ? {} : { task }),
      error: info,
    };
    say(isTerminal() ? toUncaughtText(own) : toJson(own));
  }

  #keep(info: ErrorInfo): void {
    if (this.#errors.length < MAX_KEPT) this.#errors.push(info);
    else this.#unkept++;
  }

  /** An error may come by two ways: as the cause of the end, and in the report of the close. */
  #isKnown({ message, stack }: ErrorInfo): boolean {
    return this.#errors.some((own) => own.message === message && own.stack === stack);
  }

  /** The tasks that live, parents before children; at most 1,000. */
  live(): TaskInfo[] {
    const live: TaskInfo[] = [];
    for (const task of this.#scope.tasks()) {
      if (task.endedAt !== undefined || live.length === MAX_KEPT) break;
      live.push(task);
    }
    return live;
  }

  report(
    exitCode: number,
    abandoned: readonly TaskInfo[],
    more: Pick<ProcessReport, "forcedBy" | "blocked"> & {
      readonly errors?: readonly ErrorInfo[];
      readonly lines?: readonly TaskLines[];
    } = {},
  ): ProcessReport {
    const end = this.#scope.stats();
    const base = this.#base ?? end;
    const { errors = [], ...rest } = more;
    return toReport({
      name: this.name,
      cause: this.#cause,
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
      ...(this.#reason === undefined ? {} : { reason: this.#reason }),
      startedAt: this.startedAt,
      exitCode,
      succeeded: end.succeeded - base.succeeded,
      failed: end.failed - base.failed,
      cancelled: end.cancelled - base.cancelled,
      lost: end.lost - base.lost,
      abandoned,
      unkept: this.#unkept,
      errors: [...this.#errors, ...errors.filter((error) => !this.#isKnown(error))],
      ...(this.#uncaught === 0 ? {} : { uncaught: this.#uncaught }),
      ...rest,
    });
  }

  /** Writes the report: for a person on a terminal, as a line of JSON elsewhere. */
  write(report: ProcessReport): void {
    say(this.toWords(report));
  }

  toWords(report: ProcessReport): string {
    return isTerminal() ? toText(report, this.#shown) : toJson(report);
  }
}
