import { clean } from "../inspect/words.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long something has been so, in the two units that matter: `450 ms`, `4.2 s`, `3 m 12 s`, `2 d 4 h`. */
export function age(ms: number): string {
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < MINUTE) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (ms < HOUR) return two(ms, MINUTE, "m", SECOND, "s");
  if (ms < DAY) return two(ms, HOUR, "h", MINUTE, "m");
  return two(ms, DAY, "d", HOUR, "h");
}

function two(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)} ${largeName}${rest === 0 ? "" : ` ${rest} ${smallName}`}`;
}

/** A size of memory: `142 MB`. */
export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MB`;
}

/** The time of day, of whoever reads. */
export function timeOfDay(at: number): string {
  const date = new Date(at);
  const pad = (number: number, length = 2): string => String(number).padStart(length, "0");
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`;
}

/** No longer than so many characters. */
export function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(0, length - 1))}…`;
}

/** `url=http://… attempt=2`: what was given to a task to find it by. */
export function attributesText(attributes: Readonly<Record<string, unknown>>): string {
  return Object.entries(attributes)
    .map(
      ([name, value]) => `${clean(name)}=${clean(typeof value === "string" ? value : JSON.stringify(value))}`,
    )
    .join(" ");
}

/** A column of a table. */
export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

/**
 * Lines of a table, as wide as their content: what comes from a process is to be clean. The last column is cut where
 * the terminal ends. `paint` gets each finished cell.
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { width, paint = (text) => text }: { readonly width?: number | undefined; readonly paint?: CellPaint } = {},
): string[] {
  const all = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, at) => Math.max(...all.map((row) => (row[at] ?? "").length)));
  const last = columns.length - 1;
  const before = widths.slice(0, last).reduce((sum, one) => sum + one + GAP.length, 0);
  const room = width === undefined ? Infinity : Math.max(10, width - before);
  return all.map((row, line) =>
    columns
      .map(({ right = false }, at) => {
        const text = row[at] ?? "";
        const full = at === last ? cut(text, room) : text;
        const space = " ".repeat(Math.max(0, (at === last && !right ? 0 : (widths[at] ?? 0)) - full.length));
        const painted = paint(full, at, line - 1);
        return right ? space + painted : painted + space;
      })
      .join(GAP)
      .trimEnd(),
  );
}

/** `row` is -1 for the titles. */
export type CellPaint = (text: string, column: number, row: number) => string;

const GAP = "  ";
