import type { Heap } from "./heap.ts";

/*
 * The property `name` of a function. Most functions have none of their own: V8 makes it from the function's text when it
 * is asked for. A method with a computed name has one, and so has what was renamed: stack traces print that.
 */

/** `JSReceiver::properties_or_hash`, and arrays: a length, then the elements. */
const PROPERTIES = 8;
const ELEMENTS = 16;
/** `Map` (src/objects/map.tq): sizes in words, flags, and the array of what properties its objects have. */
const SIZES = 8;
const FLAGS = 16;
const DESCRIPTORS = 40;
/** `Map::bit_field3`: the number of properties, and whether they are in a dictionary instead. */
const IS_DICTIONARY = 1 << 21;
const COUNT_SHIFT = 10;
const COUNT_MASK = 1023;
/** `PropertyDetails` (src/objects/property-details.h): data or accessor, in a field or in the descriptor itself. */
const IS_ACCESSOR = 1;
const IS_IN_DESCRIPTOR = 1 << 5;
const FIELD_SHIFT = 19;
const FIELD_MASK = 1023;
/** A descriptor, and an entry of a dictionary, is a key and two more words: details and value, value and details. */
const ENTRY = 24;
/** `NameDictionary`: three counts, the third of all places, and three words of its own before the entries. */
const CAPACITY = ELEMENTS + 2 * 8;
const ENTRIES = ELEMENTS + 6 * 8;
/** No function has more properties; a larger one is none. */
const MAX_CAPACITY = 1 << 14;

/** Where functions with a map have their name: how far in the object or in its properties, or the string itself. */
type Where =
  | { readonly in: "object" | "properties"; readonly offset: number }
  | { readonly in: "map"; readonly name: number }
  | { readonly in: "dictionary" };

/** Reads the names that functions have as a property of their own. */
export class OwnNames {
  readonly #heap: Heap;
  readonly #where = new Map<number, Where | undefined>();
  /** By address of a key: whether it is "name". */
  readonly #keys = new Map<number, boolean>();

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  /** The name that a closure was given; undefined where it has none of its own, or one that is no string. */
  of(closure: number): string | undefined {
    const heap = this.#heap;
    const map = heap.word(closure, 0);
    let where = this.#where.get(map);
    if (where === undefined && !this.#where.has(map)) {
      const { adrift } = heap;
      where = this.#find(map);
      if (heap.adrift === adrift) this.#where.set(map, where);
    }
    if (where === undefined) return undefined;
    if (where.in === "map") return heap.name(heap.noted(where.name));
    if (where.in === "object") return heap.name(heap.follow(closure, where.offset));
    const properties = heap.follow(closure, PROPERTIES);
    return where.in === "dictionary"
      ? this.#inDictionary(properties)
      : heap.name(heap.follow(properties, where.offset));
  }

  #find(map: number): Where | undefined {
    const heap = this.#heap;
    const flags = heap.u32(map, FLAGS);
    if ((flags & IS_DICTIONARY) !== 0) return { in: "dictionary" };
    const descriptors = heap.follow(map, DESCRIPTORS);
    if (heap.typeOf(descriptors) < 0) return undefined;
    const count = (flags >>> COUNT_SHIFT) & COUNT_MASK;
    for (let at = heap.layout.descriptors, index = 0; index < count; index++, at += ENTRY) {
      if (!this.#isName(heap.word(descriptors, at))) continue;
      const details = heap.smi(descriptors, at + 8);
      if ((details & IS_ACCESSOR) !== 0) return undefined;
      if ((details & IS_IN_DESCRIPTOR) !== 0) return { in: "map", name: heap.word(descriptors, at + 16) };
      const field = (details >>> FIELD_SHIFT) & FIELD_MASK;
      const sizes = heap.u32(map, SIZES);
      const [size, first] = [sizes & 255, (sizes >>> 8) & 255];
      const inside = size - first;
      return field < inside
        ? { in: "object", offset: (first + field) * 8 }
        : { in: "properties", offset: ELEMENTS + (field - inside) * 8 };
    }
    return undefined;
  }

  #inDictionary(dictionary: number): string | undefined {
    const heap = this.#heap;
    if (heap.typeOf(dictionary) < 0) return undefined;
    const capacity = Math.min(heap.smi(dictionary, CAPACITY), MAX_CAPACITY);
    for (let index = 0, at = ENTRIES; index < capacity; index++, at += ENTRY) {
      if (this.#isName(heap.word(dictionary, at))) return heap.name(heap.word(dictionary, at + 8));
    }
    return undefined;
  }

  #isName(key: number): boolean {
    let is = this.#keys.get(key);
    if (is === undefined)
      this.#keys.set(key, (is = this.#heap.isString(key) && this.#heap.string(key, 5) === "name"));
    return is;
  }
}
