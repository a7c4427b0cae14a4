import { activity } from "./activity.ts";
import { chunkOf, isYoung } from "./chunks.ts";
import { Heap } from "./heap.ts";
import type { Layout } from "./layout.ts";
import type { ProcessMemory } from "./process-memory.ts";
import { countSeen, isAlike, lookAgain, takePicture } from "./picture.ts";
import type { Picture } from "./picture.ts";
import { Pace } from "./pace.ts";
import { Sites } from "./sites.ts";

/** A process that does not keep still is searched at least twice, and so often at most. */
const MAX_ROUNDS = 4;
/** So often what a search has found is looked at again, at most. */
const MAX_LOOKS = 5;
/** Two numbers that differ by less are nearly the same. */
const NEARLY = 0.02;
/**
 * If no more than this share of what a search shows is new, it has confirmed the round before: where that was so many ms
 * ago that no throttled container keeps a process in the middle of a collection for as long.
 */
const FEW = 0.005;
const LONG = 2000;
/** So many looks in a row must show the same of a function. */
const AGREEING = 3;

/** What is known of a process's suspended functions, and how surely. */
export interface Agreed {
  readonly picture: Picture;
  /** By row of the picture: 1 for those that did not stay the same. */
  readonly changing: Uint8Array;
  /** Whether nothing at all ran while it was read. */
  readonly wasIdle: boolean;
  /** Whether a collection moved what was young while it was read: some that waits, but not for long, is not shown. */
  readonly mayMiss: boolean;
}

/**
 * Reads a process while it goes on. If nothing ran meanwhile, one picture is exact. Else what the picture shows is
 * looked at again and again, until most of it was the same several times in a row: what lives for milliseconds comes
 * and goes, and is marked as changing; what has been suspended for longer has had every word of it confirmed.
 *
 * A collection moves functions, some to where the search has been before: so all is searched once more. If that shows
 * nearly the same, it is what is taken: of what is the same every word has been confirmed once more. Else what it shows is
 * looked at again, too, and so on, until a round has met no collection: after one of the young generation all that is in
 * it is elsewhere, and during one it is nowhere. The round that has the most to say is taken, and nothing of the others,
 * for an address means something only for a time. In a hurry there is time for one look after the search: more comes out
 * as changing, nothing as sure that did not stay the same.
 */
export function readInAgreement(memory: ProcessMemory, layout: Layout, isInHurry = false): Agreed {
  const sites = new Sites();
  // oxlint-disable-next-line house/one-clock -- about another process, in whose time no test can move a clock
  const started = performance.now();
  const before = activity(memory.root);
  const first = takePicture(memory, layout, sites);
  if (isWhole(first) && before !== undefined && activity(memory.root) === before)
    return { picture: first, changing: new Uint8Array(first.index.length), wasIdle: true, mayMiss: false };
  const pace = new Pace(memory.root, !isInHurry);
  const lookAgainAt = (picture: Picture, gone: Uint8Array): Picture => {
    pace.wait();
    return lookAgain(memory, layout, sites, picture, gone);
  };
  const look = (picture: Picture): Round =>
    new Round(oldIn(new Heap(memory, layout), picture), picture, isInHurry ? 2 : AGREEING, lookAgainAt);
  let last = look(first);
  let best = last;
  for (let round = 2; !isInHurry && round <= MAX_ROUNDS; round++) {
    pace.wait();
    const picture = takePicture(memory, layout, sites, best.sureAddresses());
    const changing = best.notConfirmedBy(picture);
    // oxlint-disable-next-line house/one-clock -- as above
    const isLong = performance.now() - started >= LONG;
    if (isLong && count(changing, (is) => is === 1) <= changing.length * FEW)
      return { picture, changing, wasIdle: false, mayMiss: !best.isYoungInPlace };
    const next = look(picture);
    const isSettled = next.sure > 0 && next.isOldInPlace && !isGrown(best, next);
    const sawAll = next.isYoungInPlace && !isMore(last.found, next.found);
    if (isBetter(next, best, isSettled)) best = next;
    last = next;
    if (isSettled && (sawAll || isLong)) break;
  }
  return { picture: best.picture, changing: best.changing, wasIdle: false, mayMiss: !best.isYoungInPlace };
}

/** In the middle of a collection a process may be kept from running, too: then there is no sense in what is there. */
function isWhole({ site, torn }: Picture): boolean {
  for (let row = 0; row < site.length; row++) if (site.at(row) < 0 || torn.at(row) === 1) return false;
  return true;
}

/**
 * Whether to take a later round rather than the one before. It also knows what that one has found; but a collection may
 * have come, and then what waits but has not waited for long is missing there.
 */
