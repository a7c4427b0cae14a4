import type { Agreed } from "./agreement.ts";
import { InspectError } from "./errors.ts";
import type { Heap } from "./heap.ts";
import type { Isolates } from "./isolates.ts";
import { isInside } from "./functions.ts";
import { countSeen } from "./picture.ts";
import type { Picture } from "./picture.ts";
import { offsetOf } from "./scripts.ts";
import type { Site } from "./sites.ts";

/** How far before a place a `for await`, or an `await using` of the block that ends there, is looked for. */
const MAX_BEFORE = 2000;

/**
 * Looks at whether what was read can be true of a V8 as the table has it. Throws `InspectError` (`HF_LAYOUT_MISMATCH`):
 * a wrong line is worse than none.
 */
export function verify(heap: Heap, isolates: Isolates, { picture, changing }: Agreed): void {
  if (isolates.count === 0) throw mismatch("no heap of V8 was found where it should be");
  if (!isolates.hasMaps()) throw mismatch("its heap holds no maps that describe themselves");
  // Each candidate goes from the function to what its closures share, to its script and to its bytecode.
  const { length } = picture.index;
  const torn = length - countSeen(picture);
  const sure = sitesOf(picture, (row) => changing[row] === 0);
  // While a collection moves everything, many may have been torn.
  if (sure.length === 0 && torn * 2 > length)
    throw mismatch(`of ${length} suspended functions, ${torn} lead to no script or no bytecode`);
  // A collection may have moved some of the maps since: async generators have one for each closure.
  const mapless = sure.filter(({ map }) => !isMetaMap(heap, heap.word(map, 0)));
  if (mapless.length * 2 > sure.length)
    throw mismatch(`the map of ${nameOf(mapless[0]?.info.name ?? "")} is none`);
  const seen = sitesOf(picture, () => true);
  const outside = seen.filter(({ info, bytecodeOffset }) => !isInside(info, bytecodeOffset));
  if (outside.length * 2 > seen.length)
    throw mismatch(`${nameOf(outside[0]?.info.name ?? "")} stands outside of its bytecode`);
  refuseStrangePlaces(sure);
}

/** The sites of those functions in a picture that are wanted, by row. */
function sitesOf({ site, sites }: Picture, isWanted: (row: number) => boolean): Site[] {
  const numbers = new Set<number>();
  for (let row = 0; row < site.length; row++) if (isWanted(row)) numbers.add(site.at(row));
  return [...numbers].flatMap((number) => sites[number] ?? []);
}

/** A map's map is its own map. */
function isMetaMap(heap: Heap, map: number): boolean {
  return heap.typeOfMap(map) === heap.layout.types.map && heap.word(map, 0) === map;
}

/** Where a function is suspended its source says so. A place that does not read like one may be right; most are not. */
function refuseStrangePlaces(sure: readonly Site[]): void {
  const looks = new Map<string, boolean>();
  for (const one of sure) {
    const { place, info } = one;
    if (place === undefined) continue;
    const key = `${info.script.url}:${place.line}:${place.column}`;
    if (looks.has(key)) continue;
    const isFitting = readsLikeOne(one);
    if (isFitting !== undefined) looks.set(key, isFitting);
  }
  const strange = [...looks].filter(([, isFitting]) => !isFitting).map(([key]) => key);
  if (strange.length * 2 > looks.size)
    throw mismatch(`at ${strange.length} of ${looks.size} places there is no await, as at ${strange[0]}`);
}

function readsLikeOne({ place, info, isGenerator, continuation }: Site): boolean | undefined {
  const { source } = info.script;
  // At its beginning an async generator has not come to a word of its own.
  if (source === undefined || place === undefined || (isGenerator && continuation === 0)) return undefined;
  const at = offsetOf(info.script, place);
  if (at === undefined) return undefined;
  if (/^(await|yield|return)\b/.test(source.slice(at, at + 7))) return true;
  return /\bfor\s+await\b|\bawait\s+using\b/.test(source.slice(Math.max(0, at - MAX_BEFORE), at));
}

function nameOf(name: string): string {
  return name === "" ? "a function without a name" : name;
}

function mismatch(what: string): InspectError {
  return new InspectError(
    "HF_LAYOUT_MISMATCH",
    `the memory of this process is not laid out as its version of V8 should have it: ${what}. Nothing of it can be ` +
      "relied upon. Please report it, with the version and the origin of this Node",
  );
}

/** Throws `InspectError`: of the reader's own function something else was read than is there. */
export function refuseWrongCanary(): never {
  throw mismatch("the reader did not find a function of its own where that waits");
}
