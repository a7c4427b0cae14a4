type Numbers = Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

const FIRST_LENGTH = 1024;

/**
 * A list of numbers that grows, in one piece of memory. A reader holds millions of them: as objects they would take
 * several times as much, and keep the collector busy.
 */
export class Column<T extends Numbers> {
  readonly #make: (length: number) => T;
  #values: T;
  #length = 0;

  constructor(make: (length: number) => T) {
    this.#make = make;
    this.#values = make(FIRST_LENGTH);
  }

  static ofAddresses(): Column<Float64Array<ArrayBuffer>> {
    return new Column((length) => new Float64Array(length));
  }

  static ofNumbers(): Column<Int32Array<ArrayBuffer>> {
    return new Column((length) => new Int32Array(length));
  }

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#values.length) this.#grow();
    this.#values[this.#length++] = value;
  }

  /** NaN beyond the end. */
  at(index: number): number {
    return index < this.#length ? (this.#values[index] as number) : Number.NaN;
  }

  set(index: number, value: number): void {
    if (index < this.#length) this.#values[index] = value;
  }

  /** A copy, as long as the list is now. */
  toArray(): T {
    return this.#values.slice(0, this.#length) as T;
  }

  #grow(): void {
    const values = this.#make(this.#values.length * 2);
    values.set(this.#values);
    this.#values = values;
  }
}
