import type { SuspendedFunction } from "./graph.ts";
import type { StackGroup } from "./groups.ts";
import { select } from "./selection.ts";
import { taskOf } from "./task-of.ts";
import type { Page } from "./text.ts";
import { clean, count, excerpt, isNodes, many, marksOf, nameOf, placeOf } from "./words.ts";

/** Of a stack that is deeper, so many frames are shown at its inner end, and some at its outer one. */
const INNER_FRAMES = 30;
const OUTER_FRAMES = 5;
/** Places stand below each other; longer names push theirs to the right. */
const MAX_NAME = 28;
const INDENT = "    ";

/** Groups of stacks, the largest first, under a heading for each thread and context where there are several. */
export function stackLines(page: Page): string[] {
  const { dump, options, limit, locations, paint } = page;
  const { groups, leftOut } = select(dump.groups, { ...options, limit }, locations);
  const lines: string[] = [];
  for (const [heading, members] of sections(groups, page)) {
    if (heading !== "") lines.push(paint.heading(heading), "");
    for (const group of members) lines.push(...groupLines(group, page), "");
  }
  if (groups.length === 0 && dump.groups.length > 0) lines.push("no stack is as it was asked for", "");
  if (leftOut.groups > 0) {
    const what = `${many(leftOut.groups, "group")} of ${many(leftOut.stacks, "stack")}`;
    lines.push(paint.faint(`not shown: ${what} (--limit 0 shows all, --filter some)`), "");
  }
  lines.pop();
  return lines;
}

/** By thread, the main thread first, and by context. */
function sections(groups: readonly StackGroup[], { contexts }: Page): Map<string, StackGroup[]> {
  const found = new Map<string, StackGroup[]>();
  for (const group of groups) {
    const heading = contexts.headingOf(group.frames);
    const members = found.get(heading);
    if (members === undefined) found.set(heading, [group]);
    else members.push(group);
  }
  return new Map(
    contexts.headings.flatMap((heading) => {
      const members = found.get(heading);
      return members === undefined ? [] : [[heading, members]];
    }),
  );
}

function groupLines({ count: size, frames }: StackGroup, page: Page): string[] {
  const { paint, hasTasks } = page;
  const task = taskOf(frames);
  const owner =
    task === undefined ? (hasTasks ? paint.warning("unowned") : "") : paint.task(clean(task.path));
  const heading = paint.heading(many(size, "stack"));
  return [owner === "" ? heading : `${heading}  ${owner}`, ...frameLines(frames, page)];
}

function frameLines(frames: readonly SuspendedFunction[], page: Page): string[] {
  const { paint, options } = page;
  const folded = nodesAtTheEnd(frames);
  const own = frames.slice(0, frames.length - folded.length);
  const shown = own.length > INNER_FRAMES + OUTER_FRAMES + 1 ? INNER_FRAMES : own.length;
  const width = Math.min(MAX_NAME, Math.max(...own.map((frame) => nameOf(frame, page.locations).length)));
  const lines: string[] = [];
  const add = (frame: SuspendedFunction, withSource: boolean): void => {
    lines.push(...frameLine(frame, width, page), ...(withSource ? sourceLine(frame, page) : []));
  };
  for (const [depth, frame] of own.slice(0, shown).entries())
    add(frame, options.source === true || depth === 0);
  if (shown < own.length) {
    lines.push(
      paint.faint(`${INDENT}… ${count(own.length - shown - OUTER_FRAMES)} more, each awaiting the one above`),
    );
    for (const frame of own.slice(-OUTER_FRAMES)) add(frame, options.source === true);
  }
  if (folded.length > 0) lines.push(paint.faint(`${INDENT}${many(folded.length, "function")} of Node's own`));
  return lines;
}

/** Node's own functions around the outermost one of the program; none where all are Node's. */
function nodesAtTheEnd(frames: readonly SuspendedFunction[]): readonly SuspendedFunction[] {
  const last = frames.findLastIndex((frame) => !isNodes(frame));
  return last < 0 ? [] : frames.slice(last + 1);
}

function frameLine(frame: SuspendedFunction, width: number, page: Page): string[] {
  const { locations, options, columns, paint } = page;
  const name = nameOf(frame, locations);
  const place = placeOf(locations.of(frame), options.from);
  const marks = marksOf(frame);
  const paintName = isNodes(frame) ? paint.faint : paint.name;
  const paintPlace = isNodes(frame) ? paint.faint : (text: string): string => text;
  const end = paintPlace(place) + paint.warning(marks);
  const padded = name.padEnd(width);
  const isShort = INDENT.length + padded.length + 2 + place.length + marks.length <= columns;
  if (isShort) return [`${INDENT}${paintName(name)}${" ".repeat(padded.length - name.length + 2)}${end}`];
  return [`${INDENT}${paintName(name)}`, `${INDENT}  ${end}`];
}

function sourceLine(frame: SuspendedFunction, { locations, columns, paint }: Page): string[] {
  const line = locations.sourceLineOf(frame);
  if (line === undefined || line.trim() === "") return [];
  const indent = `${INDENT}    `;
  return [paint.faint(`${indent}${excerpt(line, locations.of(frame).column ?? 1, columns - indent.length)}`)];
}
