import { activity } from "./activity.ts";
import type { Layout } from "./layout.ts";
import type { ProcessMemory } from "./process-memory.ts";
import { isAlike, takePicture } from "./picture.ts";
import type { Picture } from "./picture.ts";
import { Sites } from "./sites.ts";

/** No more than so many pictures are taken of a process that does not keep still. */
const MAX_PICTURES = 10;
/** Of the functions that two pictures in a row have shown alike, so many are to be confirmed. */
const NEARLY_ALL = 0.98;
/** So many pictures in a row must show the same of a function. */
const AGREEING = 3;

/** What is known of a process's suspended functions, and how surely. */
export interface Agreed {
  readonly picture: Picture;
  /** By row of the picture: 1 for those that did not stay the same. */
  readonly changing: Uint8Array;
  /** Whether nothing at all ran while it was read. */
  readonly wasIdle: boolean;
}

/**
 * Reads a process while it goes on. If nothing ran meanwhile, one picture is exact. Else pictures are taken until those
 * functions that stay are the same in several in a row: what lives for milliseconds comes and goes, and is marked as
 * changing; what has been suspended for longer has had every word of it confirmed. In a hurry two pictures are all there
 * is time for: more comes out as changing, nothing as sure that did not stay the same.
 */
export function readInAgreement(memory: ProcessMemory, layout: Layout, isInHurry = false): Agreed {
  const agreeing = isInHurry ? 2 : AGREEING;
  const sites = new Sites();
  const before = activity(memory.root);
  let last = takePicture(memory, layout, sites);
  if (before !== undefined && activity(memory.root) === before)
    return { picture: last, changing: new Uint8Array(last.index.length), wasIdle: true };
  let times = new Uint8Array(last.index.length);
  let most = 0;
  let best = { picture: last, times, stable: 0 };
  for (let pictures = 2; pictures <= MAX_PICTURES; pictures++) {
    const next = takePicture(memory, layout, sites);
    times = confirm(last, times, next);
    last = next;
    most = Math.max(most, countOver(times, 1));
    if (pictures < agreeing) continue;
    const stable = countOver(times, agreeing - 1);
    // The last one may have been taken amid a collection, which shows less than there is.
    if (stable >= best.stable) best = { picture: last, times, stable };
    // A collection may have moved some of them between two pictures: those need another three.
    if (isInHurry || (stable > 0 && stable >= most * NEARLY_ALL)) break;
  }
  return {
    picture: best.picture,
    changing: best.times.map((count) => (count < agreeing - 1 ? 1 : 0)),
    wasIdle: false,
  };
}

/** How often in a row each function has looked as it does now, after the first time: by rows of the picture `now`. */
function confirm(before: Picture, counts: Uint8Array, now: Picture): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(now.index.length);
  for (let row = 0; row < next.length; row++) {
    const old = before.index.find(now.index.addressOf(row));
    if (old >= 0 && now.site.at(row) >= 0 && isAlike(before, old, now, row))
      next[row] = (counts[old] as number) + 1;
  }
  return next;
}

function countOver(counts: Uint8Array, least: number): number {
  let count = 0;
  for (const times of counts) if (times >= least) count++;
  return count;
}
