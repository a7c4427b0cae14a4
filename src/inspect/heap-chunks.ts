import { CHUNK, heapOfChunk } from "./chunks.ts";
import type { Heap } from "./heap.ts";
import type { Region } from "./mappings.ts";
import { ADDRESS_LIMIT } from "./process-memory.ts";
import { heapRegions } from "./touched.ts";

/** A heap has so many chunks from its first moment on: what is met less often only looks like one. */
const MIN_CHUNKS = 4;

/**
 * The chunks of each heap of a process, by the address of V8's `Heap` object, which each chunk's header leads to. The
 * rest of its memory holds no objects, at most copies of some: in a buffer of somebody who reads memory himself.
 */
export function heapChunks(
  heap: Heap,
  touched: readonly Region[] = heapRegions(heap.memory.root),
): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (const { from, to } of touched) {
    for (let chunk = Math.ceil(from / CHUNK) * CHUNK; chunk < to; chunk += CHUNK) {
      const owner = heapOfChunk(heap, chunk);
      if (!(owner > CHUNK && owner < ADDRESS_LIMIT && owner % 8 === 0)) continue;
      const chunks = found.get(owner);
      if (chunks === undefined) found.set(owner, [chunk]);
      else chunks.push(chunk);
    }
  }
  for (const [owner, chunks] of found) if (chunks.length < MIN_CHUNKS) found.delete(owner);
  return found;
}

/** What of a process is to be searched for objects: touched, and in a heap; in the order of addresses. */
export function objectRegions(heap: Heap): Region[] {
  const touched = heapRegions(heap.memory.root);
  const regions: Region[] = [];
  const chunks = [...heapChunks(heap, touched).values()].flat().toSorted((a, b) => a - b);
  let index = 0;
  for (const chunk of chunks) {
    while (index < touched.length && (touched[index] as Region).to <= chunk) index++;
    for (let at = index; at < touched.length; at++) {
      const region = touched[at] as Region;
      if (region.from >= chunk + CHUNK) break;
      regions.push({ from: Math.max(chunk, region.from), to: Math.min(chunk + CHUNK, region.to) });
    }
  }
  return joined(regions);
}

/** Neighbours as one: what is read at once costs less. */
function joined(regions: readonly Region[]): Region[] {
  const found: Region[] = [];
  for (const region of regions) {
    const last = found.at(-1);
    if (last !== undefined && last.to === region.from)
      found[found.length - 1] = { from: last.from, to: region.to };
    else found.push(region);
  }
  return found;
}
