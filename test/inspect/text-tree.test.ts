import { describe, expect, test } from "vitest";

import { toText } from "../../src/inspect/text.ts";
import { GraphMaker, task } from "./graph-maker.ts";

const treeOf = (graph: GraphMaker, options = {}): string =>
  toText(graph.dump(), { tree: true, ...options })
    .split("\n")
    .slice(3)
    .join("\n")
    .trimEnd();

describe("the logical tree", () => {
  test("at the top who is awaited by nobody, below what each waits for; those that read the same are one", () => {
    const graph = new GraphMaker();
    for (let i = 0; i < 3; i++) {
      const serve = graph.add("serve", "/app/serve.js:9:5");
      for (let n = 0; n < 2; n++) graph.add("query", "/app/db.js:4:3", [serve]);
      graph.add("log", "/app/log.js:1:1", [serve]);
    }
    graph.add("main", "/app/main.js:1:1");
    expect(treeOf(graph)).toBe(`3 × serve  /app/serve.js:9:5
├ 6 × query  /app/db.js:4:3
└ 3 × log  /app/log.js:1:1
main  /app/main.js:1:1`);
  });

  test("what several await stands below each of them, and what it waits for below the first", () => {
    const graph = new GraphMaker();
    const a = graph.add("a", "/app/x.js:1:1");
    const b = graph.add("b", "/app/x.js:2:1");
    const shared = graph.add("shared", "/app/x.js:3:1", [a, b]);
    graph.add("leaf", "/app/x.js:4:1", [shared]);
    expect(treeOf(graph)).toBe(`a  /app/x.js:1:1
└ shared  /app/x.js:3:1
  └ leaf  /app/x.js:4:1
b  /app/x.js:2:1
└ shared  /app/x.js:3:1  (see above)`);
  });

  test("those that await one another in a circle are there, too", () => {
    const graph = new GraphMaker();
    const circle: ReturnType<GraphMaker["add"]>[] = [];
    const a = graph.add("a", "/app/x.js:1:1", circle);
    circle.push(graph.add("b", "/app/x.js:2:1", [a]));
    graph.add("c", "/app/x.js:3:1");
    expect(treeOf(graph)).toBe(`c  /app/x.js:3:1
a  /app/x.js:1:1
└ b  /app/x.js:2:1
  └ a  /app/x.js:1:1  (see above)`);
  });

  test("Node's own functions at the top give way to what they wait for", () => {
    const graph = new GraphMaker();
    graph.stack(
      ["main", "/app/main.js:1:1"],
      ["run", "node:internal/x:1:1"],
      ["load", "node:internal/y:1:1"],
    );
    expect(treeOf(graph)).toBe(`main  /app/main.js:1:1\n\nnot shown: 2 functions of Node's own around these`);
  });

  test("tasks by their paths, where they are others than above; at the top what is unowned", () => {
    const graph = new GraphMaker();
    const handle = graph.add("handle", "/app/x.js:1:1", [], task("shop/orders/7"));
    const query = graph.add("query", "/app/x.js:2:1", [handle], task("shop/orders/7"));
    graph.add("mail", "/app/x.js:3:1", [query], task("shop/mail"));
    graph.add("poll", "/app/x.js:4:1");
    expect(treeOf(graph)).toBe(`handle  /app/x.js:1:1  shop/orders/7
└ query  /app/x.js:2:1
  └ mail  /app/x.js:3:1  shop/mail
poll  /app/x.js:4:1  unowned`);
  });

  test("colours change nothing but the colours", () => {
    const graph = new GraphMaker();
    for (let i = 0; i < 3; i++)
      graph.stack(["query", "/app/db.js:4:3"], ["serve", "/app/x.js:9:5", task("a/b")]);
    graph.add("busy", "/app/x.js:1:1", [], { isChanging: true });
    expect(treeOf(graph, { colours: true }).replaceAll(/\p{Cc}\[\d+m/gu, "")).toBe(treeOf(graph));
  });

  test("threads have headings", () => {
    const graph = new GraphMaker();
    graph.add("b", "/app/x.js:2:1", [], { isolate: 1, realm: 1 });
    graph.add("a", "/app/x.js:1:1");
    expect(treeOf(graph)).toBe("main thread\na  /app/x.js:1:1\n\nworker thread 1\nb  /app/x.js:2:1");
  });

  test("a filter leaves what matches, with all above and below it", () => {
    const graph = new GraphMaker();
    const top = graph.add("top", "/app/x.js:1:1");
    const wanted = graph.add("wanted", "/app/x.js:2:1", [top]);
    graph.add("below", "/app/x.js:3:1", [wanted]);
    graph.add("beside", "/app/x.js:4:1", [top]);
    graph.add("other", "/app/x.js:5:1");
    expect(treeOf(graph, { filter: "wanted" })).toBe(
      "top  /app/x.js:1:1\n└ wanted  /app/x.js:2:1\n  └ below  /app/x.js:3:1",
    );
    expect(treeOf(graph, { filter: "no such thing" })).toBe("no function is as it was asked for");
  });

  test("a line of source below each, if asked", () => {
    const graph = new GraphMaker();
    const script = graph.script("/app/x.js", { source: "async () => {\n  await query();\n}" });
    graph.add("f", "", [], { script, place: { line: 2, column: 3 } });
    expect(treeOf(graph, { source: true })).toBe("f  /app/x.js:2:3\n    await query();");
  });
});

describe("bounds of a tree", () => {
  test("a chain as deep as it likes: indented so far, shown so deep, the rest counted", () => {
    const graph = new GraphMaker();
    graph.stack(...Array.from({ length: 50_000 }, (_, i) => [`f${i}`, "/app/x.js:1:1"] as const));
    const text = treeOf(graph);
    expect(text).toContain("[20] f49979  /app/x.js:1:1");
    expect(text).toMatch(/not shown: 49,939 functions \(--limit 0 shows all/);
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test("so many lines, and the rest counted", () => {
    const graph = new GraphMaker();
    for (let i = 0; i < 500; i++) graph.add(`f${i}`, "/app/x.js:1:1");
    expect(treeOf(graph).split("\n")).toHaveLength(202);
    expect(treeOf(graph)).toContain("not shown: 300 functions");
    expect(treeOf(graph, { limit: 0 }).split("\n")).toHaveLength(500);
  });

  test("what is too long for a line goes on in the next", () => {
    const graph = new GraphMaker();
    const top = graph.add("top", "/app/x.js:1:1");
    graph.add("a".repeat(50), `/app/${"b".repeat(30)}.js:1:1`, [top], task("c/d"));
    graph.add("leaf", "/app/x.js:2:1", [top]);
    expect(treeOf(graph)).toBe(`top  /app/x.js:1:1  unowned
├ ${"a".repeat(50)}
│   /app/${"b".repeat(30)}.js:1:1  c/d
└ leaf  /app/x.js:2:1`);
  });

  test("many layers, each of which awaits all of the one below, cost no more than they are", () => {
    const graph = new GraphMaker();
    let above: ReturnType<GraphMaker["add"]>[] = [];
    for (let layer = 0; layer < 50; layer++)
      above = [0, 1].map((i) => graph.add(`l${layer}${i}`, "/app/x.js:1:1", above));
    expect(treeOf(graph, { limit: 0 }).split("\n").length).toBeLessThan(250);
  });
});
