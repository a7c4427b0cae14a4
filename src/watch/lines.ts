import type { TaskLines } from "../inspect/await-line.ts";

/** Where the tasks of this process stand: by a dump of it, taken in a thread of its own. None where that cannot be had. */
export async function readLines(): Promise<readonly TaskLines[]> {
  const { dump } = await import("../inspect/dump.ts");
  const { InspectError } = await import("../inspect/errors.ts");
  const { taskLines } = await import("../inspect/task-lines.ts");
  try {
    return taskLines((await dump()).graph);
  } catch (error) {
    // A platform or a V8 that the inspector does not know: findings are said without lines.
    if (error instanceof InspectError) return [];
    throw error;
  }
}
