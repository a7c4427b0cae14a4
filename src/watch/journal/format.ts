import { given } from "../../core/given.ts";
import type { Progress } from "../../core/info.ts";
import type { TaskState } from "../../core/words.ts";

/*
 * How a journal is written: lines of JSON. The first says which process it is of. Each that follows is one flush, whole:
 * a flush that was cut off is a line without its end, and what stands before it is the state of the flush before. Tasks
 * are rows without names of fields, and times in them are ages at the flush, as small numbers take few bytes.
 */

/** A task as the journal knows it. Times are ms since the epoch. */
export interface JournalTask {
  readonly id: number;
  readonly path: string;
  readonly createdAt: number;
  /** Of the latest attempt; absent where none has started. */
  readonly startedAt?: number;
  readonly attempt: number;
  readonly key?: string;
  readonly progress?: Progress;
}

/** An error that nobody caught, or a rejection that nobody handled. Times are ms since the epoch. */
export interface JournalFailure {
  readonly origin: "exception" | "rejection";
  /** Its stack, which begins with its name and message; of what is no error, what it is in words. */
  readonly text: string;
  /** How often it came, the same to the letter. */
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
}

/** By what a process is told from others, also from one that has its pid after it. */
export interface Identity {
  readonly pid: number;
  readonly host: string;
  /** The start of the machine (Linux). */
  readonly boot?: string;
  /** The namespace in which the pid is one (Linux): a container has its own. */
  readonly space?: string;
  /** When the process started, in ticks since the machine did (Linux). */
  readonly ticks?: number;
}

/** The first line of a journal. Fields are only ever added; what older readers would misread gets a new `v`. */
export interface Header extends Identity {
  readonly holdfast: "journal";
  readonly v: 1;
  /** That of the program. */
  readonly name: string;
  /** When the process began, in ms since the epoch: the times of the flushes count from here. */
  readonly startedAt: number;
  /** The version of Node. */
  readonly node: string;
}

type Age = number;
type ProgressRow = readonly [done: number, total: number | null, note: string | null, said: Age];
/** What is null, or missing at the end, is not there. */
export type TaskRow = readonly [
  id: number,
  path: number,
  created: Age,
  attempt: number,
  started?: Age | null,
  key?: string | null,
  progress?: ProgressRow | null,
];
/** All of a task that can change. */
export type ChangeRow = readonly [
  id: number,
  attempt: number,
  started?: Age | null,
  progress?: ProgressRow | null,
];

export type FailureRow = readonly [
  origin: JournalFailure["origin"],
  text: string,
  count: number,
  first: Age,
  last: Age,
];

/** A line after the first: what has happened since the one before. */
export interface Flush {
  /** When, in ms since the start of the process. */
  readonly t: number;
  /** Paths that were not used before: each has the number of how many came before it in the file. */
  readonly p?: readonly string[];
  /** Tasks that have begun. */
  readonly b?: readonly TaskRow[];
  /** What has changed of tasks that began before. */
  readonly c?: readonly ChangeRow[];
  /** Tasks that have ended, by the state in which they did. */
  readonly e?: Readonly<Partial<Record<TaskState, readonly number[]>>>;
  /** How many tasks live that had no room in the journal, where that has changed. */
  readonly u?: number;
  /** What nobody caught or handled, where it is new or came again. */
  readonly f?: readonly FailureRow[];
  /** In the last line: the process has ended in order, or with tasks that would not. */
  readonly end?: "clean" | "unclean";
  /** In the last line, where it is known: the exit code. */
  readonly x?: number;
}

/** The rest of a long text is not needed to know it again, and must not fill the journal. In UTF-16 units. */
export const MAX_PATH = 500;
export const MAX_TEXT = 200;
/** So many different failures are kept: the newest. */
export const MAX_FAILURES = 20;

