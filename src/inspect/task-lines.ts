import { fileURLToPath } from "node:url";
import type { AwaitLine, TaskLines } from "./await-line.ts";
import type { AwaitGraph, SuspendedFunction } from "./graph.ts";

/** Several, where a task does several things at once. */
const MAX_LINES = 5;

/** Of which function a line tells: who has it can look it up in a source map. */
export const functionOf: WeakMap<AwaitLine, SuspendedFunction> = new WeakMap<AwaitLine, SuspendedFunction>();

/** The lines at which each task stands, as far as its functions have lines; without those of Node's own code. */
export function taskLines({ functions }: AwaitGraph): TaskLines[] {
  const outer = new Set<SuspendedFunction>();
  for (const one of functions) if (isListed(one)) markOuter(one, outer);
  const tasks = new Map<string, { id: number; path: string; awaiting: AwaitLine[] }>();
  for (const one of functions) {
    const { task, place, script, name } = one;
    if (task === undefined || place === undefined || !isListed(one) || outer.has(one)) continue;
    const key = `${task.id} ${task.path}`;
    const own = tasks.get(key) ?? { ...task, awaiting: [] };
    tasks.set(key, own);
    const line: AwaitLine = { file: fileOf(script.url), ...place, function: name };
    if (own.awaiting.length < MAX_LINES && !own.awaiting.some((other) => isSame(other, line))) {
      own.awaiting.push(line);
      functionOf.set(line, one);
    }
  }
  return [...tasks.values()];
}

/** Whether some of the lines are of scripts that have source maps. */
export function haveMaps(tasks: readonly TaskLines[]): boolean {
  return tasks.some(({ awaiting }) =>
    awaiting.some((line) => functionOf.get(line)?.script.sourceMapUrl !== undefined),
  );
}

/** Node's own functions are on the way to a line of the user's, never the line; where one may be wrong, there is none. */
function isListed({ script, suspension, isChanging }: SuspendedFunction): boolean {
  return suspension === "await" && !isChanging && script.url?.startsWith("node:") !== true;
}

/** Those of the same task that await this one, also through Node's own functions. */
function markOuter(one: SuspendedFunction, outer: Set<SuspendedFunction>): void {
  const open = [...one.awaitedBy];
  const seen = new Set<SuspendedFunction>([one]);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    if (!isListed(next)) open.push(...next.awaitedBy);
    else if (next.task?.id === one.task?.id) outer.add(next);
  }
}

function fileOf(url: string | undefined): string {
  return url?.startsWith("file:") === true ? fileURLToPath(url) : (url ?? "code without a file");
}

function isSame(a: AwaitLine, b: AwaitLine): boolean {
  return a.file === b.file && a.line === b.line && a.column === b.column && a.function === b.function;
}
