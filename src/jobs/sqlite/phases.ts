import type { JobState } from "../record.ts";

/*
 * Where a job is, finer than its state. The partial indexes of the schema are made for these numbers, and statements
 * name them as literals: SQLite takes a partial index only where it can see that it fits. They begin at 2, because 0 and 1
 * take no room in a row, and a row that grows may have to move.
 */

/** Queued, and not due yet. */
export const DELAYED = 2;
/** Queued, and may be claimed. */
export const READY = 3;
/** Queued, and waits for a place of its concurrency key. */
export const HELD = 4;
/** Queued, and waits for the end of the running job that it replaces. */
export const BEHIND = 5;
export const RUNNING = 6;
export const SUCCEEDED = 7;
export const FAILED = 8;
export const CANCELLED = 9;

const ends = ["succeeded", "failed", "cancelled"] as const;

/** The state that users see. */
export function stateOf(phase: number): JobState {
  if (phase < RUNNING) return "queued";
  return endOf(phase) ?? "running";
}

/** How a job has ended; undefined where it has not. */
export function endOf(phase: number): "succeeded" | "failed" | "cancelled" | undefined {
  return ends[phase - SUCCEEDED];
}
