import { closeSync, openSync, readSync } from "node:fs";
import { systemCode } from "./errors.ts";
import { PAGE, PageCache } from "./page-cache.ts";

/** User space ends here: on arm64 at 48 bits, on x86-64 before that. */
export const ADDRESS_LIMIT: number = 2 ** 48;

/**
 * The memory of a process through `/proc/PID/mem`: nothing runs in it, nothing stops it. What is read is kept by
 * pages, as far as there is room, so that one look at it is a picture of (nearly) one moment; `forget()` begins another.
 * Addresses are numbers: of the 64 bits no more than 47 are in use.
 */
export class ProcessMemory {
  readonly root: string;
  readonly #fd: number;
  readonly #pages: PageCache;
  readonly #words: Uint32Array;
  /** The page that was asked for last, and where its words begin. */
  #page = -1;
  #start = -1;

  /** `pid` or "self". Throws what `open` throws. */
  constructor(pid: number | "self") {
    this.root = `/proc/${pid}`;
    this.#fd = openSync(`${this.root}/mem`, "r");
    this.#pages = new PageCache((into, address) => this.readInto(into, PAGE, address) === PAGE);
    this.#words = this.#pages.words;
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Forgets what was read. */
  forget(): void {
    this.#pages.forget();
    this.#page = -1;
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
    return (this.#words[at + 1] as number) * 4_294_967_296 + (this.#words[at] as number);
  }

  /** A 32-bit word at an address that is a multiple of four; NaN where nothing is mapped. */
  u32(address: number): number {
    const at = this.#find(address);
    return at < 0 ? Number.NaN : (this.#words[at] as number);
  }

  /** Copies 32-bit words from an address that is a multiple of four; 0 for those that are not mapped. */
  copyWords(into: Uint32Array, address: number): void {
    const at = this.#find(address);
    const isInOnePage = (address % PAGE) + into.byteLength <= PAGE;
    for (let i = 0; i < into.length; i++)
      into[i] = at >= 0 && isInOnePage ? (this.#words[at + i] as number) : this.u32(address + i * 4);
  }

  /** A 16-bit word at an address that is a multiple of two; NaN where nothing is mapped. */
  u16(address: number): number {
    const at = this.#find(address);
    if (at < 0) return Number.NaN;
    const both = this.#words[at] as number;
    return (address & 3) < 2 ? both & 0xffff : both >>> 16;
  }

  /** Where a word of an address is, as an index of 32 bits into `#words`; -1 where nothing is mapped. */
  #find(address: number): number {
    // What is no address at all may be asked for, too: words are looked at before it is known what they are.
    if (!(address >= 0 && address < ADDRESS_LIMIT)) return -1;
    const page = Math.floor(address / PAGE);
    if (page !== this.#page) {
      this.#start = this.#pages.find(page);
      this.#page = page;
    }
    return this.#start < 0 ? -1 : this.#start + ((address - page * PAGE) >> 2);
  }
}