function isBetter(now: Round, before: Round, isSettled: boolean): boolean {
  const least = isSettled ? 1 - NEARLY : 1;
  if (now.sureOld < before.sureOld * least) return false;
  return isMore(before.sureOld, now.sureOld) || now.sure >= before.sure * least;
}

const isMore = (one: number, other: number): boolean => other > one * (1 + NEARLY);

/** Whether a later round has found more that stays: then the one before has missed something. */
function isGrown(before: Round, now: Round): boolean {
  return isMore(before.sureOld, now.sureOld) || (!now.isYoungInPlace && isMore(before.sure, now.sure));
}

/** What looking several times at the functions of one search came to. */
class Round {
  readonly picture: Picture;
  /** How many functions the search has met. */
  readonly found: number;
  /** By row: 1 for those that were not the same several times in a row. */
  readonly changing: Uint8Array;
  /** How many are sure. */
  readonly sure: number;
  /** How many of these are in the old generation: what lives for milliseconds does not get there. */
  readonly sureOld: number;
  /** Whether nearly nothing was moved away meanwhile, of the old generation and of the young one. */
  readonly isOldInPlace: boolean;
  readonly isYoungInPlace: boolean;

  /** Looks until nearly all that is still there has stayed the same. */
  constructor(
    isOld: Uint8Array,
    first: Picture,
    agreeing: number,
    look: (picture: Picture, gone: Uint8Array) => Picture,
  ) {
    const gone = new Uint8Array(first.index.length);
    let last = first;
    let times = new Uint8Array(first.index.length);
    let best = { picture: first, changing: times.map(() => 1), sure: -1 };
    for (let looks = 1; looks <= MAX_LOOKS; looks++) {
      const next = look(first, gone);
      times = confirm(last, times, next);
      last = next;
      if (looks < agreeing - 1) continue;
      const changing = changingIn(next, times, agreeing - 1);
      const sure = count(changing, (is) => is === 0);
      if (sure >= best.sure) best = { picture: next, changing, sure };
      if (agreeing < AGREEING || sure >= next.index.length * (1 - NEARLY)) break;
    }
    const { picture, changing } = best;
    this.picture = picture;
    this.found = countSeen(first);
    this.changing = changing;
    this.sure = Math.max(0, best.sure);
    this.sureOld = count(changing, (is, row) => {
      const before = is === 0 ? first.index.find(picture.index.addressOf(row)) : -1;
      return before >= 0 && isOld[before] === 1;
    });
    const old = count(isOld, (is) => is === 1);
    const goneOld = count(gone, (is, row) => is === 1 && isOld[row] === 1);
    const goneYoung = count(gone, (is) => is === 1) - goneOld;
    this.isOldInPlace = goneOld <= old * NEARLY;
    this.isYoungInPlace = goneYoung <= (isOld.length - old) * NEARLY;
  }

  /** By row of a later picture: 1 for what is not sure here, or is shown otherwise there. */
  notConfirmedBy(later: Picture): Uint8Array {
    const found = new Uint8Array(later.index.length);
    for (let row = 0; row < found.length; row++) {
      const own = this.picture.index.find(later.index.addressOf(row));
      const isSame =
        own >= 0 &&
        this.changing[own] === 0 &&
        later.site.at(row) >= 0 &&
        isAlike(this.picture, own, later, row) &&
        !hasTornAwaiter(later, row);
      if (!isSame) found[row] = 1;
    }
    return found;
  }

  *sureAddresses(): Generator<number> {
    for (let row = 0; row < this.changing.length; row++)
      if (this.changing[row] === 0) yield this.picture.index.addressOf(row);
  }
}

/** By row: 1 for what is not in the young generation, whose collections move what they meet. */
function oldIn(heap: Heap, { index }: Picture): Uint8Array {
  const isOld = new Uint8Array(index.length);
  for (let row = 0; row < isOld.length; row++)
    isOld[row] = isYoung(heap, chunkOf(index.addressOf(row))) ? 0 : 1;
  return isOld;
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

/** All that was not the same often enough; and that of which somebody who awaits it does not hold together. */
function changingIn(picture: Picture, times: Uint8Array, least: number): Uint8Array<ArrayBuffer> {
  const changing = new Uint8Array(times.length);
  for (let row = 0; row < changing.length; row++)
    if ((times[row] as number) < least || hasTornAwaiter(picture, row)) changing[row] = 1;
  return changing;
}

/** Whether one that awaits a function did not hold together: it is not known then who that is. */
function hasTornAwaiter({ site, starts, awaiters }: Picture, row: number): boolean {
  for (let at = starts.at(row); at < starts.at(row + 1); at++) if (site.at(awaiters.at(at)) < 0) return true;
  return false;
}

function count(of: Uint8Array, isCounted: (value: number, index: number) => boolean): number {
  let found = 0;
  for (let index = 0; index < of.length; index++) if (isCounted(of[index] as number, index)) found++;
  return found;
}
