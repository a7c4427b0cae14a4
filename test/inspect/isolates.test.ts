import { closeSync, openSync, writeSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Heap } from "../../src/inspect/heap.ts";
import { heapChunks } from "../../src/inspect/heap-chunks.ts";
import { mappings } from "../../src/inspect/mappings.ts";
import { readDump } from "../../src/inspect/reading.ts";
import { openTarget } from "../../src/inspect/target.ts";
import { fixture, nodes, Program } from "./programs.ts";

/** In front of a heap there is its isolate, and what stands before that in the same memory. */
const NEAR = 1 << 17;

/** Leaves an address of the main thread's stack in the memory of every other isolate, as whoever had it before may. */
function litter(pid: number): number {
  const { memory, layout } = openTarget(pid);
  const fd = openSync(`/proc/${pid}/mem`, "r+");
  try {
    const maps = mappings(memory.root);
    const stack = maps.find(({ path }) => path === "[stack]");
    if (stack === undefined) throw new Error("the kernel names no stack");
    const left = Buffer.alloc(8);
    left.writeBigUInt64LE(BigInt(stack.to - 4096));
    let count = 0;
    for (const heap of heapChunks(new Heap(memory, layout)).keys()) {
      if (maps.some(({ from, to, path }) => path === "[heap]" && from <= heap && heap < to)) continue;
      for (let at = heap - NEAR; at < heap; at += 8) {
        if (memory.word(at) !== 0) continue;
        writeSync(fd, left, 0, left.length, at);
        count++;
        break;
      }
    }
    return count;
  } finally {
    closeSync(fd);
    memory.close();
  }
}

describe.skipIf(process.platform !== "linux").each(nodes())("isolates, on %s", (_, node) => {
  test("the main thread's is told by its bound, not by an address that is left over in another's memory", async () => {
    const { pid } = await Program.start(node, [fixture("workers.cjs")]);
    expect(litter(pid)).toBe(3);
    const { functions } = readDump(pid).graph;
    const isolateOf = (name: string): number[] =>
      functions.filter((one) => one.name === name).map(({ isolate }) => isolate);
    expect(isolateOf("mainWaits")).toEqual([0]);
    expect(isolateOf("workerWaits").toSorted((a, b) => a - b)).toEqual([1, 2, 3]);
  });
});
