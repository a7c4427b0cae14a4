import { setTimeout as timer } from "node:timers/promises";

/** Resolves when all timers of `untilFired.after` ms that were set before it have fired. */
export async function untilFired() {
  await timer(untilFired.after);
}

/** Longer than it takes to make and to measure 100,000 of them, and short enough to wait for. */
untilFired.after = 6_000;
