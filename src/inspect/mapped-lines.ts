import type { AwaitLine, TaskLines } from "./await-line.ts";
import { Locations } from "./locations.ts";
import { functionOf } from "./task-lines.ts";

/** Of files to go through source maps: so much is read and decoded in half a second, and in some 200 MB. */
const MAX_BYTES = 16 << 20;

/** Lines of `taskLines` in the files that people wrote, where source maps lead there. */
export function throughMaps(tasks: readonly TaskLines[], pid: number): TaskLines[] {
  const locations = new Locations(pid, true, MAX_BYTES);
  return tasks.map(({ awaiting, ...task }) => ({
    ...task,
    awaiting: awaiting.map((line) => throughMap(line, locations)),
  }));
}

function throughMap(line: AwaitLine, locations: Locations): AwaitLine {
  const one = functionOf.get(line);
  if (one === undefined) return line;
  const { file, line: row, column, generated } = locations.of(one);
  const isElsewhere = generated !== undefined && file !== undefined;
  if (!isElsewhere || row === undefined || column === undefined) return line;
  return { file, line: row, column, function: locations.nameOf(one) };
}
