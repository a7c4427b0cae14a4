import { writeSync } from "node:fs";
import { isatty } from "node:tty";
import type { ErrorInfo } from "../core/errors.ts";
import type { Scope } from "../core/types.ts";
import type { Limits } from "./ending.ts";
import type { EndCause, ProcessReport, StubbornTask, UncaughtReport } from "./report.ts";

const STDERR = 2;

/** Whether a person reads along. */
export function isTerminal(): boolean {
  return isatty(STDERR);
}

/** How often, and how long each time, a full pipe is waited for before the rest is given up. */
const MAX_WAITS = 20;
const WAIT_MS = 10;

/** Writes a line to stderr, now: what comes next may be the end of the process. Never throws. */
export function say(line: string): void {
  let rest = Buffer.from(`${line}\n`);
  for (let waits = 0; rest.length > 0 && waits < MAX_WAITS;) {
    try {
      rest = rest.subarray(writeSync(STDERR, rest));
    } catch (error) {
      // Closed, or its reader has gone: there is nobody left to tell.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS);
      waits++;
    }
  }
}

/** As one line of JSON. Attributes are the user's: where they do not go into JSON, the rest still does. */
export function toJson(report: ProcessReport | UncaughtReport): string {
  try {
    return JSON.stringify(report);
  } catch {
    return JSON.stringify(report, (name, value: unknown) => (name === "attributes" ? "[not JSON]" : value));
  }
}

const CAUSES: Readonly<Record<EndCause, string>> = {
  signal: "signal",
  requested: "asked to close",
  body: "the body failed",
  escalation: "a service could not be kept running",
  failure: "a task failed",
  uncaught: "uncaught error",
  finished: "nothing left to do",
};

/** How many lines of a list a person is shown. */
const MAX_LINES = 20;

/** The report for a person. Errors in `shown` were printed before and are left out. */
export function toText(report: ProcessReport, shown: ReadonlySet<ErrorInfo>): string {
  const { name, cause, signal, forcedBy, reason, ms, exitCode, abandoned, blocked, errors } = report;
  const why = forcedBy !== undefined ? `${forcedBy}, again` : (signal ?? CAUSES[cause]);
  const because = reason === undefined ? "" : ` (${reason})`;
  const stubborn = abandoned.length + (report.omitted?.abandoned ?? 0);
  const counts = [
    count(report.succeeded, "succeeded"),
    count(report.failed, "failed"),
    count(report.cancelled, "cancelled"),
    count(report.lost, "lost"),
    count(stubborn, "would not stop"),
  ].filter((text) => text !== "");
  const tally = counts.length === 0 ? "" : `: ${counts.join(", ")}`;
  const lines = [`${name}: ${why}${because}: ended after ${seconds(ms)}${tally}; exit code ${exitCode}`];
  if (blocked !== undefined) {
    lines.push(`  ${blocked.task ?? "code outside of any task"} holds the event loop`);
    if (blocked.stack !== undefined) lines.push(indent(blocked.stack, 4));
  }
  for (const task of abandoned.slice(0, MAX_LINES)) lines.push(`  would not stop: ${describeTask(task)}`);
  if (stubborn > MAX_LINES) lines.push(`  … and ${stubborn - MAX_LINES} more`);
  for (const error of errors) if (!shown.has(error)) lines.push(indent(describe(error), 2));
  if (report.omitted !== undefined && report.omitted.errors > 0)
    lines.push(`  … and ${report.omitted.errors} more errors`);
  return lines.join("\n");
}

/** What a person is told when the end begins by a signal. */
export function hintOf(scope: Scope, signal: string, { notReadyFor, drain, grace }: Limits): string {
  const { live } = scope.stats();
  const left = live === 1 ? "1 task is" : `${live} tasks are`;
  const time = `up to ${seconds(notReadyFor + drain)} to finish, then ${seconds(grace)} to stop`;
  return `${scope.name}: ${signal}: ${left} live: ${time} (once more: exit at once)`;
}

/** An error that nobody caught, for a person. */
export function toUncaughtText({ name, origin, task, error }: UncaughtReport): string {
  const what = origin === "uncaughtException" ? "uncaught exception" : "unhandled rejection";
  return `${name}: ${what}${task === undefined ? "" : ` in ${task}`}\n${indent(describe(error), 2)}`;
}

/** A task that would not stop, for a person. */
function describeTask({ path, id, state, age, attempt, awaiting = [] }: StubbornTask): string {
  const again = attempt > 1 ? `, attempt ${attempt}` : "";
  const lines = awaiting.map(({ file, line, column, function: name }) => {
    const place = `${file}:${line}:${column}`;
    return `\n    awaits at ${name === "" ? place : `${name} (${place})`}`;
  });
  return `${path} (#${id}), ${state}, ${seconds(age)} old${again}${lines.join("")}`;
}

function describe(error: ErrorInfo): string {
  const own = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause === undefined ? own : `${own}\n${indent(`caused by ${describe(error.cause)}`, 2)}`;
}

function count(howMany: number, what: string): string {
  return howMany === 0 ? "" : `${howMany} ${what}`;
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Number((ms / 1000).toFixed(1))} s`;
}

function indent(text: string, by: number): string {
  return text.replaceAll(/^(?=.)/gm, " ".repeat(by));
}
