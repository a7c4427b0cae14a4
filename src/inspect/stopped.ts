import type { Agreed } from "./agreement.ts";
import type { Keeper } from "./keeper.ts";
import { countSeen, isAlike, takePicture } from "./picture.ts";
import type { Picture } from "./picture.ts";
import { Sites } from "./sites.ts";
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
  const sites = new Sites();
  // One look without a stop: what is slow about the first one (code, files) is not to be paid for while it is stopped.
  let last = takePicture(memory, layout, sites);
  const stops: number[] = [];
  let changing = new Uint8Array(last.index.length);
  while (stops.length < MAX_STOPS) {
    let next: Picture;
    await keeper.stop();
    try {
      next = takePicture(memory, layout, sites);
    } finally {
      stops.push(await keeper.resume());
    }
    changing = differences(last, next);
    const isSame = !changing.includes(1) && countSeen(last) === countSeen(next);
    last = next;
    if (stops.length > 1 && isSame) break;
  }
  return { agreed: { picture: last, changing, wasIdle: false, mayMiss: false }, stops };
}

/** What the second picture shows otherwise than the first: 1 in its row. */
function differences(first: Picture, second: Picture): Uint8Array<ArrayBuffer> {
  const changing = new Uint8Array(second.index.length);
  for (let row = 0; row < changing.length; row++) {
    if (second.site.at(row) < 0) continue;
    const before = first.index.find(second.index.addressOf(row));
    if (before < 0 || !isAlike(first, before, second, row)) changing[row] = 1;
  }
  return changing;
}
