import type { Heap } from "./heap.ts";

/** At most so many characters of a name. */
const MAX_NAME = 1000;
/** Up to so many local names stand in the object itself, more in a table of their own (`ScopeInfo`, scope-info.h). */
const MAX_INLINED_NAMES = 75;
const MODULE_SCOPE = 3;

/*
 * `ScopeInfo` (src/objects/scope-info.tq): flags, two counts, then fields that are there or not as the flags say. The
 * bits are those of `ScopeFlags`: 4 of type, …, at 10 a class variable, at 12 a function name (2 bits), at 14 an
 * inferred name.
 */

/** The name of a function, or else what it was inferred to be called; empty where it has none. */
export function functionNameIn(heap: Heap, scope: number): string {
  const { areScopeFlagsSmi, arePositionsFirst } = heap.layout;
  const flags = heap.u32(scope, areScopeFlagsSmi ? 12 : 8);
  if ((flags & 15) === MODULE_SCOPE) return "";
  const locals = heap.smi(scope, 24);
  if (!(locals >= 0 && locals < 1_000_000)) return "";
  let at = arePositionsFirst ? 48 : 32;
  at += (locals < MAX_INLINED_NAMES ? locals : 1) * 8 + locals * 8;
  if (((flags >> 10) & 1) !== 0) at += 8;
  if (((flags >> 12) & 3) !== 0) {
    const name = heap.string(heap.word(scope, at), MAX_NAME);
    if (name !== undefined && name !== "") return name;
    at += 16;
  }
  if (((flags >> 14) & 1) === 0) return "";
  return heap.string(heap.word(scope, at), MAX_NAME) ?? "";
}
