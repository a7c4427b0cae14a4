import { closeSync, openSync, readSync } from "node:fs";

/*
 * Reads symbols of an ELF file by name, through its GNU hash table: some forty names out of forty thousand, so that
 * neither the symbol table nor the string table is read as a whole.
 * (System V ABI, "Object Files"; for the hash table: binutils, `elf_link_hash`, and Ali Bahrami, "GNU Hash ELF
 * Sections", 2009.)
 */

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const DT_STRTAB = 5;
const DT_SYMTAB = 6;
const DT_GNU_HASH = 0x6ffffef5;
const SYMBOL_SIZE = 24;
const ET_DYN = 3;

/** Architectures by the number in the header. */
const MACHINES: Readonly<Record<number, string>> = { 62: "x64", 183: "arm64" };

interface Segment {
  readonly address: number;
  readonly offset: number;
  readonly size: number;
}

/** One executable or library. Close it. */
export class ElfFile {
  readonly machine: string;
  /** Whether it may be loaded anywhere: then symbols are relative to where it is. */
  readonly isRelocatable: boolean;
  readonly #fd: number;
  readonly #segments: readonly Segment[];
  readonly #dynamic: ReadonlyMap<number, number>;

  /** Throws what `open` throws, and an Error for what is no 64-bit little-endian ELF file. */
  constructor(path: string) {
    this.#fd = openSync(path, "r");
    try {
      const header = this.#readFile(0, 64);
      if (header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2 || header[5] !== 1)
        throw new Error(`${path} is no 64-bit little-endian ELF file`);
      this.isRelocatable = header.readUInt16LE(16) === ET_DYN;
      const machine = header.readUInt16LE(18);
      this.machine = MACHINES[machine] ?? `machine ${machine}`;
      const programs = this.#readFile(toNumber(header, 32), header.readUInt16LE(56) * 56);
      this.#segments = segments(programs, PT_LOAD);
      this.#dynamic = this.#readDynamic(segments(programs, PT_DYNAMIC)[0]);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Where a symbol is, as a virtual address; undefined where the file does not define it. */
  symbol(name: string): number | undefined {
    const table = this.#dynamic.get(DT_GNU_HASH);
    const symbols = this.#dynamic.get(DT_SYMTAB);
    const strings = this.#dynamic.get(DT_STRTAB);
    if (table === undefined || symbols === undefined || strings === undefined) return undefined;
    const head = this.read(table, 16);
    if (head === undefined) return undefined;
    const [buckets, first, blooms] = [head.readUInt32LE(0), head.readUInt32LE(4), head.readUInt32LE(8)];
    const hash = gnuHash(name);
    const bucketTable = table + 16 + blooms * 8;
    let index = this.read(bucketTable + (hash % buckets) * 4, 4)?.readUInt32LE(0) ?? 0;
    if (index < first) return undefined;
    const chain = bucketTable + buckets * 4;
    const wanted = Buffer.from(`${name}\0`, "latin1");
    for (; ; index++) {
      const entry = this.read(chain + (index - first) * 4, 4)?.readUInt32LE(0);
      if (entry === undefined) return undefined;
      if ((entry | 1) === (hash | 1)) {
        const symbol = this.read(symbols + index * SYMBOL_SIZE, SYMBOL_SIZE);
        if (symbol === undefined) return undefined;
        const found = this.read(strings + symbol.readUInt32LE(0), wanted.length);
        if (found?.equals(wanted) === true) return toNumber(symbol, 8);
      }
      if ((entry & 1) !== 0) return undefined;
    }
  }

  /** Initial bytes of the image at a virtual address; undefined where the file has none. */
  read(address: number, size: number): Buffer | undefined {
    const segment = this.#segments.find(
      (one) => address >= one.address && address + size <= one.address + one.size,
    );
    return segment && this.#readFile(address - segment.address + segment.offset, size);
  }

  /** The value of a 32-bit constant that is exported by name. */
  constant(name: string): number | undefined {
    const address = this.symbol(name);
    return address === undefined ? undefined : this.read(address, 4)?.readInt32LE(0);
  }

  #readDynamic(segment: Segment | undefined): Map<number, number> {
    const found = new Map<number, number>();
    if (segment === undefined) return found;
    const entries = this.#readFile(segment.offset, segment.size);
    for (let at = 0; at + 16 <= entries.length; at += 16)
      found.set(toNumber(entries, at), toNumber(entries, at + 8));
    return found;
  }

  #readFile(offset: number, size: number): Buffer {
    const buffer = Buffer.alloc(size);
    const count = readSync(this.#fd, buffer, 0, size, offset);
    return count === size ? buffer : buffer.subarray(0, count);
  }
}

function segments(programs: Buffer, kind: number): Segment[] {
  const found: Segment[] = [];
  for (let at = 0; at + 56 <= programs.length; at += 56) {
    if (programs.readUInt32LE(at) !== kind) continue;
    found.push({
      offset: toNumber(programs, at + 8),
      address: toNumber(programs, at + 16),
      size: toNumber(programs, at + 32),
    });
  }
  return found;
}

function toNumber(buffer: Buffer, at: number): number {
  return Number(buffer.readBigUInt64LE(at));
}

/** The hash function of `DT_GNU_HASH`: Bernstein's, 33 times and add. */
function gnuHash(name: string): number {
  let hash = 5381;
  for (let at = 0; at < name.length; at++) hash = (Math.imul(hash, 33) + name.charCodeAt(at)) >>> 0;
  return hash;
}
