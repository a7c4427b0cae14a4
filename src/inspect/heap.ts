import type { Layout } from "./layout.ts";
import type { ProcessMemory } from "./process-memory.ts";

/** An instance type that no object has. */
const NO_TYPE = -1;
/** Of so many maps the types are kept, each in the place that its address gives it. */
const KEPT_TYPES = 4096;
/** String instance types: below 128; three bits of representation, one of encoding (src/objects/instance-type.h). */
const FIRST_NON_STRING = 128;
const REPRESENTATION_MASK = 7;
const ONE_BYTE = 8;
const SEQUENTIAL = 0;
const CONS = 1;
const EXTERNAL = 2;
const SLICED = 3;
const THIN = 5;
/** Longer than any source; what claims to be longer is no string. */
const MAX_STRING = 1 << 29;
/** At most so many characters of a name. */
const MAX_NAME = 1000;

/**
 * V8's heap in the memory of another process. Addresses of objects are tagged, as V8 writes them: one more than a
 * multiple of eight. Every read may
 * meet something that is being changed: what is not there is NaN, and what does not look right is undefined.
 */
export class Heap {
  readonly memory: ProcessMemory;
  readonly layout: Layout;
  /** Instance types of maps: a map never becomes another one while it is in use. */
  readonly #maps = new Float64Array(KEPT_TYPES);
  readonly #types = new Int32Array(KEPT_TYPES);

  #adrift = 0;

  constructor(memory: ProcessMemory, layout: Layout) {
    this.memory = memory;
    this.layout = layout;
  }

  /**
   * How many references that were followed led to no object. In a heap at rest none does. In the middle of a collection
   * an object that was moved has its new address where its map was, and not every word that leads to it is changed yet:
   * what was read by such a word may be anything, however often it is read in that moment.
   */
  get adrift(): number {
    return this.#adrift;
  }

  /** The word in a field that holds a reference to an object, or a Smi. */
  follow(object: number, offset: number): number {
    return this.noted(this.word(object, offset));
  }

  /** A reference that was read elsewhere. */
  noted(reference: number): number {
    if (!isSmi(reference) && this.typeOf(reference) < 0) this.#adrift++;
    return reference;
  }

  /** The tagged or raw word in a field; NaN where there is no object, which is all that a torn word may point to. */
  word(object: number, offset: number): number {
    return isTagged(object) ? this.memory.word(object - 1 + offset) : Number.NaN;
  }

  u32(object: number, offset: number): number {
    return isTagged(object) ? this.memory.u32(object - 1 + offset) : Number.NaN;
  }

  /** A small integer, which V8 keeps in the upper half of a word. */
  smi(object: number, offset: number): number {
    return this.u32(object, offset + 4) | 0;
  }

  /** The instance type of an object: -1 for what is none. */
  typeOf(object: number): number {
    return object > 4096 ? this.typeOfMap(this.word(object, 0)) : NO_TYPE;
  }

  /** The instance type that a map gives its objects; -1 for what is no map. */
  typeOfMap(map: number): number {
    if (!isTagged(map)) return NO_TYPE;
    const place = (map / 8) & (KEPT_TYPES - 1);
    if (this.#maps[place] === map) return this.#types[place] as number;
    const isMap = map > 4096 && this.#typeIn(this.word(map, 0)) === this.layout.types.map;
    const type = isMap ? this.#typeIn(map) : NO_TYPE;
    this.#maps[place] = map;
    this.#types[place] = type;
    return type;
  }

  #typeIn(map: number): number {
    return isTagged(map) ? this.memory.u16(map - 1 + this.layout.fields.mapInstanceType) : NO_TYPE;
  }

  isFunction(object: number): boolean {
    const [first, last] = this.layout.types.functions;
    const type = this.typeOf(object);
    return type >= first && type <= last;
  }

  isContext(object: number): boolean {
    const [first, last] = this.layout.types.contexts;
    const type = this.typeOf(object);
    return type >= first && type <= last;
  }

  isString(object: number): boolean {
    const type = this.typeOf(object);
    return type >= 0 && type < FIRST_NON_STRING;
  }

  /** A name: a string that is not too long; undefined for what is none, or empty. */
  name(object: number): string | undefined {
    const name = this.string(object, MAX_NAME);
    return name === "" ? undefined : name;
  }

  /** The characters of a string, at most so many; undefined for what is none. */
  string(object: number, limit: number = MAX_STRING): string | undefined {
    const parts: string[] = [];
    const open = [object];
    let left = limit;
    for (let next = open.pop(); next !== undefined && left > 0; next = open.pop()) {
      const type = this.typeOf(next);
      if (type < 0 || type >= FIRST_NON_STRING || open.length > 100_000) return undefined;
      const representation = type & REPRESENTATION_MASK;
      if (representation === CONS) open.push(this.follow(next, 24), this.follow(next, 16));
      else if (representation === THIN) open.push(this.follow(next, 16));
      else {
        const part = this.#flat(next, type, left);
        if (part === undefined) return undefined;
        parts.push(part);
        left -= part.length;
      }
    }
    return parts.join("").slice(0, limit);
  }

  /** A string that is one run of characters: in the object, outside of the heap, or a slice of another. */
  #flat(object: number, type: number, limit: number): string | undefined {
    const length = this.u32(object, 12);
    if (!(length <= MAX_STRING)) return undefined;
    switch (type & REPRESENTATION_MASK) {
      case SEQUENTIAL:
        return this.#characters(object - 1 + 16, Math.min(length, limit), type);
      case EXTERNAL:
        return this.#characters(this.word(object, 24), Math.min(length, limit), type);
      case SLICED: {
        const from = this.smi(object, 24);
        return this.string(this.follow(object, 16), from + Math.min(length, limit))?.slice(
          from,
          from + length,
        );
      }
      default:
        return undefined;
    }
  }

  #characters(address: number, length: number, type: number): string | undefined {
    if (length === 0) return "";
    const isOneByte = (type & ONE_BYTE) !== 0;
    const bytes = this.memory.bytes(address, isOneByte ? length : length * 2);
    return bytes?.toString(isOneByte ? "latin1" : "utf16le");
  }
}

/** Not so for NaN. */
function isSmi(word: number): boolean {
  return (word & 1) === 0 && word >= 0;
}

/** Whether a word may be the address of an object: not so for NaN. Addresses have more bits than `&` looks at; those do. */
function isTagged(word: number): boolean {
  return (word & 7) === 1;
}
