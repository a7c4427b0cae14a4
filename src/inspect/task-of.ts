import type { SuspendedFunction } from "./graph.ts";
import type { TaskName } from "./tasks.ts";

/** The task of holdfast to which a stack belongs: that of the innermost function that has one. */
export function taskOf(frames: readonly SuspendedFunction[]): TaskName | undefined {
  return frames.find(({ task }) => task !== undefined)?.task;
}
