import type { TaskLines } from "./await-line.ts";
import { dump } from "./dump.ts";
import { InspectError } from "./errors.ts";
import { taskLines } from "./task-lines.ts";

/** Where the tasks of this process stand: by a dump of it, taken in a thread of its own. None where that cannot be had. */
export async function readLines(): Promise<readonly TaskLines[]> {
  try {
    return taskLines((await dump()).graph);
  } catch (error) {
    // A platform or a V8 that the inspector does not know: what is said of the tasks is said without lines.
    if (error instanceof InspectError) return [];
    throw error;
  }
}
