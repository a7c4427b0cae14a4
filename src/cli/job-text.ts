import type { Paint } from "../inspect/paint.ts";
import { clean, count } from "../inspect/words.ts";
import type { JobAttempt, JobRecord, JobStats, JobSummary } from "../jobs/index.ts";
import { placeText, progressText, stateText } from "./task-text.ts";
import type { Page } from "./verb.ts";
import { age, cut, table, timeOfDay } from "./words.ts";

/** A list of jobs. `more`: where the next page begins, if there is one; `now`: ms since the epoch. */
export function listLines(
  jobs: readonly JobSummary[],
  more: string | undefined,
  now: number,
  { paint, width }: Page,
): string[] {
  const columns = [
    { title: "ID", right: true },
    { title: "STATE" },
    { title: "AGE", right: true },
    { title: "JOB" },
  ];
  const rows = jobs.map((job) => [
    clean(job.id),
    waitsText(job, now),
    age(now - job.createdAt),
    [clean(job.name), particulars(job)].filter((part) => part !== "").join("  "),
  ]);
  const lines = table(columns, rows, {
    width,
    paint: (text, column, row) => (column === 1 && row >= 0 ? stateText(text, paint) : text),
  });
  return more === undefined ? lines : [...lines, `… there are more: --after ${more}`];
}

/** `queued`, or `in 3 m 12 s` where it waits for a moment. */
function waitsText({ state, runAt, isCancelling }: JobSummary, now: number): string {
  if (isCancelling && state === "running") return "cancelling";
  return state === "queued" && runAt !== undefined && runAt > now ? `in ${age(runAt - now)}` : state;
}

/** What is special about a job: `attempt 3, connect ECONNREFUSED, key a/b`; empty where nothing is. */
function particulars({ attempt, error, key, priority, progress, schedule, lapses }: JobSummary): string {
  return [
    attempt > 1 ? `attempt ${attempt}` : "",
    progress === undefined ? "" : progressText(progress),
    error === undefined ? "" : clean(error.message),
    lapses > 0 ? `lapsed ${lapses} ${lapses === 1 ? "time" : "times"}` : "",
    key === undefined ? "" : `key ${clean(key)}`,
    schedule === undefined ? "" : `schedule ${clean(schedule)}`,
    priority === 0 ? "" : `priority ${priority}`,
  ]
    .filter((part) => part !== "")
    .join(", ");
}

/** How much of a value is shown. */
const MOST = 1000;
const json = (value: unknown): string => cut(clean(JSON.stringify(value) ?? "nothing"), MOST);

/** All that is known of one job. */
export function recordLines(job: JobRecord, now: number, { paint }: Page): string[] {
  const { id, name, input, result, error, attempts, steps, log } = job;
  const { error: _, ...rest } = job;
  const about = particulars(rest);
  const moments = [
    ["enqueued", job.createdAt],
    ["due", job.runAt],
    ["expires", job.expiresAt],
    ["started", job.startedAt],
    ["ended", job.endedAt],
  ] as const;
  return [
    `${paint.name(`${clean(name)} ${clean(id)}`)} ${stateText(waitsText(job, now), paint)}${about === "" ? "" : `  ${about}`}`,
    `  input     ${json(input)}`,
    ...(result === undefined ? [] : [`  result    ${json(result)}`]),
    ...(error === undefined ? [] : [`  error     ${paint.warning(clean(error.message))}`]),
    ...moments.flatMap(([word, at]) =>
      at === undefined ? [] : [`  ${word.padEnd(9)} ${new Date(at).toISOString()}`],
    ),
    ...(job.worker === undefined ? [] : [`  worker    ${clean(job.worker)}`]),
    ...section(
      "attempts",
      attempts.flatMap((one) => attemptLines(one, paint)),
    ),
    ...section(
      "steps",
      steps.map(({ name: step, at, value }) => `${timeOfDay(at)}  ${clean(step)}  ${cut(json(value), 200)}`),
    ),
    ...section(
      "log",
      log.map(({ at, attempt, text }) => `${timeOfDay(at)}  #${attempt}  ${clean(text)}`),
    ),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`  ${title}`, ...lines.map((line) => `    ${line}`)];
}

function attemptLines(
  { attempt, worker, startedAt, endedAt, end, error, awaiting = [] }: JobAttempt,
  paint: Paint,
): string[] {
  const took = endedAt === undefined ? "" : ` after ${age(endedAt - startedAt)}`;
  const why = error === undefined ? "" : `: ${clean(error.message)}`;
  return [
    `#${attempt} ${timeOfDay(startedAt)}  ${stateText(end ?? "running", paint)}${took}${why}  ${paint.faint(clean(worker))}`,
    ...awaiting.map((one) => `  still awaiting at ${placeText(one)}`),
  ];
}

/** Counts by name. */
export function statsLines({ names, ...all }: JobStats, now: number, { paint, width }: Page): string[] {
  const number = (title: string): { title: string; right: true } => ({ title, right: true });
  const columns = [
    { title: "JOB" },
    ...["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED", "OLDEST"].map(number),
    { title: "" },
  ];
  const rows = Object.entries(names)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, one]) => [
      clean(name),
      ...[one.queued, one.running, one.succeeded, one.failed, one.cancelled].map(count),
      one.oldestReadyAt === undefined ? "-" : age(now - one.oldestReadyAt),
      one.isPaused || all.isPaused ? "paused" : "",
    ]);
  if (rows.length === 0) return ["there are no jobs"];
  return table(columns, rows, {
    width,
    paint: (text, column, row) =>
      row >= 0 && ((column === 4 && text !== "0") || column === 7) ? paint.warning(text) : text,
  });
}
