import { CHUNK, chunkOf, FROM_PAGE, heapOfChunk, TO_PAGE } from "./chunks.ts";
import type { Heap } from "./heap.ts";

/*
 * V8 does not clear what it frees. What was a suspended function until a collection found that nobody can let it go on
 * looks like one for long afterwards: in the half of the young generation that is not in use, beyond what is allocated
 * of the other half, in the free blocks of the old generation, and in chunks that were given back. Here these are told
 * from the memory in use.
 */

/**
 * How far before the heap `IsolateData` may begin, which has the two places where V8 allocates, of the young and of the
 * old generation: `LinearAllocationArea`, three words each, start, top and limit (src/heap/linear-allocation-area.h).
 */
const ISOLATE_DATA = 1 << 17;
const AREA = 24;
/** A young generation has no more chunks in one half. */
const MAX_CHUNKS = 10_000;

/** A space holds the ends of its list somewhere in here. */
const SPACE_SIZE = 1 << 9;

interface Range {
  readonly from: number;
  readonly to: number;
}

/** What is free in one chunk. */
interface Free {
  readonly isAll: boolean;
  /** What V8 has reserved for itself, to allocate there. */
  readonly reserved: readonly Range[];
  /** In the order of addresses. */
  readonly blocks: readonly Range[];
}

const ALL: Free = { isAll: true, reserved: [], blocks: [] };

interface OfHeap {
  /** What is reserved and not yet allocated. */
  readonly ranges: readonly Range[];
  /** Chunks of the young generation that are not yet in use. */
  readonly chunks: ReadonlySet<number>;
}

const NOTHING: OfHeap = { ranges: [], chunks: new Set() };

/** Knows what of a heap is free. */
export class FreeMemory {
  readonly #heap: Heap;
  readonly #buffer = Buffer.alloc(CHUNK);
  readonly #owners = new Map<number, number>();
  readonly #heaps = new Map<number, OfHeap>();
  /** The chunk that was asked for last: whoever walks over a heap asks for one after the other. */
  #chunk = -1;
  #owner = Number.NaN;
  #free = ALL;

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  /** Whether what looks like an object is none any more, or never was: a copy of one outside of its map's heap. */
  has(address: number, map: number): boolean {
    this.#look(chunkOf(address));
    return this.#free.isAll || this.#owner !== this.#ownerOf(chunkOf(map)) || this.#isIn(address);
  }

  /**
   * Whether that is so of an object that was in use a moment ago. Its chunk may only just not be in a list: chunks change
   * lists during a collection.
   */
  hasLost(address: number): boolean {
    this.#look(chunkOf(address));
    return !(this.#owner > 0) || (!this.#free.isAll && this.#isIn(address));
  }

  #look(chunk: number): void {
    if (chunk === this.#chunk) return;
    this.#chunk = chunk;
    this.#owner = this.#ownerOf(chunk);
    this.#free = this.#owner > 0 ? this.#read(chunk, this.#owner) : ALL;
  }

  #isIn(address: number): boolean {
    const { reserved, blocks } = this.#free;
    return reserved.some(({ from, to }) => from <= address && address < to) || isIn(blocks, address);
  }

