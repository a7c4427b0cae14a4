import { medians, type Timing } from "../timing.ts";
import { roundsOf, type Effort } from "./effort.ts";
import { readOnce, readPlainly, type PlainRead, type Reading } from "./readings.ts";
import type { Target } from "./target.ts";

/** A dump of a target that sleeps, beside a plain read of all its memory. Times in ms. */
export interface Idle {
  readonly dump: Timing;
  readonly plain: Timing;
  /** Of memory that was read plainly. */
  readonly bytes: number;
  /** The most memory that a reader has had. */
  readonly peak: number;
  readonly rounds: number;
  /** In so many of them the target has slept all the time. */
  readonly quiet: number;
}

/** Dumps a target and reads it plainly, in turns. */
export async function measureIdle(target: Target, effort: Effort): Promise<Idle> {
  const first = await readAsleep(target);
  const { functions } = target.size;
  if (first.functions !== functions)
    throw new Error(`a dump of ${functions} functions has shown ${first.functions}: its time means nothing`);
  const dumps: Reading[] = [];
  const plains: PlainRead[] = [];
  const rounds = roundsOf(first.wall, effort);
  for (let round = 0; round < rounds; round++) {
    plains.push(await readPlainly(target.pid));
    dumps.push(await readOnce(target.pid));
  }
  return {
    dump: medians(dumps),
    plain: medians(plains),
    bytes: plains[0]?.bytes ?? 0,
    peak: Math.max(...dumps.map(({ peak }) => peak)),
    rounds,
    quiet: dumps.filter(({ wasIdle }) => wasIdle).length,
  };
}

/** So often it is looked whether the target sleeps by now. */
const LOOKS = 10;

/** A dump in which the target has slept: where others need the cores, V8's threads in it may rest for long, and go on. */
async function readAsleep(target: Target): Promise<Reading> {
  for (let looks = 1; ; looks++) {
    await target.untilQuiet();
    const reading = await readOnce(target.pid);
    if (reading.wasIdle || looks === LOOKS) return reading;
  }
}
