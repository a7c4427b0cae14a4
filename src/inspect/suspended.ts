import { FreeMemory } from "./free-memory.ts";
import type { Heap } from "./heap.ts";
import { objectRegions } from "./heap-chunks.ts";

/*
 * `JSGeneratorObject` and its two children for async functions and async generators (src/objects/js-generator.tq): the
 * state in which a function sits between two of its steps.
 */
const FUNCTION = 24;
const POSITION = 48;
const CONTINUATION = 64;
/** Of an async function: its promise. Of an async generator: the first of the requests that wait. */
const PROMISE = 80;
/** Of an async generator: a Smi, 1 at an `await`, 0 at a `yield`. */
const IS_AWAITING = 88;
const SIZE = 96;

/** Where the scan reads at once. */
const CHUNK = 8 << 20;
/** V8's addresses have at most 47 bits. */
const MAX_HIGH = 0x7fff;
const MAX_CONTINUATION = 1_000_000;

/** One suspended function, as its words say. All addresses are tagged. */
export interface Suspended {
  readonly address: number;
  readonly isGenerator: boolean;
  readonly map: number;
  readonly closure: number;
  /** Which `await` or `yield` it is, in the order of the function's text; 0 is the beginning of a generator. */
  readonly continuation: number;
  /** Where it stands in its bytecode. */
  readonly bytecodeOffset: number;
  /** Its promise, or its first waiting request. */
  readonly promise: number;
  readonly isAwaiting: boolean;
}

/** Reads what may be a suspended function; undefined where it is none, or is not suspended. */
export function suspendedAt(heap: Heap, address: number): Suspended | undefined {
  const { asyncFunction, asyncGenerator } = heap.layout.types;
  const type = heap.typeOf(address);
  if (type !== asyncFunction && type !== asyncGenerator) return undefined;
  const continuation = heap.smi(address, CONTINUATION);
  if (heap.u32(address, CONTINUATION) !== 0 || !(continuation >= 0)) return undefined;
  const isGenerator = type === asyncGenerator;
  return {
    address,
    isGenerator,
    map: heap.word(address, 0),
    closure: heap.word(address, FUNCTION),
    continuation,
    bytecodeOffset: heap.smi(address, POSITION) - (heap.layout.fields.bytecodeStart - 1),
    promise: heap.word(address, PROMISE),
    isAwaiting: !isGenerator || heap.smi(address, IS_AWAITING) === 1,
  };
}

/**
 * Finds every suspended async function and async generator: looks at each word of the heap for what may be the map of
 * one, by the words that follow, and then at the map itself. Most words fail at the first look.
 */
export function scan(heap: Heap): Map<number, Suspended> {
  const { memory } = heap;
  const free = new FreeMemory(heap);
  const found = new Map<number, Suspended>();
  const buffer = Buffer.alloc(CHUNK + SIZE);
  const { asyncFunction, asyncGenerator } = heap.layout.types;
  for (const { from, to } of objectRegions(heap)) {
    for (let at = from; at < to; at += CHUNK) {
      const size = memory.readInto(buffer, Math.min(CHUNK + SIZE, to - at), at);
      const words = new Uint32Array(buffer.buffer, buffer.byteOffset, size >> 2);
      const last = Math.min(words.length - PROMISE / 4 - 2, CHUNK / 4 - 2);
      for (let i = 0; i <= last; i += 2) {
        if (!mayBe(words, i)) continue;
        const type = heap.typeOfMap((words[i + 1] as number) * 4_294_967_296 + (words[i] as number));
        if (type !== asyncFunction && type !== asyncGenerator) continue;
        const one = suspendedAt(heap, at + i * 4 + 1);
        if (one !== undefined && !free.has(one.address, one.map)) found.set(one.address, one);
      }
    }
  }
  return found;
}

/** Smis where they must be, tagged pointers where those must be, and a continuation that is one of a suspended function. */
function mayBe(u: Uint32Array, i: number): boolean {
  return (
    u[i + 14] === 0 &&
    u[i + 16] === 0 &&
    u[i + 12] === 0 &&
    (u[i + 15] as number) <= 2 &&
    (u[i + 17] as number) <= MAX_CONTINUATION &&
    ((u[i] as number) &
      (u[i + 2] as number) &
      (u[i + 4] as number) &
      (u[i + 6] as number) &
      (u[i + 8] as number) &
      (u[i + 10] as number) &
      (u[i + 18] as number) &
      (u[i + 20] as number) &
      1) !==
      0 &&
    isHigh(u[i + 1]) &&
    isHigh(u[i + 7]) &&
    isHigh(u[i + 19]) &&
    isHigh(u[i + 21])
  );
}

function isHigh(half: number | undefined): boolean {
  return half !== undefined && half > 0 && half <= MAX_HIGH;
}
