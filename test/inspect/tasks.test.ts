import { describe, expect, test } from "vitest";
import { MARKER } from "../../src/core/marker.ts";
import { readDump } from "../../src/inspect/reading.ts";
import { nodes, Program } from "./programs.ts";

/** The layout of tasks is known by the marker in the core: what holdfast says of its tasks the reader must say, too. */
const inNodes = nodes().filter(([name]) => name !== "node20");

describe.skipIf(process.platform !== "linux")("a task of holdfast", () => {
  test.each(inNodes)("is called in a dump what holdfast calls it, on %s", async (_, node) => {
    const target = await Program.node("tasks.mjs", [], { node });
    const told = JSON.parse(target.output.split("\n")[0] ?? "") as Record<string, unknown>;
    expect(Object.keys(told).length).toBeGreaterThan(12);
    const { functions } = readDump(target.pid).graph;
    const seen = functions
      .filter(({ name }) => name.startsWith("in") && name in told)
      .map(({ name, task }) => [name, task] as const);
    expect(Object.fromEntries(seen)).toEqual(told);
    expect(seen).toHaveLength(Object.keys(told).length);
  });

  test("is known by a marker that names its layout: where that changes, so does the number", () => {
    expect(MARKER).toBe("holdfast:tasks:1");
  });
});
