/** A place in a `Fifo`, by which it can be left early. */
export class FifoEntry<T> {
  readonly value: T;
  readonly list: Fifo<T>;
  prev: FifoEntry<T> | undefined = undefined;
  next: FifoEntry<T> | undefined = undefined;
  constructor(value: T, list: Fifo<T>) {
    this.value = value;
    this.list = list;
  }

  /** Takes it out, once. */
  leave(): void {
    const { list, prev, next } = this;
    if (prev === undefined) list.first = next;
    else prev.next = next;
    if (next === undefined) list.last = prev;
    else next.prev = prev;
    list.size--;
    this.prev = this.next = undefined;
  }
}

/** First in, first out, with constant-time removal from the middle: who waits may be cancelled. */
export class Fifo<T> {
  first: FifoEntry<T> | undefined = undefined;
  last: FifoEntry<T> | undefined = undefined;
  size = 0;

  push(value: T): FifoEntry<T> {
    const entry = new FifoEntry(value, this);
    entry.prev = this.last;
    if (this.last === undefined) this.first = entry;
    else this.last.next = entry;
    this.last = entry;
    this.size++;
    return entry;
  }
}
