import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { systemCode } from "./errors.ts";

/** What is read and kept at once; the kernel's own pages are as large, or larger. */
const PAGE = 4096;
/** What is kept stands in slabs of 256 pages. */
const SLAB_BITS = 8;
const SLAB_MASK = (1 << SLAB_BITS) - 1;
/** User space ends here: on arm64 at 48 bits, on x86-64 before that. */
export const ADDRESS_LIMIT: number = 2 ** 48;
/** 64-bit words of `/proc/PID/pagemap` that are read at once. */
const PAGEMAP_WORDS = 131_072;
/** Present, or swapped out: the two uppermost bits of a pagemap word (proc_pid_pagemap(5)). */
const HAS_CONTENT = 0xc0;

/** A stretch of a process's address space, from the first address to that after the last. */
export interface Region {
  readonly from: number;
  readonly to: number;
}

/**
 * The memory of a process through `/proc/PID/mem`: nothing runs in it, nothing stops it. What is read is kept by
 * pages, so that one look at it is a picture of (nearly) one moment; `forget()` begins another.
 * Addresses are numbers: of the 64 bits no more than 47 are in use.
 */
export class ProcessMemory {
  readonly root: string;
  readonly #fd: number;
  /** By the number of a page: which slot it was read into, or -1. */
  #slots = new Map<number, number>();
  #filled = 0;
  readonly #slabs: Buffer[] = [];
  /** The slabs again, by words. */
  readonly #words: Uint32Array[] = [];
  #lastPage = -1;
  #lastSlot = -1;
  #last: Uint32Array = new Uint32Array(0);

