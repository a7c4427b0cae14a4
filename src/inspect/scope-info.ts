import type { Heap } from "./heap.ts";

/** At most so many characters of a name. */
const MAX_NAME = 1000;
/** Up to so many local names stand in the object itself, more in a table of their own (`ScopeInfo`, scope-info.h). */
const MAX_INLINED_NAMES = 75;

/*
 * `ScopeInfo` (src/objects/scope-info.tq): flags, two counts, then fields that are there or not as the flags say. The
 * bits are those of `ScopeFlags`: 4 of type, …, at 10 a class variable, at 12 a function name (2 bits), at 14 an
 * inferred name.
 */

/** The name of a function, or else what it was inferred to be called; empty where it has none. */
export function functionNameIn(heap: Heap, scope: number): string {
  if (isModuleScope(heap, scope)) return "";
  const { arePositionsFirst } = heap.layout;
  const flags = flagsOf(heap, scope);
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

/** Whether it is the scope of a whole module, whose top level is compiled as a function. */
export function isModuleScope(heap: Heap, scope: number): boolean {
  return (flagsOf(heap, scope) & 15) === heap.layout.moduleScope;
}

function flagsOf(heap: Heap, scope: number): number {
  return heap.u32(scope, heap.layout.areScopeFlagsSmi ? 12 : 8);
}
