import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { systemCode } from "./errors.ts";
import { mappings } from "./mappings.ts";
import type { Region } from "./mappings.ts";

/** 64-bit words of `/proc/PID/pagemap` that are read at once. */
const PAGEMAP_WORDS = 16_384;
/** Present, or swapped out: the two uppermost bits of a pagemap word (proc_pid_pagemap(5)). */
const HAS_CONTENT = 0xc0;

/**
 * The anonymous memory that a process may write to and has touched: where a heap may be. Pages that were never touched
 * are left out: a heap reserves far more than it uses.
 */
export function heapRegions(root: string): Region[] {
  const regions = mappings(root)
    .filter(({ rights, path }) => rights.startsWith("rw") && path === "")
    .map(({ from, to }) => ({ from, to }));
  let fd: number;
  try {
    fd = openSync(`${root}/pagemap`, "r");
  } catch {
    // Not allowed to look, or no such file: reading them all is slower, and finds the same.
    return regions;
  }
  try {
    const buffer = Buffer.allocUnsafeSlow(PAGEMAP_WORDS * 8);
    const page = kernelPage();
    return regions.flatMap((region) => [...touchedIn(region, fd, page, buffer)]);
  } finally {
    closeSync(fd);
  }
}

function* touchedIn({ from, to }: Region, fd: number, pageSize: number, buffer: Buffer): Generator<Region> {
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
const USUAL_PAGE = 4096;
let kernelPageSize: number | undefined;

/** The size of a page as the kernel of this machine counts them: 64 KB on some with arm64. */
function kernelPage(): number {
  if (kernelPageSize !== undefined) return kernelPageSize;
  const vector = readFileSync("/proc/self/auxv");
  let size = USUAL_PAGE;
  for (let at = 0; at + 16 <= vector.length; at += 16) {
    if (vector.readBigUInt64LE(at) === PAGE_SIZE) size = Number(vector.readBigUInt64LE(at + 8));
  }
  return (kernelPageSize = size);
}
