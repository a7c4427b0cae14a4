import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { medians, type Timing } from "../timing.ts";
import { roundsOf, type Effort } from "./effort.ts";
import { dumpCommand } from "./readings.ts";
import type { Target } from "./target.ts";

/** `holdfast dump PID`, beside a heap snapshot that the same process writes of itself. */
export interface Snapshot {
  /** The whole command, in ms. */
  readonly command: Timing;
  /** From when it was asked for until it was written, in ms; undefined where that took too long. */
  readonly snapshot: Timing | undefined;
  /** For how many ms of that nothing else ran in the target. */
  readonly pause: number | undefined;
}

export const SNAPSHOT_LIMIT = 180_000;

/** Afterwards the target has moved everything, or has ended: this comes last. */
export async function measureSnapshot(target: Target, effort: Effort): Promise<Snapshot> {
  await target.untilQuiet();
  const first = await dumpCommand(target.pid);
  const dumps = [];
  for (let round = roundsOf(first.wall, effort); round > 0; round--)
    dumps.push(await dumpCommand(target.pid));
  const command = medians(dumps);
  const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
  const clear = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", clear);
  try {
    const started = performance.now();
    const answer = target.tell("snapshot", { path: join(folder, "one.heapsnapshot") });
    const done = await Promise.race([answer, sleep(SNAPSHOT_LIMIT, undefined, { ref: false })]);
    if (done === undefined) return { command, snapshot: undefined, pause: undefined };
    const wall = performance.now() - started;
    return { command, snapshot: { wall, cpu: done.cpu }, pause: done.pause };
  } finally {
    await target.end();
    clear();
    process.off("exit", clear);
  }
}
