/** What is read and kept at once; the kernel's own pages are as large, or larger. */
export const PAGE = 4096;
const WORDS = PAGE >> 2;
const SET_BITS = 11;
/** Places for pages: 2,048 sets of 4. */
const SETS = 1 << SET_BITS;
const WAYS = 4;
const NONE = -1;
/** 2 ** 32 divided by the golden ratio: spreads neighbours over the sets. */
const SPREAD = 0x9e37_79b1;

/**
 * Pages of another process's memory, 32 MB of them at most: of as many as a set has room for, the oldest one gives way
 * (a set-associative cache, as processors have). Memory is taken as it is filled. With twice as much V8 would collect
 * garbage at every other buffer: memory outside of its heap counts.
 */
export class PageCache {
  readonly #read: (into: Buffer, address: number) => boolean;
  readonly #buffer = Buffer.allocUnsafeSlow(SETS * WAYS * PAGE);
  /** Which page is in a place. */
  readonly #pages = new Float64Array(SETS * WAYS).fill(NONE);
  /** Whether it is mapped at all. */
  readonly #isMapped = new Uint8Array(SETS * WAYS);
  readonly #oldest = new Uint8Array(SETS);
  /** All of them, as words. */
  readonly words = new Uint32Array(this.#buffer.buffer, this.#buffer.byteOffset, SETS * WAYS * WORDS);

  /** `read` fills a buffer of one page from an address, and returns whether it could. */
  constructor(read: (into: Buffer, address: number) => boolean) {
    this.#read = read;
  }

  forget(): void {
    this.#pages.fill(NONE);
  }

  /** Where in `words` a page begins; -1 where nothing is mapped. */
  find(page: number): number {
    const set = Math.imul(page | 0, SPREAD) >>> (32 - SET_BITS);
    const first = set * WAYS;
    for (let place = first; place < first + WAYS; place++) {
      if (this.#pages[place] === page) return this.#isMapped[place] === 1 ? place * WORDS : NONE;
    }
    return this.#fill(page, set);
  }

  #fill(page: number, set: number): number {
    const way = this.#oldest[set] as number;
    this.#oldest[set] = (way + 1) % WAYS;
    const place = set * WAYS + way;
    const isMapped = this.#read(this.#buffer.subarray(place * PAGE, (place + 1) * PAGE), page * PAGE);
    this.#pages[place] = page;
    this.#isMapped[place] = isMapped ? 1 : 0;
    return isMapped ? place * WORDS : NONE;
  }
}
