import { inspect } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { SuspendedFunction } from "../../src/inspect/graph.ts";
import { openDump } from "../../src/inspect/flat-dump.ts";
import { groupStacks, wordOf } from "../../src/inspect/groups.ts";
import { GraphMaker, toColumns } from "./graph-maker.ts";

/** Any graph: of functions with one of a few names, each awaited by any others, itself among them. */
const graphs = fc
  .array(
    fc.record({ name: fc.nat({ max: 3 }), awaitedBy: fc.array(fc.nat({ max: 11 }), { maxLength: 3 }) }),
    {
      maxLength: 12,
    },
  )
  .map((rows) => {
    const graph = new GraphMaker();
    const lists = rows.map((): SuspendedFunction[] => []);
    for (const [row, { name }] of rows.entries()) graph.add(`f${name}`, `/app/x.js:${name}:1`, lists[row]);
    for (const [row, { awaitedBy }] of rows.entries()) {
      for (const awaiter of new Set(awaitedBy)) {
        const one = graph.functions[awaiter];
        if (one !== undefined) lists[row]?.push(one);
      }
    }
    return graph.functions;
  });

test("every function is in a group, and in each stack every function is awaited by the next", () => {
  fc.assert(
    fc.property(graphs, (functions) => {
      const columns = toColumns(functions);
      const groups = groupStacks(columns);
      const words = functions.map((one) => wordOf(one, undefined));
      const told = new Set(groups.flatMap(({ frames }) => frames.map((row) => words[row])));
      expect(told).toEqual(new Set(words));
      for (const { frames } of groups) {
        expect(new Set(frames).size).toBe(frames.length);
        for (const [index, row] of frames.slice(1).entries())
          expect(functions[frames[index] as number]?.awaitedBy).toContain(functions[row]);
      }
    }),
  );
});

test("no two groups read the same, the largest come first, and together they are all stacks", () => {
  fc.assert(
    fc.property(graphs, (functions) => {
      const groups = groupStacks(toColumns(functions));
      const texts = groups.map(({ frames }) => frames.map((row) => functions[row]?.name).join(" "));
      expect(new Set(texts).size).toBe(texts.length);
      expect(groups.map(({ count }) => count)).toEqual(
        groups.map(({ count }) => count).toSorted((a, b) => b - a),
      );
      const awaiting = new Set(functions.flatMap(({ awaitedBy }) => awaitedBy));
      const leaves = functions.filter((one) => !awaiting.has(one)).length;
      const awaits = functions.reduce((sum, { awaitedBy }) => sum + awaitedBy.length, 0);
      const stacks = groups.reduce((sum, { count }) => sum + count, 0);
      expect(stacks).toBeGreaterThanOrEqual(leaves);
      expect(stacks).toBeLessThanOrEqual(functions.length + awaits);
    }),
  );
});

test("what is written down in columns reads as it was", () => {
  fc.assert(
    fc.property(graphs, (functions) => {
      const graph = toColumns(functions);
      const target = {
        pid: 1,
        node: undefined,
        v8: "",
        arch: "",
        wasIdle: true,
        wasStopped: false,
        stops: [],
      };
      const back = openDump({ reader: "memory", target, graph, groups: [], warnings: [] }).graph.functions;
      const lines = (all: readonly SuspendedFunction[]): string[] =>
        all.map((one) => [one, ...one.awaitedBy].map((each) => wordOf(each, each.task?.path)).join());
      expect(lines(back)).toEqual(lines(functions));
    }),
  );
});

test("a function shows what it is where it is logged, its awaiters by name", () => {
  const graph = new GraphMaker();
  graph.stack(["read", "/app/read.js:10:3"], ["handle", "/app/handle.js:20:5"]);
  const [, one] = graph.dump().graph.functions;
  expect(inspect(one)).toMatch(
    /name: 'read'.*\n.*place: \{ line: 10, column: 3 \}.*awaitedBy: \[ 'handle' \]/s,
  );
});
