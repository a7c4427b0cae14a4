import { readFileSync } from "node:fs";

/** Of the memory that is filled, so much is outside of the heap, in buffers. */
const IN_BUFFERS = 0.1;
const BUFFER = 256 << 10;
/** Nobody comes nearer to a size that the collector has its say in. */
const NEAR_ENOUGH = 0.02;
const MAX_STEPS = 12;

/** In groups: one array of millions would be a large object, and be copied while it grows. */
const kept = [];

/** Fills the process with ordinary objects, until so many MB are its own. */
export function fill(megabytes) {
  const aim = megabytes * 1e6;
  // What has been collected is given back late: each step goes most of the way, and looks again.
  for (let step = 0; step < MAX_STEPS; step++) {
    // The first moves what is young, the second gives back what it has left.
    globalThis.gc();
    globalThis.gc();
    const missing = aim - ownMemory();
    if (missing < aim * NEAR_ENOUGH) break;
    add(missing * 0.7);
  }
}

function add(bytes) {
  const buffers = bytes * IN_BUFFERS;
  for (let size = 0; size < buffers; size += BUFFER)
    kept.push(Buffer.alloc(BUFFER, "of a file that is read"));
  const { heapUsed } = process.memoryUsage();
  while (process.memoryUsage().heapUsed - heapUsed < bytes - buffers) kept.push(records(1_000));
}

function records(count) {
  return Array.from({ length: count }, (_, id) => ({
    id,
    name: `customer ${id} of ${kept.length}`,
    balance: id * 1.25,
    tags: ["new", id % 2 === 0 ? "even" : "odd"],
    address: { street: `street ${id % 97}`, zip: 10_000 + id, isHome: true },
    orders: new Map([[id, { at: 1_700_000_000_000 + id, lines: [id, id + 1, id + 2] }]]),
    render: () => id,
  }));
}

/** Bytes of memory that no file backs: what of a process is its own. */
function ownMemory() {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(/^RssAnon:\s*(\d+)/m.exec(status)?.[1]) * 1024;
}