export function cut(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max - 1)}…` : text;
}

export function toLine(content: Header | Flush): string {
  return `${JSON.stringify(content)}\n`;
}

/** What a row is made of: fields that are not there may also be undefined. */
export interface RowParts {
  readonly id: number;
  readonly createdAt: number;
  readonly attempt: number;
  readonly startedAt?: number | undefined;
  readonly key?: string | undefined;
  readonly progress?: Progress | undefined;
}

export function toTaskRow(task: RowParts, path: number, at: number): TaskRow {
  const { id, createdAt, attempt, startedAt, key, progress } = task;
  const row = [
    id,
    path,
    age(at, createdAt),
    attempt,
    startedAt === undefined ? null : age(at, startedAt),
    key ?? null,
    toProgressRow(progress, at),
  ];
  return trimmed(row) as unknown as TaskRow;
}

export function toChangeRow({ id, attempt, startedAt, progress }: RowParts, at: number): ChangeRow {
  const row = [id, attempt, startedAt === undefined ? null : age(at, startedAt), toProgressRow(progress, at)];
  return trimmed(row) as unknown as ChangeRow;
}

export function toFailureRow(
  { origin, text, count, firstAt, lastAt }: JournalFailure,
  at: number,
): FailureRow {
  return [origin, text, count, age(at, firstAt), age(at, lastAt)];
}

function toProgressRow(progress: Progress | undefined, at: number): ProgressRow | null {
  if (progress === undefined) return null;
  return [progress.done, progress.total ?? null, progress.note ?? null, age(at, progress.at)];
}

function age(at: number, moment: number): Age {
  return Math.round(at - moment);
}

/** Without the nulls at its end. */
function trimmed(row: unknown[]): unknown[] {
  while (row.at(-1) === null) row.pop();
  return row;
}

/** Undefined where it is no header that this version can read. */
export function toHeader(line: string): Header | undefined {
  const found = parse(line);
  if (found?.["holdfast"] !== "journal" || found["v"] !== 1) return undefined;
  const { name, pid, startedAt, node, host, boot, space, ticks } = found;
  if (!isText(name) || !isNumber(pid) || !isNumber(startedAt) || !isText(node) || !isText(host))
    return undefined;
  const own = { holdfast: "journal", v: 1, name, pid, startedAt, node, host } as const;
  return given({
    ...own,
    boot: isText(boot) ? boot : undefined,
    space: isText(space) ? space : undefined,
    ticks: isNumber(ticks) ? ticks : undefined,
  });
}

/** A flush as it was read: rows are looked at one by one. */
export type RawFlush = Readonly<Partial<Record<string, unknown>>> & { readonly t: number };

export function toFlush(line: string): RawFlush | undefined {
  const found = parse(line);
  return isNumber(found?.["t"]) ? (found as RawFlush) : undefined;
}

export function fromTaskRow(row: unknown, paths: readonly string[], at: number): JournalTask | undefined {
  if (!Array.isArray(row)) return undefined;
  const [id, number, created, attempt, started, key, said] = row as unknown[];
  const path = isNumber(number) ? paths[number] : undefined;
  if (!isNumber(id) || path === undefined || !isNumber(created) || !isNumber(attempt)) return undefined;
  return given({
    id,
    path,
    createdAt: at - created,
    attempt,
    startedAt: isNumber(started) ? at - started : undefined,
    key: isText(key) ? key : undefined,
    progress: fromProgressRow(said, at),
  });
}

/** All of the task that can change. */
export function fromChangeRow(
  row: unknown,
  at: number,
): Pick<JournalTask, "id" | "attempt" | "startedAt" | "progress"> | undefined {
  if (!Array.isArray(row)) return undefined;
  const [id, attempt, started, said] = row as unknown[];
  if (!isNumber(id) || !isNumber(attempt)) return undefined;
  return given({
    id,
    attempt,
    startedAt: isNumber(started) ? at - started : undefined,
    progress: fromProgressRow(said, at),
  });
}

export function fromFailureRow(row: unknown, at: number): JournalFailure | undefined {
  if (!Array.isArray(row)) return undefined;
  const [origin, text, count, first, last] = row as unknown[];
  if (origin !== "exception" && origin !== "rejection") return undefined;
  if (!isText(text) || !isNumber(count) || !isNumber(first) || !isNumber(last)) return undefined;
  return { origin, text, count, firstAt: at - first, lastAt: at - last };
}

function fromProgressRow(row: unknown, at: number): Progress | undefined {
  if (!Array.isArray(row)) return undefined;
  const [done, total, note, said] = row as unknown[];
  if (!isNumber(done) || !isNumber(said)) return undefined;
  return given({
    done,
    total: isNumber(total) ? total : undefined,
    note: isText(note) ? note : undefined,
    at: at - said,
  });
}

function parse(line: string): Readonly<Partial<Record<string, unknown>>> | undefined {
  try {
    const found: unknown = JSON.parse(line);
    const isRecord = typeof found === "object" && found !== null && !Array.isArray(found);
    return isRecord ? (found as Record<string, unknown>) : undefined;
  } catch {
    // Torn, or overwritten: whoever reads says so.
    return undefined;
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === "number";
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
