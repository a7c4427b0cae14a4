import { describe, expect, test } from "vitest";
import { readInAgreement } from "../../src/inspect/agreement.ts";
import { Heap } from "../../src/inspect/heap.ts";
import { Isolates } from "../../src/inspect/isolates.ts";
import type { Layout } from "../../src/inspect/layout.ts";
import { openTarget } from "../../src/inspect/target.ts";
import { verify } from "../../src/inspect/verify.ts";
import { Program } from "./programs.ts";

/** Reads a process that waits at an await, by a layout that may be wrong, and verifies it. */
async function verified(change: (layout: Layout) => Layout): Promise<void> {
  const { pid } = await Program.node("waits.cjs");
  const { memory, layout } = openTarget(pid);
  try {
    const own = change(layout);
    const agreed = readInAgreement(memory, own);
    const heap = new Heap(memory, own);
    verify(heap, new Isolates(heap), agreed);
  } finally {
    memory.close();
  }
}

describe.skipIf(process.platform !== "linux")("a layout", () => {
  test("that is right passes", async () => {
    await expect(verified((layout) => layout)).resolves.toBeUndefined();
  });

  const wrong: [string, (layout: Layout) => Layout, RegExp][] = [
    ["of heaps", (layout) => ({ ...layout, heapOfChunk: [40] }), /no heap of V8/],
    [
      "of source positions",
      (layout) => ({
        ...layout,
        positionEntries: layout.positionEntries === "signed" ? "flagged" : "signed",
      }),
      /there is no await/,
    ],
    [
      "of bytecode",
      (layout) => ({
        ...layout,
        fields: { ...layout.fields, bytecodeStart: layout.fields.bytecodeStart + 4096 },
      }),
      /outside of its bytecode/,
    ],
    [
      "of maps",
      (layout) => ({
        ...layout,
        fields: { ...layout.fields, mapInstanceType: layout.fields.mapInstanceType + 8 },
      }),
      /no maps/,
    ],
    [
      "of scripts",
      (layout) => ({
        ...layout,
        fields: { ...layout.fields, sharedScript: layout.fields.sharedScript + 80 },
      }),
      /lead to no script/,
    ],
  ];
  test.each(wrong)("%s that is wrong is refused", async (_, change, words) => {
    await expect(verified(change)).rejects.toMatchObject({
      code: "HF_LAYOUT_MISMATCH",
      message: expect.stringMatching(words),
    });
  });
});
