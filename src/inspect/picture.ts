import type { AddressIndex } from "./address-index.ts";
import { Awaiters } from "./awaiters.ts";
import { Column } from "./column.ts";
import { chunkOf, heapOfChunk } from "./chunks.ts";
import { FreeMemory } from "./free-memory.ts";
import { Functions, isInside } from "./functions.ts";
import { Heap } from "./heap.ts";
import type { Layout } from "./layout.ts";
import type { ProcessMemory } from "./process-memory.ts";
import type { Site, Sites } from "./sites.ts";
import { scan, SuspendedFunctions } from "./suspended.ts";
import type { Suspended } from "./suspended.ts";

/** What one look at the heap has shown: a row for each function that may be suspended. */
export interface Picture {
  /** Addresses of the functions, and their rows. */
  readonly index: AddressIndex;
  readonly closures: Column<Float64Array<ArrayBuffer>>;
  readonly promises: Column<Float64Array<ArrayBuffer>>;
  readonly sites: readonly Site[];
  /** The number of each one's site; -1 for a candidate that did not hold together: on an idle process there is none. */
  readonly site: Column<Int32Array<ArrayBuffer>>;
  /** The id of the task of holdfast to which it belongs; -1 where there is none. */
  readonly task: Column<Int32Array<ArrayBuffer>>;
  /**
   * The heap in which it and its map are; NaN for what is a copy, in a buffer of whoever reads memory. Asked for at once:
   * the chunk may be given back before the dump is made.
   */
  readonly owner: Column<Float64Array<ArrayBuffer>>;
  /** 1 where a reference on the way was adrift: what is said of the function may be wrong. */
  readonly torn: Column<Int32Array<ArrayBuffer>>;
  /** Where in `awaiters` the rows of those begin that await it; they end where those of the next row begin. */
  readonly starts: Column<Int32Array<ArrayBuffer>>;
  readonly awaiters: Column<Int32Array<ArrayBuffer>>;
}

/**
 * Looks at the heap once, and also where functions were `known` to be. On a process that runs, parts of the picture may
 * be from different moments. Pictures that are to be compared are taken with the same `sites`.
 */
export function takePicture(
  memory: ProcessMemory,
  layout: Layout,
  sites: Sites,
  known?: Iterable<number>,
): Picture {
  memory.forget();
  const heap = new Heap(memory, layout);
  return pictureOf(heap, scan(heap, known), sites);
}

/**
 * Looks once more at the functions that a picture has shown, and at who awaits them. That takes a fraction of the time:
 * nothing is searched for. Marks in `gone`, by row of that picture, where there is no such function any more: a
 * collection has moved it, or freed it.
 */
export function lookAgain(
  memory: ProcessMemory,
  layout: Layout,
  sites: Sites,
  { index }: Picture,
  gone: Uint8Array,
): Picture {
  memory.forget();
  const heap = new Heap(memory, layout);
  const free = new FreeMemory(heap);
  const found = new SuspendedFunctions(heap);
  for (let row = 0; row < gone.length; row++) {
    const address = index.addressOf(row);
    if (!found.isFunction(address) || free.hasLost(address)) gone[row] = 1;
    else found.find(address);
  }
  return pictureOf(heap, found, sites);
}

function pictureOf(heap: Heap, found: SuspendedFunctions, sites: Sites): Picture {
  const functions = new Functions(heap);
  const awaiters = new Awaiters(heap, functions, found);
  const owners = new Owners(heap);
  const here = sites.in(functions);
  const site = Column.ofNumbers();
  const task = Column.ofNumbers();
  const owner = Column.ofAddresses();
  const torn = Column.ofNumbers();
  const starts = Column.ofNumbers();
  // More are found while it is walked: an awaiter that the scan has not met is looked at, too.
  for (let row = 0; row < found.length; row++) {
    const { adrift } = heap;
    const one = found.at(row);
    const ofTask = awaiters.taskOf(row);
    const number = here.of(one, ofTask?.path);
    site.push(number);
    task.push(ofTask?.id ?? -1);
    owner.push(owners.of(one));
    starts.push(awaiters.found.length);
    awaiters.find(row);
    torn.push(heap.adrift === adrift && isWhole(sites.all[number]) ? 0 : 1);
  }
  starts.push(awaiters.found.length);
  const { index, closures, promises } = found;
  const { found: all } = awaiters;
  return { index, closures, promises, sites: sites.all, site, task, owner, torn, starts, awaiters: all };
}

function isWhole(site: Site | undefined): boolean {
  return site !== undefined && isInside(site.info, site.bytecodeOffset);
}

/** The heaps of functions. */
class Owners {
  readonly #heap: Heap;
  readonly #byChunk = new Map<number, number>();

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  /** The heap in which a function and its map are; NaN for what is a copy, in a buffer of whoever reads memory. */
  of({ address, map }: Suspended): number {
    const owner = this.#ownerOf(chunkOf(address));
    return owner === this.#ownerOf(chunkOf(map)) ? owner : Number.NaN;
  }

  #ownerOf(chunk: number): number {
    let owner = this.#byChunk.get(chunk);
    if (owner === undefined) this.#byChunk.set(chunk, (owner = heapOfChunk(this.#heap, chunk)));
    return owner;
  }
}

/** How many functions a picture shows. */
export function countSeen({ site }: Picture): number {
  let count = 0;
  for (let row = 0; row < site.length; row++) if (site.at(row) >= 0) count++;
  return count;
}

/** Whether the functions in two rows of two pictures are shown alike, and whole. */
export function isAlike(a: Picture, rowOfA: number, b: Picture, rowOfB: number): boolean {
  return (
    a.torn.at(rowOfA) === 0 &&
    b.torn.at(rowOfB) === 0 &&
    a.site.at(rowOfA) === b.site.at(rowOfB) &&
    a.closures.at(rowOfA) === b.closures.at(rowOfB) &&
    a.promises.at(rowOfA) === b.promises.at(rowOfB) &&
    a.task.at(rowOfA) === b.task.at(rowOfB) &&
    Object.is(a.owner.at(rowOfA), b.owner.at(rowOfB)) &&
    areAwaitersAlike(a, rowOfA, b, rowOfB)
  );
}

function areAwaitersAlike(a: Picture, rowOfA: number, b: Picture, rowOfB: number): boolean {
  const [startOfA, startOfB] = [a.starts.at(rowOfA), b.starts.at(rowOfB)];
  const count = a.starts.at(rowOfA + 1) - startOfA;
  if (b.starts.at(rowOfB + 1) - startOfB !== count) return false;
  for (let index = 0; index < count; index++) {
    const ofA = a.index.addressOf(a.awaiters.at(startOfA + index));
    if (ofA !== b.index.addressOf(b.awaiters.at(startOfB + index))) return false;
  }
  return true;
}
