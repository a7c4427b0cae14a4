import { closeSync, openSync, readFileSync, readSync } from "node:fs";

/*
 * Reads all that a process has in memory and no file backs, one stretch after the other, and does nothing with it: no
 * reader of that memory can be faster. Says what it took.
 */

const PAGE = 4096;
const BUFFER = 8 << 20;
/** Bits 63 and 62 of a word of pagemap: present, swapped out. */
const HAS_CONTENT = 0xc0;

const pid = process.argv[2];

/** From the first address to that after the last, of all pages in use that are next to each other. */
function resident() {
  const found = [];
  const pagemap = openSync(`/proc/${pid}/pagemap`, "r");
  for (const line of readFileSync(`/proc/${pid}/maps`, "latin1").split("\n")) {
    const [, start, end, path] = /^(\w+)-(\w+) rw\S+ \S+ \S+ \S+\s*(.*)$/.exec(line) ?? [];
    if (start === undefined || path !== "") continue;
    const from = Number.parseInt(start, 16);
    const pages = (Number.parseInt(end, 16) - from) / PAGE;
    const words = Buffer.alloc(pages * 8);
    readSync(pagemap, words, 0, words.length, (from / PAGE) * 8);
    for (let page = 0, first = -1; page <= pages; page++) {
      const isIn = page < pages && (words[page * 8 + 7] & HAS_CONTENT) !== 0;
      if (isIn && first < 0) first = page;
      if (isIn || first < 0) continue;
      found.push([from + first * PAGE, from + page * PAGE]);
      first = -1;
    }
  }
  closeSync(pagemap);
  return found;
}

const stretches = resident();
const memory = openSync(`/proc/${pid}/mem`, "r");
// Filled: the first write to each of its pages is not to be measured.
const buffer = Buffer.alloc(BUFFER, 1);
const cpu = process.cpuUsage();
const started = performance.now();
let bytes = 0;
for (const [from, to] of stretches) {
  for (let at = from; at < to; at += BUFFER)
    bytes += readSync(memory, buffer, 0, Math.min(BUFFER, to - at), at);
}
const wall = performance.now() - started;
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify({ wall, cpu: (user + system) / 1_000, bytes, stretches: stretches.length }));
