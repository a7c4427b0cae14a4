import { relative } from "node:path";
import type { SuspendedFunction } from "./graph.ts";
import type { Location, Locations } from "./locations.ts";

/*
 * The small words of the text: names, places, numbers. All that comes from another process passes through `clean`: a
 * name may hold what would make a terminal do things.
 */

// What moves cursors, begins escape sequences, or turns the direction of writing around.
const UNPRINTABLE = /[\p{Cc}\u200E\u200F\u2028-\u202E\u2066-\u2069]/gu;

/** Makes what cannot be printed visible: `\u001b`. */
export function clean(text: string): string {
  return text.replace(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** `100,000`. By hand: to load the locales takes longer than to read a small process. */
export function count(number: number): string {
  return String(number).replaceAll(/\B(?=(?:\d{3})+$)/g, ",");
}

/** `1 stack`, `2 stacks`. */
export function many(number: number, one: string): string {
  return `${count(number)} ${one}${number === 1 ? "" : "s"}`;
}

/** The name of a function, as it is called in the file that people wrote. */
export function nameOf(one: SuspendedFunction, locations: Locations): string {
  const name = locations.nameOf(one);
  const words = name !== "" ? clean(name) : one.isTopLevel ? "(top level)" : "(anonymous)";
  return one.isGenerator ? `${words}*` : words;
}

/** `src/app.ts:12:3`; files below the folder `from` are named from there. */
export function placeOf({ file, line, column }: Location, from: string | undefined): string {
  const name = file === undefined ? "(no file)" : clean(shortened(file, from));
  return line === undefined || column === undefined ? `${name}:?` : `${name}:${line}:${column}`;
}

function shortened(file: string, from: string | undefined): string {
  if (from === undefined || !file.startsWith("/")) return file;
  const path = relative(from, file);
  return path === "" || path.startsWith("..") ? file : path;
}

/** What is special about a function's suspension, in words; empty for a plain `await`. */
export function marksOf({ suspension, isChanging }: SuspendedFunction): string {
  const marks = [
    ...(suspension === "yield" ? ["at a yield"] : []),
    ...(suspension === "start" ? ["before its first line"] : []),
    ...(isChanging ? ["changing"] : []),
  ];
  return marks.length === 0 ? "" : ` (${marks.join(", ")})`;
}

/** Node's own code. */
export function isNodes({ script }: SuspendedFunction): boolean {
  return script.url?.startsWith("node:") === true;
}

/** A line of source, no longer than `width`: where it is cut, what is at `column` stays in it. */
export function excerpt(line: string, column: number, width: number): string {
  const trimmed = line.trimStart();
  const indent = line.length - trimmed.length;
  const text = clean(trimmed.trimEnd().replaceAll("\t", " "));
  if (text.length <= width) return text;
  const at = Math.max(0, column - 1 - indent);
  if (at < width / 2) return `${text.slice(0, width - 2)} …`;
  const from = at - Math.floor(width / 4);
  const end = from + width - 4;
  return `… ${text.slice(from, end)}${end < text.length ? " …" : ""}`;
}