  #ownerOf(chunk: number): number {
    let owner = this.#owners.get(chunk);
    if (owner === undefined) this.#owners.set(chunk, (owner = heapOfChunk(this.#heap, chunk)));
    return owner;
  }

  #read(chunk: number, owner: number): Free {
    const { memory, layout } = this.#heap;
    const flags = memory.u32(chunk + layout.chunkFlags);
    if ((flags & FROM_PAGE) !== 0 || !this.#isInSpace(chunk)) return ALL;
    const { ranges, chunks } = this.#ofHeap(owner);
    if (chunks.has(chunk)) return ALL;
    const reserved = ranges.filter(({ from }) => chunkOf(from - 1) === chunk);
    return { isAll: false, reserved, blocks: this.#blocks(chunk) };
  }

  /** Free blocks, which say how long they are: what stood in them still does, behind those words. */
  #blocks(chunk: number): Range[] {
    const heap = this.#heap;
    // The first chunks, which come out of the snapshot, end where their content does.
    const size = heap.memory.readInto(this.#buffer, CHUNK, chunk);
    const words = new Uint32Array(this.#buffer.buffer, this.#buffer.byteOffset, size >> 2);
    const found: Range[] = [];
    for (let i = 0; i < words.length - 4;) {
      const length = (words[i + 3] as number) * heap.layout.freeSpaceUnit;
      const isBlock =
        words[i + 2] === 0 &&
        length > 16 &&
        length % 8 === 0 &&
        length <= CHUNK - i * 4 &&
        ((words[i] as number) & 1) === 1 &&
        heap.typeOfMap((words[i + 1] as number) * 4_294_967_296 + (words[i] as number)) ===
          heap.layout.freeSpace;
      if (isBlock) found.push({ from: chunk + i * 4, to: chunk + i * 4 + length });
      i += isBlock ? length / 4 : 2;
    }
    return found;
  }

  #ofHeap(owner: number): OfHeap {
    let known = this.#heaps.get(owner);
    if (known === undefined) this.#heaps.set(owner, (known = this.#readHeap(owner)));
    return known;
  }

  /**
   * Whoever copies objects during a collection has such areas, too, and leaves them behind in freed memory, which may be
   * near. Only `IsolateData` has two in a row: what is found twice, or not at all, says nothing.
   */
  #readHeap(owner: number): OfHeap {
    let found: OfHeap | undefined;
    for (let at = owner - ISOLATE_DATA; at < owner; at += 8) {
      const young = this.#areaAt(at, owner);
      const old = young && this.#areaAt(at + AREA, owner);
      if (young === undefined || old === undefined) continue;
      const current = chunkOf(young.from - 1);
      if (!this.#isYoung(current) || this.#isYoung(chunkOf(old.from - 1))) continue;
      if (found !== undefined) return NOTHING;
      found = { ranges: [{ from: young.from, to: current + CHUNK }, old], chunks: this.#after(current) };
    }
    return found ?? NOTHING;
  }

  #isYoung(chunk: number): boolean {
    const { memory, layout } = this.#heap;
    return (memory.u32(chunk + layout.chunkFlags) & TO_PAGE) !== 0;
  }

  /** What is left of an area where V8 allocates, if that is what these three words are. */
  #areaAt(at: number, owner: number): Range | undefined {
    const { memory } = this.#heap;
    const [start, top, limit] = [memory.word(at), memory.word(at + 8), memory.word(at + 16)];
    const chunk = chunkOf(start);
    const isArea = start > chunk && start % 8 === 0 && start <= top && top <= limit && limit <= chunk + CHUNK;
    return isArea && heapOfChunk(this.#heap, chunk) === owner ? { from: top + 1, to: limit } : undefined;
  }

  /** The chunks that come after one in its list. */
  #after(current: number): Set<number> {
    const found = new Set<number>();
    for (let chunk = this.#next(current); chunk > 0 && found.size < MAX_CHUNKS; chunk = this.#next(chunk)) {
      if (found.has(chunk)) break;
      found.add(chunk);
    }
    return found;
  }

  /** A chunk that was given back is in no list of a space any more, though all that was in it may still be there. */
  #isInSpace(chunk: number): boolean {
    const { memory, layout } = this.#heap;
    const { metadata, nextChunk, spaceOfChunk } = layout;
    const header = metadata === undefined ? chunk : memory.word(chunk + metadata.ofChunk);
    const next = memory.word(header + nextChunk);
    if (next !== 0) return memory.word(next + nextChunk + 8) === header;
    const previous = memory.word(header + nextChunk + 8);
    if (previous !== 0) return memory.word(previous + nextChunk) === header;
    // The only one of its space.
    const space = memory.word(header + spaceOfChunk);
    for (let offset = 0; offset < SPACE_SIZE; offset += 8)
      if (memory.word(space + offset) === header) return true;
    return false;
  }

  /** The list goes from header to header: each says where its chunk is. */
  #next(chunk: number): number {
    const { memory, layout } = this.#heap;
    const { nextChunk, metadata } = layout;
    if (metadata === undefined) return memory.word(chunk + nextChunk);
    const next = memory.word(memory.word(chunk + metadata.ofChunk) + nextChunk);
    return next > 0 ? memory.word(next + metadata.chunk) : 0;
  }
}

/** Whether an address is in one of some ranges, which are in order. */
function isIn(ranges: readonly Range[], address: number): boolean {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ranges[middle] as Range).to > address) high = middle;
    else low = middle + 1;
  }
  const range = ranges[low];
  return range !== undefined && range.from <= address;
}
