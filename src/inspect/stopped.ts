import { isSame } from "./agreement.ts";
import type { Agreed } from "./agreement.ts";
import type { Keeper } from "./keeper.ts";
import { takePicture } from "./picture.ts";
import type { Picture } from "./picture.ts";
import type { Target } from "./target.ts";

/** So often a process is stopped at most, until two pictures in a row show the same of everything. */
const MAX_STOPS = 4;

/** What was read, and how long the process was stopped each time, in ms. */
export interface StoppedReading {
  readonly agreed: Agreed;
  readonly stops: readonly number[];
}

/**
 * Reads a process that is stopped while it is looked at. One stop is not enough: it may have come in the middle of a
 * collection, when half of the heap has moved. What two stops show alike is true.
 */
export async function readStopped({ memory, layout }: Target, keeper: Keeper): Promise<StoppedReading> {
  // One look without a stop: what is slow about the first one (code, files) is not to be paid for while it is stopped.
  let last = takePicture(memory, layout);
  const stops: number[] = [];
  let changing = new Set<number>();
  while (stops.length < MAX_STOPS) {
    let next: Picture;
    await keeper.stop();
    try {
      next = takePicture(memory, layout);
    } finally {
      stops.push(await keeper.resume());
    }
    if (stops.length > 1) {
      changing = differences(last, next);
      if (changing.size === 0 && last.seen.size === next.seen.size) {
        last = next;
        break;
      }
    }
    last = next;
  }
  return { agreed: { ...last, changing, wasIdle: false }, stops };
}

/** What the second picture shows otherwise than the first. */
function differences(first: Picture, second: Picture): Set<number> {
  const changing = new Set<number>();
  for (const [address, seen] of second.seen) {
    const before = first.seen.get(address);
    if (before === undefined || !isSame(before, seen)) changing.add(address);
  }
  return changing;
}
