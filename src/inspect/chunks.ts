import type { Heap } from "./heap.ts";

/**
 * V8 takes memory for its heaps in pieces of this size, at multiples of it; each begins with a header. Only an object
 * larger than one has its own.
 */
export const CHUNK = 1 << 18;

export const chunkOf = (address: number): number => Math.floor(address / CHUNK) * CHUNK;

/** `MemoryChunk::Flag` (src/heap/memory-chunk.h): the halves of the young generation. */
export const FROM_PAGE: number = 1 << 3;
export const TO_PAGE: number = 1 << 4;

/** Whether a chunk is of the young generation. */
export function isYoung({ memory, layout }: Heap, chunk: number): boolean {
  return (memory.u32(chunk + layout.chunkFlags) & (FROM_PAGE | TO_PAGE)) !== 0;
}

/** Where the heap is that owns a chunk, in the isolate; NaN or nonsense for what is no chunk. */
export function heapOfChunk({ memory, layout }: Heap, chunk: number): number {
  let at = chunk;
  for (const offset of layout.heapOfChunk) at = memory.word(Math.floor(at / 8) * 8 + offset);
  return at;
}
