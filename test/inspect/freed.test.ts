import { describe, expect, test } from "vitest";
import { CHUNK } from "../../src/inspect/chunks.ts";
import { Heap } from "../../src/inspect/heap.ts";
import { heapChunks } from "../../src/inspect/heap-chunks.ts";
import { readDump } from "../../src/inspect/reading.ts";
import { openTarget } from "../../src/inspect/target.ts";
import { nodes, Program } from "./programs.ts";

/** How many words of the heaps of a process lead to the map of an async function: live ones, and what is left of others. */
function traces(pid: number): number {
  const { memory, layout } = openTarget(pid);
  try {
    const heap = new Heap(memory, layout);
    let count = 0;
    for (const chunk of [...heapChunks(heap).values()].flat()) {
      for (let at = chunk; at < chunk + CHUNK; at += 8) {
        const word = memory.word(at);
        if (word % 2 === 1 && heap.typeOfMap(word) === layout.types.asyncFunction) count++;
      }
    }
    return count;
  } finally {
    memory.close();
  }
}

describe.skipIf(process.platform !== "linux")("functions that were collected", () => {
  test.each(
    nodes().flatMap(([name, node]) => [["young", name, node] as const, ["old", name, node] as const]),
  )("when they were %s are not shown, though their words are still there, on %s", async (age, _, node) => {
    const target = await Program.node("freed.cjs", [age], { node, flags: ["--expose-gc"] });
    const names = readDump(target.pid).graph.functions.map(({ name }) => name);
    expect(names.filter((name) => name === "kept")).toHaveLength(1);
    expect(names.filter((name) => name === "lost")).toHaveLength(0);
    expect(traces(target.pid)).toBeGreaterThan(names.length + 100);
  });
});
