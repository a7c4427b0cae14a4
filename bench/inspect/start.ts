import { medians, type Timing } from "../timing.ts";
import { runNode, type Ended } from "./children.ts";
import { dumpCommand } from "./readings.ts";
import type { Target } from "./target.ts";

/** From the start of a process to its end, in ms. */
export interface Start {
  readonly dump: Timing;
  readonly bare: Timing;
  readonly rounds: number;
}

/** `holdfast dump PID` of a small process, and a Node that does nothing, in turns. */
export async function measureStart(target: Target, rounds: number): Promise<Start> {
  await target.untilQuiet();
  const dumps: Ended[] = [];
  const bares: Ended[] = [];
  for (let round = -2; round < rounds; round++) {
    const bare = await runNode(["-e", "0"]);
    const dump = await dumpCommand(target.pid);
    if (round < 0) continue;
    bares.push(bare);
    dumps.push(dump);
  }
  return { dump: medians(dumps), bare: medians(bares), rounds };
}
