import { AddressIndex } from "./address-index.ts";
import { Column } from "./column.ts";
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
/** Of an async generator; an async function ends with its promise. */
const SIZE = 96;
const MIN_SIZE = PROMISE + 8;

/** What the scan reads at once: as much as stays in a processor's cache until it has been looked at. */
const CHUNK = 1 << 20;
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

const GENERATOR = 1;
const AWAITING = 2;

/** The suspended functions of one look, a row for each. */
export class SuspendedFunctions {
  readonly #heap: Heap;
  readonly #words = new Uint32Array(SIZE >> 2);
  readonly index = new AddressIndex();
  readonly #maps = Column.ofAddresses();
  readonly closures: Column<Float64Array<ArrayBuffer>> = Column.ofAddresses();
  readonly promises: Column<Float64Array<ArrayBuffer>> = Column.ofAddresses();
  readonly #continuations = Column.ofNumbers();
  readonly #bytecodeOffsets = Column.ofNumbers();
  readonly #flags = Column.ofNumbers();

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  get length(): number {
    return this.index.length;
  }

  at(row: number): Suspended {
    const flags = this.#flags.at(row);
    return {
      address: this.index.addressOf(row),
      isGenerator: (flags & GENERATOR) !== 0,
      map: this.#maps.at(row),
      closure: this.closures.at(row),
      continuation: this.#continuations.at(row),
      bytecodeOffset: this.#bytecodeOffsets.at(row),
      promise: this.promises.at(row),
      isAwaiting: (flags & AWAITING) !== 0,
    };
  }

  /** The row of a function; -1 where there is none at that address. One that was not met yet is looked at, and added. */
  find(address: number): number {
    const row = this.index.find(address);
    if (row >= 0 || !this.isFunction(address)) return row;
    this.#heap.memory.copyWords(this.#words, address - 1);
    return this.add(this.#words, 0, address);
  }

  /** Whether there is an async function or an async generator at an address, suspended or not. */
  isFunction(address: number): boolean {
    const { asyncFunction, asyncGenerator } = this.#heap.layout.types;
    const type = this.#heap.typeOf(address);
    return type === asyncFunction || type === asyncGenerator;
  }

  /** Adds what is at an index of some words, if it is a function that is suspended. Returns its row, or -1. */
  add(words: Uint32Array, i: number, address: number): number {
    const heap = this.#heap;
    const map = wordAt(words, i, 0);
    const type = heap.typeOfMap(map);
    const isGenerator = type === heap.layout.types.asyncGenerator;
    if (!isGenerator && type !== heap.layout.types.asyncFunction) return -1;
    const continuation = smiAt(words, i, CONTINUATION);
    if (words[i + CONTINUATION / 4] !== 0 || continuation < 0) return -1;
    const isAwaiting = !isGenerator || smiAt(words, i, IS_AWAITING) === 1;
    this.#maps.push(map);
    this.closures.push(wordAt(words, i, FUNCTION));
    this.promises.push(wordAt(words, i, PROMISE));
    this.#continuations.push(continuation);
    this.#bytecodeOffsets.push(smiAt(words, i, POSITION) - (heap.layout.fields.bytecodeStart - 1));
    this.#flags.push((isGenerator ? GENERATOR : 0) | (isAwaiting ? AWAITING : 0));
    return this.index.add(address);
  }
}

function wordAt(words: Uint32Array, i: number, offset: number): number {
  const at = i + offset / 4;
  return (words[at + 1] as number) * 4_294_967_296 + (words[at] as number);
}

/** A small integer, which V8 keeps in the upper half of a word. */
function smiAt(words: Uint32Array, i: number, offset: number): number {
  return (words[i + offset / 4 + 1] as number) | 0;
}

/**
 * Finds every suspended async function and async generator in the heaps of a process; those that were `known` before
 * are looked at, too, wherever the search met them or not.
 */
export function scan(heap: Heap, known: Iterable<number> = []): SuspendedFunctions {
  const free = new FreeMemory(heap);
  const found = new SuspendedFunctions(heap);
  const buffer = Buffer.allocUnsafeSlow(CHUNK + SIZE);
  const words = new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.length >> 2);
  const { asyncFunction, asyncGenerator } = heap.layout.types;
  for (const { from, to } of objectRegions(heap)) {
    for (let at = from; at < to; at += CHUNK) {
      const size = heap.memory.readInto(buffer, Math.min(CHUNK + SIZE, to - at), at);
      const last = Math.min((size >> 2) - MIN_SIZE / 4, CHUNK / 4 - 2);
      for (let i = nextIn(words, 0, last); i <= last; i = nextIn(words, i + 2, last)) {
        const map = wordAt(words, i, 0);
        const type = heap.typeOfMap(map);
        if (type !== asyncFunction && type !== asyncGenerator) continue;
        const address = at + i * 4 + 1;
        if (!free.has(address, map)) found.add(words, i, address);
      }
    }
  }
  for (const address of known) if (!free.hasLost(address)) found.find(address);
  return found;
}

/** Three words in a row of such a function are Smis, whose lower half is 0: where it stands, how, and at which await. */
const FIRST_SMI = POSITION / 4;
const LAST_SMI = CONTINUATION / 4;
const SMIS = LAST_SMI - FIRST_SMI + 2;

/**
 * The next index, from one on to the last one, at which the words may be those of a suspended function; beyond the last
 * if there is none. Of three words one is looked at: most are no Smi, and then none of three functions is there.
 */
export function nextIn(words: Uint32Array, from: number, last: number): number {
  for (let smi = from + LAST_SMI; smi - LAST_SMI <= last; smi += SMIS) {
    if (words[smi] !== 0) continue;
    for (let i = smi - LAST_SMI; i <= smi - FIRST_SMI && i <= last; i += 2) if (mayBe(words, i)) return i;
  }
  return last + 1;
}

/**
 * Smis where they must be, tagged pointers where those must be, and a continuation that is one of a suspended function.
 * Not looked at: the second word, which is a Smi once an object is a key of a Map; and `this`, which may be a number.
 */
function mayBe(u: Uint32Array, i: number): boolean {
  return (
    u[i + 14] === 0 &&
    u[i + 16] === 0 &&
    u[i + 12] === 0 &&
    (u[i + 15] as number) <= 2 &&
    (u[i + 17] as number) <= MAX_CONTINUATION &&
    ((u[i] as number) &
      (u[i + 4] as number) &
      (u[i + 6] as number) &
      (u[i + 8] as number) &
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

/** V8 puts its chunks anywhere, below 4 GB, too. */
function isHigh(half: number | undefined): boolean {
  return half !== undefined && half <= MAX_HIGH;
}
