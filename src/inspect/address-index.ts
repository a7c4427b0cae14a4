import { Column } from "./column.ts";

const FIRST_PLACES = 4096;
const EMPTY = -1;
/** 2 ** 32 divided by the golden ratio (Knuth, The Art of Computer Programming, 6.4): spreads neighbours. */
const SPREAD = 0x9e37_79b1;

/**
 * Addresses of objects, each with the number of its row: in the order in which they were added. A hash table of numbers
 * with open addressing; a `Map` would hold every address as an object of its own.
 */
export class AddressIndex {
  readonly #addresses = Column.ofAddresses();
  #places = new Int32Array(FIRST_PLACES).fill(EMPTY);
  #shift = 32 - Math.log2(FIRST_PLACES);

  get length(): number {
    return this.#addresses.length;
  }

  /** NaN where there is no such row. */
  addressOf(row: number): number {
    return this.#addresses.at(row);
  }

  /** The row of an address; -1 where it was not added. */
  find(address: number): number {
    const mask = this.#places.length - 1;
    for (let place = this.#placeOf(address); ; place = (place + 1) & mask) {
      const row = this.#places[place] as number;
      if (row === EMPTY || this.#addresses.at(row) === address) return row;
    }
  }

  /** Adds one that is not there yet. Returns its row. */
  add(address: number): number {
    const row = this.#addresses.length;
    this.#addresses.push(address);
    if (row * 2 >= this.#places.length) this.#grow();
    else this.#put(row);
    return row;
  }

  #placeOf(address: number): number {
    return Math.imul((address / 8) | 0, SPREAD) >>> this.#shift;
  }

  #put(row: number): void {
    const mask = this.#places.length - 1;
    let place = this.#placeOf(this.#addresses.at(row));
    while (this.#places[place] !== EMPTY) place = (place + 1) & mask;
    this.#places[place] = row;
  }

  #grow(): void {
    this.#places = new Int32Array(this.#places.length * 2).fill(EMPTY);
    this.#shift--;
    for (let row = 0; row < this.#addresses.length; row++) this.#put(row);
  }
}
