import { setTimeout as sleep } from "node:timers/promises";

import { median } from "../timing.ts";
import { runNode } from "./children.ts";
import { roundsOf, type Effort } from "./effort.ts";
import { readOnce } from "./readings.ts";
import type { Gap, Target } from "./target.ts";

/** The longest gaps of a target's event loop: medians of those of all rounds. */
export interface Gaps {
  readonly idle: Gap;
  readonly read: Gap;
  /** While another program computes, and does not look at it: what a busy core alone does to it. */
  readonly beside: Gap;
  readonly rounds: number;
  /** How long each of them was watched for, in ms. */
  readonly window: number;
}

const COMPUTE = "const end = performance.now() + Number(process.argv[1]); while (performance.now() < end);";

/** Watches a target's event loop while it is read, and as long while it is not, in turns. */
export async function measureGaps(target: Target, effort: Effort): Promise<Gaps> {
  const during = async (happening: () => Promise<unknown>): Promise<{ gap: Gap; ms: number }> => {
    await target.tell("watch");
    const started = performance.now();
    await happening();
    const ms = performance.now() - started;
    return { gap: await target.tell("gaps"), ms };
  };
  const read = (): Promise<unknown> => readOnce(target.pid);
  // One goes by unmeasured, and says how long the others are.
  let { ms: window } = await during(read);
  const happenings = {
    read,
    idle: () => sleep(window),
    beside: () => runNode(["-e", COMPUTE, String(window)]),
  };
  const names = ["read", "idle", "beside"] as const;
  const gaps = { read: [] as Gap[], idle: [] as Gap[], beside: [] as Gap[] };
  const windows: number[] = [];
  const rounds = roundsOf(window * names.length, effort);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(round + i) % names.length] ?? "read";
      const { gap, ms } = await during(happenings[name]);
      gaps[name].push(gap);
      if (name === "read") windows.push((window = ms));
    }
  }
  return {
    idle: usual(gaps.idle),
    read: usual(gaps.read),
    beside: usual(gaps.beside),
    rounds,
    window: median(windows),
  };
}

function usual(gaps: readonly Gap[]): Gap {
  return {
    longest: median(gaps.map(({ longest }) => longest)),
    longestOwn: median(gaps.map(({ longestOwn }) => longestOwn)),
  };
}
