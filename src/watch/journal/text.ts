import type { Progress } from "../../core/info.ts";
import type { JournalFailure, JournalTask } from "./format.ts";
import type { DeadProcess } from "./reader.ts";

/** How a dead process is told to a person. */
export interface TextOptions {
  /** How many columns a line may have; paths are never cut. @default 80 */
  readonly columns?: number | undefined;
  /** How many tasks are listed; 0 for all. @default 20 */
  readonly limit?: number | undefined;
}

const COLUMNS = 80;
const LIMIT = 20;
const INDENT = "  ";

/** A dead process for a person: several lines, without an end of the last. */
export function toText(dead: DeadProcess, { columns = COLUMNS, limit = LIMIT }: TextOptions = {}): string {
  const { name, pid, node, startedAt, lastSweepAt, running, unlisted, failures, isTorn } = dead;
  const count = running.length + unlisted;
  const lines = [
    `${name} (pid ${pid}, Node ${node}) ${toEnd(dead)}`,
    `${INDENT}started ${toDate(startedAt)}, wrote last ${toDate(lastSweepAt)}${isTorn ? " (and half a line)" : ""}`,
    ...(count === 0 && failures.length > 0
      ? []
      : [
          `${INDENT}${count === 0 ? "no task ran" : count === 1 ? "1 task ran:" : `${amount(count)} tasks ran:`}`,
        ]),
  ];
  const listed = limit === 0 ? running : running.slice(0, limit);
  for (const task of listed) lines.push(...toLines(task, lastSweepAt));
  const left = count - listed.length;
  if (left > 0) lines.push(`${INDENT.repeat(2)}… and ${amount(left)} more`);
  for (const failure of failures) lines.push(...toFailureLines(failure, lastSweepAt));
  return lines.flatMap((line) => fold(visible(line), columns)).join("\n");
}

function toEnd({ hasEnded, exitCode, running, unlisted, failures }: DeadProcess): string {
  if (!hasEnded) return "died without a word";
  if (failures.length === 0 || running.length + unlisted > 0) return "ended, but not its tasks";
  return exitCode === undefined ? "ended" : `ended with exit code ${exitCode}`;
}

/** So many lines of a stack tell where it was. */
const STACK_LINES = 8;

function toFailureLines({ origin, text, count, firstAt, lastAt }: JournalFailure, end: number): string[] {
  const what = origin === "exception" ? "nobody caught this" : "nobody handled this rejection";
  const often = count === 1 ? "" : `, ${amount(count)} times since ${span(end - firstAt)} before`;
  const stack = text.split("\n").slice(0, STACK_LINES);
  return [
    `${INDENT}${what}${often}, ${span(end - lastAt)} before:`,
    ...stack.map((line) => INDENT.repeat(2) + line),
  ];
}

/** A task: where it stood in the tree, and below it for how long and how far. */
function toLines(task: JournalTask, at: number): string[] {
  const { id, path, createdAt, startedAt, attempt, key, progress } = task;
  const parts = [
    startedAt === undefined ? `waited for ${span(at - createdAt)}` : `for ${span(at - createdAt)}`,
    ...(attempt > 1 && startedAt !== undefined ? [`attempt ${attempt} for ${span(at - startedAt)}`] : []),
    ...(key === undefined ? [] : [`key ${key}`]),
    ...(progress === undefined ? [] : [toProgress(progress, at)]),
  ];
  return [`${INDENT.repeat(2)}${path} (#${id})`, `${INDENT.repeat(4)}${parts.join(", ")}`];
}

function toProgress({ done, total, note, at }: Progress, end: number): string {
  const share = total === undefined || total <= 0 ? "" : ` of ${amount(total)}`;
  const words = note === undefined ? "" : `: ${note}`;
  return `${amount(done)}${share} done ${span(end - at)} before${words}`;
}

/** At spaces, where a line is too long; what has none is not cut. */
function fold(line: string, columns: number): string[] {
  const indent = " ".repeat(line.search(/\S|$/));
  const lines: string[] = [];
  let own = "";
  for (const word of line.trim().split(" ")) {
    if (own !== "" && indent.length + own.length + 1 + word.length > columns) {
      lines.push(indent + own);
      own = word;
    } else own = own === "" ? word : `${own} ${word}`;
  }
  return [...lines, indent + own];
}

/** Names and notes are anybody's: in a terminal they must not do more than be read. */
function visible(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are what is to be found
  return text.replaceAll(/[\u0000-\u001F\u007F-\u009F\u2028\u2029\u202A-\u202E\u2066-\u2069]/g, "\uFFFD");
}

/** In local time, to the second. */
function toDate(ms: number): string {
  const date = new Date(ms);
  const two = (part: number): string => String(part).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

const UNITS = [
  { ms: 86_400_000, name: "d" },
  { ms: 3_600_000, name: "h" },
  { ms: 60_000, name: "m" },
  { ms: 1000, name: "s" },
] as const;

/** In its two largest units: `1 m 3 s`. */
function span(ms: number): string {
  const first = UNITS.findIndex((unit) => ms >= unit.ms);
  const unit = UNITS[first];
  if (unit === undefined) return `${Math.max(0, Math.round(ms))} ms`;
  const whole = Math.floor(ms / unit.ms);
  const next = UNITS[first + 1];
  const rest = next === undefined ? 0 : Math.floor((ms % unit.ms) / next.ms);
  return `${whole} ${unit.name}${rest === 0 ? "" : ` ${rest} ${next?.name}`}`;
}

function amount(count: number): string {
  return count.toLocaleString("en-US");
}
