import type { Heap } from "./heap.ts";

/** One script of the target. */
export interface ScriptInfo {
  /** Its URL or path, or what `//# sourceURL=` calls it; undefined for code that has none, as of `eval`. */
  readonly url: string | undefined;
  /** What `//# sourceMappingURL=` says. */
  readonly sourceMapUrl: string | undefined;
  /** The text that was compiled; undefined where it cannot be read. */
  readonly source: string | undefined;
  readonly lineOffset: number;
  readonly columnOffset: number;
}

/** Fields of `Script` (src/objects/script.tq), the same in all versions of the table. */
const LINE_OFFSET = 24;
const COLUMN_OFFSET = 32;
const SOURCE_URL = 112;
const SOURCE_MAPPING_URL = 120;

export function readScript(heap: Heap, script: number): ScriptInfo {
  const { scriptName, scriptSource } = heap.layout.fields;
  const text = (offset: number): string | undefined => heap.string(heap.follow(script, offset));
  return {
    url: text(scriptName) ?? text(SOURCE_URL),
    sourceMapUrl: text(SOURCE_MAPPING_URL),
    source: text(scriptSource),
    lineOffset: heap.smi(script, LINE_OFFSET),
    columnOffset: heap.smi(script, COLUMN_OFFSET),
  };
}

/** A place in a script, counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

const lineStarts = new WeakMap<ScriptInfo, readonly number[]>();

/** Line and column of an offset in the source, as V8's stack traces print them; undefined without a source. */
export function placeIn(script: ScriptInfo, position: number): Place | undefined {
  if (script.source === undefined || position > script.source.length) return undefined;
  const starts = startsOf(script, script.source);
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((starts[middle] as number) <= position) low = middle;
    else high = middle;
  }
  return {
    line: low + 1 + script.lineOffset,
    column: position - (starts[low] as number) + 1 + (low === 0 ? script.columnOffset : 0),
  };
}

/** The offset in the source of a place that `placeIn` gave; undefined without a source. */
export function offsetOf(script: ScriptInfo, { line, column }: Place): number | undefined {
  if (script.source === undefined) return undefined;
  const row = line - 1 - script.lineOffset;
  const start = startsOf(script, script.source)[row];
  return start === undefined ? undefined : start + column - 1 - (row === 0 ? script.columnOffset : 0);
}

/** Where lines begin: after \n, \r\n, \r, and the two separators of Unicode, as in ECMAScript. */
function startsOf(script: ScriptInfo, source: string): readonly number[] {
  let starts = lineStarts.get(script);
  if (starts === undefined) {
    const found = [0];
    for (const match of source.matchAll(/\r\n|[\n\r\u2028\u2029]/g))
      found.push(match.index + match[0].length);
    lineStarts.set(script, (starts = found));
  }
  return starts;
}
