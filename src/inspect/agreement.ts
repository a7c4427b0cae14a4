import { activity } from "./activity.ts";
import type { Layout } from "./layout.ts";
import type { ProcessMemory } from "./process-memory.ts";
import { takePicture } from "./picture.ts";
import type { Picture, Seen } from "./picture.ts";

/** No more than so many pictures are taken of a process that does not keep still. */
const MAX_PICTURES = 10;
/** Of the functions that two pictures in a row have shown alike, so many are to be confirmed. */
const NEARLY_ALL = 0.98;
/** So many pictures in a row must show the same of a function. */
const AGREEING = 3;

/** What is known of a process's suspended functions, and how surely. */
export interface Agreed {
  readonly seen: ReadonlyMap<number, Seen>;
  /** Addresses of those that did not stay the same. */
  readonly changing: ReadonlySet<number>;
  /** Whether nothing at all ran while it was read. */
  readonly wasIdle: boolean;
  /** How many candidates did not hold together in the picture. */
  readonly torn: number;
}

/**
 * Reads a process while it goes on. If nothing ran meanwhile, one picture is exact. Else pictures are taken until those
 * functions that stay are the same in several in a row: what lives for milliseconds comes and goes, and is marked as
 * changing; what has been suspended for longer has had every word of it confirmed. In a hurry two pictures are all there
 * is time for: more comes out as changing, nothing as sure that did not stay the same.
 */
export function readInAgreement(memory: ProcessMemory, layout: Layout, isInHurry = false): Agreed {
  const agreeing = isInHurry ? 2 : AGREEING;
  const before = activity(memory.root);
  let last = takePicture(memory, layout);
  if (before !== undefined && activity(memory.root) === before)
    return { ...last, changing: new Set(), wasIdle: true };
  let confirmed = new Map<number, number>();
  let most = 0;
  let pictures = 1;
  let best = { picture: last, confirmed, stable: 0 };
  while (pictures < MAX_PICTURES) {
    const next = takePicture(memory, layout);
    pictures++;
    confirmed = confirm(confirmed, last, next);
    last = next;
    most = Math.max(most, confirmed.size);
    if (pictures < agreeing) continue;
    const stable = countStable(confirmed, agreeing);
    // The last one may have been taken amid a collection, which shows less than there is.
    if (stable >= best.stable) best = { picture: last, confirmed, stable };
    // A collection may have moved some of them between two pictures: those need another three.
    if (isInHurry || (stable > 0 && stable >= most * NEARLY_ALL)) break;
  }
  const changing = new Set<number>();
  for (const address of best.picture.seen.keys()) {
    if ((best.confirmed.get(address) ?? 0) < agreeing - 1) changing.add(address);
  }
  return { ...best.picture, changing, wasIdle: false };
}

/** How often in a row each function has looked as it does now, after the first time. */
function confirm(counts: ReadonlyMap<number, number>, before: Picture, now: Picture): Map<number, number> {
  const next = new Map<number, number>();
  for (const [address, seen] of now.seen) {
    const old = before.seen.get(address);
    if (old !== undefined && isSame(old, seen)) next.set(address, (counts.get(address) ?? 0) + 1);
  }
  return next;
}

function countStable(counts: ReadonlyMap<number, number>, agreeing: number): number {
  let count = 0;
  for (const times of counts.values()) if (times >= agreeing - 1) count++;
  return count;
}

/** Whether two looks at a function have shown the same. */
export function isSame(a: Seen, b: Seen): boolean {
  return (
    a.raw.closure === b.raw.closure &&
    a.raw.continuation === b.raw.continuation &&
    a.raw.bytecodeOffset === b.raw.bytecodeOffset &&
    a.raw.promise === b.raw.promise &&
    a.raw.isAwaiting === b.raw.isAwaiting &&
    a.name === b.name &&
    a.info.script.url === b.info.script.url &&
    a.place?.line === b.place?.line &&
    a.place?.column === b.place?.column &&
    a.task?.id === b.task?.id &&
    a.awaiters.size === b.awaiters.size &&
    [...a.awaiters].every((address) => b.awaiters.has(address))
  );
}
