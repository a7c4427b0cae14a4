import { CHUNK } from "./chunks.ts";
import type { Heap } from "./heap.ts";
import { heapChunks } from "./heap-chunks.ts";
import { mappings } from "./mappings.ts";
import type { Region } from "./mappings.ts";

/*
 * A process has an isolate, V8's word for a heap with a thread of its own, for its main thread and for each worker
 * thread; an isolate has a realm for its own globals and for each vm context.
 */

/** An isolate holds its heap inside itself, no further in than this: what stands before the heap is the isolate. */
const ISOLATE_SIZE = 1 << 17;
/** The stack of the main thread never grows beyond this, however it is limited: other things begin there. */
const STACK_SIZE = 2 ** 27;

/** Tells isolates apart: the main thread's is number 0, the others are numbered as they stand in memory. */
export class Isolates {
  readonly #heap: Heap;
  /** Addresses of V8's `Heap` objects, that of the main thread first. */
  readonly #heaps: readonly number[];
  readonly #chunks: ReadonlyMap<number, readonly number[]>;

  /** Goes over all chunks of all heaps. */
  constructor(heap: Heap) {
    this.#heap = heap;
    this.#chunks = heapChunks(heap);
    const heaps = [...this.#chunks.keys()];
    const stack = mappings(heap.memory.root).find(({ path }) => path === "[stack]");
    const main = stack && heaps.find((one) => this.#isOnStack(one, stack));
    this.#heaps = heaps.toSorted((a, b) => Number(b === main) - Number(a === main) || a - b);
  }

  /** How many there are; none where this is not the layout of V8's heap. */
  get count(): number {
    return this.#heaps.length;
  }

  /** Which isolate a heap belongs to; undefined for what is no heap. */
  of(owner: number): number | undefined {
    const index = this.#heaps.indexOf(owner);
    return index < 0 ? undefined : index;
  }

  /** Whether there is an object in each heap whose map is a map. */
  hasMaps(): boolean {
    return [...this.#chunks.values()].every((chunks) => chunks.some((chunk) => this.#hasMap(chunk)));
  }

  #hasMap(chunk: number): boolean {
    const { memory } = this.#heap;
    for (let at = chunk; at < chunk + CHUNK; at += 8) {
      if (this.#heap.typeOfMap(memory.word(at)) >= 0) return true;
    }
    return false;
  }

  /**
   * Whether an isolate belongs to the thread of a stack, the main thread's, which is the one that the kernel has set up:
   * its `StackGuard` has the bound that the stack must not grow over, and before that where the isolate is
   * (src/execution/stack-guard.h). A bound alone says nothing: whose memory an isolate has got may have left addresses of
   * the main thread's stack behind.
   */
  #isOnStack(heap: number, stack: Region): boolean {
    const { memory } = this.#heap;
    const start = heap - ISOLATE_SIZE;
    for (let at = start; at < heap; at += 8) {
      const bound = memory.word(at + 8);
      if (!(bound < stack.to && bound > stack.to - STACK_SIZE)) continue;
      const isolate = memory.word(at);
      if (isolate >= start && isolate <= at) return true;
    }
    return false;
  }
}
