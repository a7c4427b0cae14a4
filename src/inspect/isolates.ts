import type { Heap } from "./heap.ts";
import { mappings } from "./process-memory.ts";
import type { Suspended } from "./suspended.ts";

/*
 * A process has an isolate, V8's word for a heap with a thread of its own, for its main thread and for each worker
 * thread; an isolate has a realm for its own globals and for each vm context.
 */

const CHUNK = 1 << 18;
/** An isolate holds its heap inside itself: a pointer this near to a heap is one into that isolate. */
const ISOLATE_SIZE = 1 << 17;

/** Tells isolates and realms apart, numbered as they are met; the main thread's isolate is number 0. */
export class Isolates {
  readonly #heap: Heap;
  readonly #byMap = new Map<number, number>();
  /** Addresses of heaps. */
  readonly #heaps: number[] = [];

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  /** Each function's isolate. */
  of(functions: Iterable<Suspended>): ReadonlyMap<number, number> {
    const raw = new Map<number, number>();
    for (const { address, map } of functions) raw.set(address, this.#ofMap(map));
    const order = this.#order();
    return new Map([...raw].map(([address, isolate]) => [address, order.indexOf(isolate)]));
  }

  /** Maps belong to one realm of one isolate: looked up once for each, not for each function. */
  #ofMap(map: number): number {
    let isolate = this.#byMap.get(map);
    if (isolate !== undefined) return isolate;
    const { memory, layout } = this.#heap;
    let at = map - (map % CHUNK);
    for (const offset of layout.heapOfChunk) at = memory.word(at - (at % 8) + offset);
    isolate = this.#heaps.indexOf(at);
    if (isolate < 0) isolate = this.#heaps.push(at) - 1;
    this.#byMap.set(map, isolate);
    return isolate;
  }

  /** The main thread's first: the one that its stack speaks of most. */
  #order(): number[] {
    const all = this.#heaps.map((_, index) => index);
    if (all.length < 2) return all;
    const mentions = this.#mentionsOnMainStack();
    return all.toSorted((a, b) => (mentions[b] ?? 0) - (mentions[a] ?? 0) || a - b);
  }

  #mentionsOnMainStack(): number[] {
    const counts = this.#heaps.map(() => 0);
    const { memory } = this.#heap;
    const stack = mappings(memory.root).find(({ path }) => path === "[stack]");
    if (stack === undefined) return counts;
    const bytes = memory.bytes(stack.from, stack.to - stack.from);
    if (bytes === undefined) return counts;
    for (let at = 0; at + 8 <= bytes.length; at += 8) {
      const word = bytes.readUInt32LE(at + 4) * 4_294_967_296 + bytes.readUInt32LE(at);
      for (const [index, heap] of this.#heaps.entries()) {
        if (Math.abs(word - heap) < ISOLATE_SIZE) counts[index] = (counts[index] ?? 0) + 1;
      }
    }
    return counts;
  }
}
