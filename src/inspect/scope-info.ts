import type { Heap } from "./heap.ts";

/** At most so many characters of a name. */
const MAX_NAME = 1000;
/** Up to so many local names stand in the object itself, more in a table of their own (`ScopeInfo`, scope-info.h). */
const MAX_INLINED_NAMES = 75;

/** Where positions stand if they come first, or else the names of the locals. */
const POSITIONS = 32;
/** A name, and where its variable is. */
const NAME_SIZE = 16;

/*
 * `ScopeInfo` (src/objects/scope-info.tq): flags, two counts, then fields that are there or not as the flags say. The
 * bits are those of `ScopeFlags`: 4 of type, …, at 10 a class variable, at 12 a function name (2 bits), at 14 an
 * inferred name; then, before V8 13, the positions.
 */

/** The name of a function, or else what it was inferred to be called; empty where it has none. */
export function functionNameIn(heap: Heap, scope: number): string {
  const at = isModuleScope(heap, scope) ? undefined : namesIn(heap, scope);
  if (at === undefined) return "";
  const { hasName, hasInferred } = fieldsOf(heap, scope);
  if (hasName) {
    const name = heap.string(heap.follow(scope, at), MAX_NAME);
    if (name !== undefined && name !== "") return name;
  }
  if (!hasInferred) return "";
  return heap.string(heap.follow(scope, at + (hasName ? NAME_SIZE : 0)), MAX_NAME) ?? "";
}

/** Where the text of a function begins in its script: at its parameters, or at the `async` of an arrow function. */
export function startIn(heap: Heap, scope: number): number | undefined {
  if (heap.layout.arePositionsFirst) return heap.smi(scope, POSITIONS);
  const at = namesIn(heap, scope);
  if (at === undefined) return undefined;
  const { hasName, hasInferred } = fieldsOf(heap, scope);
  return heap.smi(scope, at + (hasName ? NAME_SIZE : 0) + (hasInferred ? 8 : 0));
}

/** Where the name of the function is, if it has one: behind the locals and a class variable. */
function namesIn(heap: Heap, scope: number): number | undefined {
  const locals = heap.smi(scope, 24);
  if (!(locals >= 0 && locals < 1_000_000)) return undefined;
  const from = POSITIONS + (heap.layout.arePositionsFirst ? 16 : 0);
  const hasClass = ((flagsOf(heap, scope) >> 10) & 1) !== 0;
  return from + (locals < MAX_INLINED_NAMES ? locals : 1) * 8 + locals * 8 + (hasClass ? 8 : 0);
}

function fieldsOf(heap: Heap, scope: number): { hasName: boolean; hasInferred: boolean } {
  const flags = flagsOf(heap, scope);
  return { hasName: ((flags >> 12) & 3) !== 0, hasInferred: ((flags >> 14) & 1) !== 0 };
}

/** Whether it is the scope of a whole module, whose top level is compiled as a function. */
export function isModuleScope(heap: Heap, scope: number): boolean {
  return (flagsOf(heap, scope) & 15) === heap.layout.moduleScope;
}

function flagsOf(heap: Heap, scope: number): number {
  return heap.u32(scope, heap.layout.areScopeFlagsSmi ? 12 : 8);
}
