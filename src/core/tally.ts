import { ABANDONED, CANCELLED, FAILED, LOST, SUCCEEDED } from "./task-node.ts";
import type { ScopeStats } from "./info.ts";

/** How many tasks have come to which end, by terminal state; below these, how many were spawned, and were late. */
export type Tally = number[];
export const SPAWNED = 0;
export const LATE = 1;

export const newTally = (): Tally => [0, 0, 0, 0, 0, 0, 0, 0, 0];

export function addTally(to: Tally, more: Tally): void {
  for (const [index, count] of more.entries()) (to[index] as number) += count;
}

type Ends = Pick<ScopeStats, "succeeded" | "failed" | "cancelled" | "lost" | "abandoned">;

/** The ends, by their names. */
export function endsOf(counts: ArrayLike<number>): Ends {
  return {
    succeeded: counts[SUCCEEDED] as number,
    failed: counts[FAILED] as number,
    cancelled: counts[CANCELLED] as number,
    lost: counts[LOST] as number,
    abandoned: counts[ABANDONED] as number,
  };
}

/** All of it, by its names. */
export function countsOf(tally: Tally): Ends & Pick<ScopeStats, "spawned" | "late"> {
  return { spawned: tally[SPAWNED] as number, ...endsOf(tally), late: tally[LATE] as number };
}
