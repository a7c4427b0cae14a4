import { activity } from "./activity.ts";
import { chunkOf } from "./chunks.ts";
import { TO_PAGE, FROM_PAGE } from "./free-memory.ts";
import type { Layout } from "./layout.ts";
import type { ProcessMemory } from "./process-memory.ts";
import { isAlike, lookAgain, takePicture } from "./picture.ts";
import type { Picture } from "./picture.ts";
import { Sites } from "./sites.ts";

/** So often at most a process that does not keep still is searched. */
const MAX_ROUNDS = 5;
/** So often at most what a search has found is looked at again. */
const MAX_LOOKS = 5;
/** So many looks in a row must show the same of a function. */
const AGREEING = 3;
/** What is less than this share is few. */
const FEW = 0.02;

/** What is known of a process's suspended functions, and how surely. */
export interface Agreed {
  readonly picture: Picture;
  /** By row of the picture: 1 for those that did not stay the same. */
  readonly changing: Uint8Array;
  /** Whether nothing at all ran while it was read. */
  readonly wasIdle: boolean;
}

/**
 * Reads a process while it goes on. If nothing ran meanwhile, one picture is exact. Else what the picture shows is looked
 * at again, until nearly all of it was alike in several looks in a row: what lives for milliseconds comes and goes, and
 * is marked as changing; what has been suspended for longer has had every word of it confirmed. What a collection moves
 * during the search may be met nowhere, so the heap is searched again until that finds little more. In a hurry there is
 * time for one look more: more comes out as changing, nothing as sure that did not stay the same.
 */
export function readInAgreement(memory: ProcessMemory, layout: Layout, isInHurry = false): Agreed {
  const sites = new Sites();
  const before = activity(memory.root);
  const first = takePicture(memory, layout, sites);
  if (before !== undefined && activity(memory.root) === before)
    return { picture: first, changing: new Uint8Array(first.index.length), wasIdle: true };
  const looks = new Looks(memory, layout, sites, first, isInHurry ? 2 : AGREEING);
  for (let round = 1; ; round++) {
    const most = looks.best.stable;
    const isSettled = looks.confirm();
    if (isInHurry || round === MAX_ROUNDS || (isSettled && looks.best.stable <= most * (1 + FEW))) break;
    looks.searchAgain();
  }
  return { ...looks.best, wasIdle: false };
}

/** Looks that follow one another, and how often in a row each function was the same. */
class Looks {
  readonly #memory: ProcessMemory;
  readonly #layout: Layout;
  readonly #sites: Sites;
  readonly #agreeing: number;
  /** What the last search has found. */
  #found: Picture;
  #last: Picture;
  /** By row of the last look: how often in a row it was as it is now, after the first time. */
  #times: Uint8Array;
  /** The look that has shown most functions as sure. */
  best: { readonly picture: Picture; readonly changing: Uint8Array; readonly stable: number };

  constructor(memory: ProcessMemory, layout: Layout, sites: Sites, first: Picture, agreeing: number) {
    this.#memory = memory;
    this.#layout = layout;
    this.#sites = sites;
    this.#agreeing = agreeing;
    this.#found = this.#last = first;
    this.#times = new Uint8Array(first.index.length);
    this.best = { picture: first, changing: this.#times.map(() => 1), stable: 0 };
  }

  searchAgain(): void {
    const next = takePicture(this.#memory, this.#layout, this.#sites);
    this.#follow(next);
    this.#found = next;
  }

  /** Looks at what was found until nearly all of it is sure. Returns whether what is old stayed where it was. */
  confirm(): boolean {
    const found = this.#found;
    const isOld = this.#oldIn(found);
    const gone = new Uint8Array(found.index.length);
    for (let look = 1; look <= MAX_LOOKS; look++) {
      this.#follow(lookAgain(this.#memory, this.#layout, this.#sites, found, gone));
      if (look < this.#agreeing - 1) continue;
      const sure = this.#keepBest();
      if (sure >= this.#last.index.length * (1 - FEW)) break;
    }
    return count(gone, (is, row) => is === 1 && isOld[row] === 1) <= count(isOld, (is) => is === 1) * FEW;
  }

  #follow(now: Picture): void {
    const before = this.#last;
    const times = new Uint8Array(now.index.length);
    for (let row = 0; row < times.length; row++) {
      const old = before.index.find(now.index.addressOf(row));
      if (old >= 0 && now.site.at(row) >= 0 && isAlike(before, old, now, row))
        times[row] = (this.#times[old] as number) + 1;
    }
    this.#last = now;
    this.#times = times;
  }

  /** Returns how many functions are sure in the last look. */
  #keepBest(): number {
    const picture = this.#last;
    const least = this.#agreeing - 1;
    const changing = this.#times.map((times, row) => (times < least || hasTornAwaiter(picture, row) ? 1 : 0));
    const stable = count(changing, (is) => is === 0);
    // A look amid a collection shows less than there is.
    if (stable >= this.best.stable) this.best = { picture, changing, stable };
    return stable;
  }

  /** By row: 1 where a function is not in the young generation, whose collections move what they meet. */
  #oldIn({ index }: Picture): Uint8Array {
    const { chunkFlags } = this.#layout;
    const isOld = new Uint8Array(index.length);
    for (let row = 0; row < isOld.length; row++) {
      const flags = this.#memory.u32(chunkOf(index.addressOf(row)) + chunkFlags);
      isOld[row] = (flags & (FROM_PAGE | TO_PAGE)) === 0 ? 1 : 0;
    }
    return isOld;
  }
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