  /** `pid` or "self". Throws what `open` throws. */
  constructor(pid: number | "self") {
    this.root = `/proc/${pid}`;
    this.#fd = openSync(`${this.root}/mem`, "r");
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Forgets what was read. */
  forget(): void {
    this.#slots = new Map();
    this.#filled = 0;
    this.#lastPage = -1;
    this.#lastSlot = -1;
  }

  /** Reads past the pages that are kept. Returns how many bytes there were, 0 for an address that is not mapped. */
  readInto(buffer: Buffer, size: number, address: number): number {
    try {
      return readSync(this.#fd, buffer, 0, size, address);
    } catch (error) {
      const code = systemCode(error);
      if (code === "EIO" || code === "EFAULT" || code === "ESRCH") return 0;
      throw error;
    }
  }

  /** Some bytes, a copy; undefined where not all of them are mapped. */
  bytes(address: number, size: number): Buffer | undefined {
    const buffer = Buffer.allocUnsafe(size);
    return this.readInto(buffer, size, address) === size ? buffer : undefined;
  }

  /** A 64-bit word at an address that is a multiple of eight; NaN where nothing is mapped. */
  word(address: number): number {
    const at = this.#find(address);
    if (at < 0) return Number.NaN;
    return (this.#last[at + 1] as number) * 4_294_967_296 + (this.#last[at] as number);
  }

  /** A 32-bit word at an address that is a multiple of four; NaN where nothing is mapped. */
  u32(address: number): number {
    const at = this.#find(address);
    return at < 0 ? Number.NaN : (this.#last[at] as number);
  }

  /** A 16-bit word at an address that is a multiple of two; NaN where nothing is mapped. */
  u16(address: number): number {
    const at = this.#find(address);
    if (at < 0) return Number.NaN;
    const both = this.#last[at] as number;
    return address % 4 < 2 ? both & 0xffff : both >>> 16;
  }

  /** Where in the slabs a word of an address is, as an index of 32 bits into `#last`; -1 where nothing is mapped. */
  #find(address: number): number {
    // What is no address at all may be asked for, too: words are looked at before it is known what they are.
    if (!(address < ADDRESS_LIMIT)) return -1;
    const number = Math.floor(address / PAGE);
    if (number !== this.#lastPage) {
      let slot = this.#slots.get(number);
      if (slot === undefined) this.#slots.set(number, (slot = this.#fill(number)));
      this.#lastPage = number;
      this.#lastSlot = slot;
      if (slot >= 0) this.#last = this.#words[slot >> SLAB_BITS] as Uint32Array;
    }
    if (this.#lastSlot < 0) return -1;
    return (((this.#lastSlot & SLAB_MASK) * PAGE) >> 2) + ((address - number * PAGE) >> 2);
  }

  /** Reads a page into the next slot; -1 where it is not mapped. Slabs outlive `forget()`: making them is slow. */
  #fill(number: number): number {
    const slot = this.#filled;
    const index = slot >> SLAB_BITS;
    let slab = this.#slabs[index];
    if (slab === undefined) {
      this.#slabs.push((slab = Buffer.allocUnsafeSlow(PAGE << SLAB_BITS)));
      this.#words.push(new Uint32Array(slab.buffer, slab.byteOffset, slab.length >> 2));
    }
    const start = (slot & SLAB_MASK) * PAGE;
    if (this.readInto(slab.subarray(start, start + PAGE), PAGE, number * PAGE) !== PAGE) return -1;
    this.#filled++;
    return slot;
  }

  /** The anonymous memory that it may write to and has touched: where a heap may be. */
  heapRegions(): Region[] {
    return this.#touched(this.#anonymous());
  }

  #anonymous(): Region[] {
    return mappings(this.root)
      .filter(({ rights, path }) => rights.startsWith("rw") && path === "")
      .map(({ from, to }) => ({ from, to }));
  }

  /** Leaves out pages that were never touched: a heap reserves far more than it uses. */
  #touched(regions: readonly Region[]): Region[] {
    let fd: number;
    try {
      fd = openSync(`${this.root}/pagemap`, "r");
    } catch {
      // Not allowed to look, or no such file: reading them all is slower, and finds the same.
      return [...regions];
    }
    try {
      const page = kernelPage();
      return regions.flatMap((region) => [...touchedIn(region, fd, page)]);
    } finally {
      closeSync(fd);
    }
  }
}

function* touchedIn({ from, to }: Region, fd: number, pageSize: number): Generator<Region> {
  const buffer = Buffer.allocUnsafe(PAGEMAP_WORDS * 8);
  let start = -1;
  for (let at = from; at < to; at += PAGEMAP_WORDS * pageSize) {
    const pages = Math.min(PAGEMAP_WORDS, (to - at) / pageSize);
    let read = 0;
    try {
      read = readSync(fd, buffer, 0, pages * 8, (at / pageSize) * 8);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      // What cannot be asked for is taken to have content.
    }
    for (let page = 0; page < pages; page++) {
      const hasContent = page * 8 >= read || ((buffer[page * 8 + 7] as number) & HAS_CONTENT) !== 0;
      const address = at + page * pageSize;
      if (hasContent) {
        if (start < 0) start = address;
      } else if (start >= 0) {
        yield { from: start, to: address };
        start = -1;
      }
    }
  }
  if (start >= 0) yield { from: start, to };
}

/** `AT_PAGESZ` of the auxiliary vector (getauxval(3)). */
const PAGE_SIZE = 6n;
let kernelPageSize: number | undefined;

/** The size of a page as the kernel of this machine counts them: 64 KB on some with arm64. */
function kernelPage(): number {
  if (kernelPageSize !== undefined) return kernelPageSize;
  const vector = readFileSync("/proc/self/auxv");
  let size = PAGE;
  for (let at = 0; at + 16 <= vector.length; at += 16) {
    if (vector.readBigUInt64LE(at) === PAGE_SIZE) size = Number(vector.readBigUInt64LE(at + 8));
  }
  return (kernelPageSize = size);
}

/** One line of `/proc/PID/maps`. */
export interface Mapping extends Region {
  readonly rights: string;
  readonly offset: number;
  /** Empty where it is anonymous. */
  readonly path: string;
}

/** What is mapped into a process, in the order of addresses. */
export function mappings(root: string): Mapping[] {
  return readFileSync(`${root}/maps`, "latin1")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const match = /^([\da-f]+)-([\da-f]+) (\S+) ([\da-f]+) \S+ \d+ *(.*)$/.exec(line);
      const [, from = "0", to = "0", rights = "", offset = "0", path = ""] = match ?? [];
      const hex = (text: string): number => Number.parseInt(text, 16);
      return { from: hex(from), to: hex(to), rights, offset: hex(offset), path };
    });
}
