import { describe, expect, test } from "vitest";
import { Contexts } from "../../src/inspect/contexts.ts";
import { readDump } from "../../src/inspect/reading.ts";
import { GraphMaker } from "./graph-maker.ts";
import { fixture, nodes, Program } from "./programs.ts";

describe("contexts", () => {
  test("one thread with one context needs no heading", () => {
    const made = new GraphMaker();
    const frame = made.stack(["inner", "/app/x.js:1:1"], ["outer", "/app/x.js:2:1"]);
    const contexts = new Contexts(made.dump());
    expect(contexts.threads).toEqual([{ thread: 0, suspended: 2, contexts: 1 }]);
    expect(contexts.headings).toEqual([""]);
    expect(contexts.headingOf([frame])).toBe("");
  });

  test("the thread's own context is the one that has functions of Node, however few", () => {
    const made = new GraphMaker();
    const node = made.add("read", "node:internal/fs:1:1", [], { realm: 3 });
    for (let index = 0; index < 5; index++) made.add("many", "/vm/a.js:1:1", [], { realm: 7 });
    const many = made.functions.at(-1);
    const contexts = new Contexts(made.dump());
    expect(contexts.of([node])).toBe(0);
    expect(many && contexts.of([many])).toBe(1);
    expect(contexts.headingOf([node])).toBe("context 1 of 2");
    expect(contexts.headings).toEqual(["context 1 of 2", "context 2 of 2"]);
  });

  test("without such functions it is the largest", () => {
    const made = new GraphMaker();
    const few = made.add("few", "/vm/a.js:1:1", [], { realm: 1 });
    const many = [0, 1].map(() => made.add("many", "/app/b.js:1:1", [], { realm: 2 }));
    const contexts = new Contexts(made.dump());
    expect(contexts.of([few])).toBe(1);
    expect(contexts.of(many)).toBe(0);
  });

  test("each thread counts its own, the main thread first", () => {
    const made = new GraphMaker();
    const worker = made.add("w", "/app/w.js:1:1", [], { isolate: 2, realm: 4 });
    made.add("m", "/app/m.js:1:1", [], { realm: 1 });
    const inContext = made.add("v", "/vm/v.js:1:1", [], { isolate: 2, realm: 5 });
    made.add("w", "/app/w.js:1:1", [], { isolate: 2, realm: 4 });
    const contexts = new Contexts(made.dump());
    expect(contexts.threads.map(({ thread }) => thread)).toEqual([0, 2]);
    expect(contexts.headingOf([worker])).toBe("worker thread 2, context 1 of 2");
    expect(contexts.headingOf([inContext])).toBe("worker thread 2, context 2 of 2");
    expect(contexts.headings[0]).toBe("main thread");
  });
});

describe.skipIf(process.platform !== "linux").each(nodes())("contexts of node:vm, on %s", (_, node) => {
  test("every function is in the one in which it was made, generators and arrows as well", async () => {
    const { pid } = await Program.start(node, [fixture("contexts.cjs")]);
    const realms = new Map<string, Map<number, number>>();
    for (const { script, realm } of readDump(pid).graph.functions) {
      const counts = realms.get(script.url ?? "") ?? new Map<number, number>();
      realms.set(script.url ?? "", counts.set(realm, (counts.get(realm) ?? 0) + 1));
    }
    const here = realms.get("here.js");
    const elsewhere = realms.get("elsewhere.js");
    // Three each of a function, an arrow, a generator, an arrow that walks over another, and that generator.
    expect([...(here?.values() ?? [])]).toEqual([15]);
    expect([...(elsewhere?.values() ?? [])]).toEqual([15, 15]);
    expect([...(here?.keys() ?? [])].some((realm) => elsewhere?.has(realm))).toBe(false);
  });
});
