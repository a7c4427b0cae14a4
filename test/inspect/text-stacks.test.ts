import { describe, expect, test } from "vitest";

import { toText } from "../../src/inspect/text.ts";
import { GraphMaker, task } from "./graph-maker.ts";

const lines = (text: string): string[] => text.split("\n");

describe("groups of stacks", () => {
  test("the largest first, the innermost function first, each awaited by the next", () => {
    const graph = new GraphMaker();
    graph.stack(["main", "/app/main.js:1:1"]);
    for (let i = 0; i < 1200; i++)
      graph.stack(["read", "/app/read.js:10:3"], ["handle", "/app/handle.js:20:5"]);
    expect(toText(graph.dump())).toBe(`process 4242, Node 24.1.0, idle while it was read
2,401 suspended async functions in 2 different stacks

1,200 stacks
    read    /app/read.js:10:3
    handle  /app/handle.js:20:5

1 stack
    main  /app/main.js:1:1
`);
  });

  test("names, files, lines and columns tell stacks apart", () => {
    const graph = new GraphMaker();
    graph.stack(["read", "/app/read.js:10:3"]);
    graph.stack(["read", "/app/read.js:10:30"]);
    graph.stack(["read", "/app/other.js:10:3"]);
    graph.stack(["write", "/app/read.js:10:3"]);
    expect(toText(graph.dump())).toContain("in 4 different stacks");
  });

  test("a process in which nothing is suspended", () => {
    expect(toText(new GraphMaker().dump())).toBe(
      "process 4242, Node 24.1.0, idle while it was read\n0 suspended async functions\n",
    );
  });

  test("what has no name, no file, no line is shown as what it is", () => {
    const graph = new GraphMaker();
    graph.add("", "evalmachine.<anonymous>:1:7");
    graph.add("", "/app/start.js:9:1", [], { isTopLevel: true });
    graph.add("lineless", "/app/x.js", [], { script: graph.script("/app/x.js") });
    graph.add("nowhere", "", [], { script: graph.script(undefined), place: { line: 3, column: 4 } });
    const text = toText(graph.dump());
    expect(text).toContain("(anonymous)  evalmachine.<anonymous>:1:7");
    expect(text).toContain("(top level)  /app/start.js:9:1");
    expect(text).toContain("lineless  /app/x.js:?");
    expect(text).toContain("nowhere  (no file):3:4");
  });

  test("a yield, a generator that has not begun, and what was changing are marked", () => {
    const graph = new GraphMaker();
    graph.add("ticks", "/app/x.js:1:1", [], { isGenerator: true, suspension: "yield" });
    graph.add("never", "/app/x.js:2:1", [], { isGenerator: true, suspension: "start" });
    graph.add("busy", "/app/x.js:3:1", [], { isChanging: true });
    const text = toText(graph.dump());
    expect(text).toContain("ticks*  /app/x.js:1:1 (at a yield)");
    expect(text).toContain("never*  /app/x.js:2:1 (before its first line)");
    expect(text).toContain("busy  /app/x.js:3:1 (changing)");
  });

  test("warnings stand at the end, a bounded number of them", () => {
    const graph = new GraphMaker();
    graph.add("a", "/app/x.js:1:1");
    const text = toText(graph.dump(Array.from({ length: 25 }, (_, i) => `odd ${i}`)));
    expect(text).toContain("\n\n! odd 0\n");
    expect(text).not.toContain("odd 10");
    expect(text).toMatch(/! and 15 more like these\n$/);
  });
});

describe("80 columns", () => {
  const long = `/srv/app/node_modules/${"some-package/".repeat(6)}index.js`;
  const graph = new GraphMaker();
  graph.stack(
    ["read", "/app/read.js:10:3"],
    ["aFunctionWhoseNameIsLongerThanTheRestOfThem", `${long}:1234:56`],
    ["x".repeat(100), "/app/handle.js:20:5"],
  );

  test("a place that does not fit has a line of its own, and no name of a file is ever cut", () => {
    const text = toText(graph.dump());
    expect(text).toContain(`\n      ${long}:1234:56\n`);
    for (const line of lines(text))
      if (!line.includes(long) && !line.includes("xxx")) expect(line.length).toBeLessThanOrEqual(80);
  });

  test("a wider terminal is used", () => {
    expect(toText(graph.dump(), { columns: 200 })).toContain(
      `aFunctionWhoseNameIsLongerThanTheRestOfThem  ${long}`,
    );
  });

  test("files below the folder that is named are shown from there, others by their whole path", () => {
    const text = toText(graph.dump(), { from: "/app" });
    expect(text).toMatch(/read +read\.js:10:3/);
    expect(text).toContain(long);
  });

  test("a line of source below the innermost function, below each if asked; cut around the await", () => {
    const source = `async function f() {\n\t\treturn await ${"g(".repeat(60)}h\n}`;
    const script = graph.script("/app/f.js", { source });
    const one = new GraphMaker();
    const outer = one.add("outer", "", [], { script, place: { line: 1, column: 1 } });
    one.add("f", "", [outer], { script, place: { line: 2, column: 10 } });
    const text = toText(one.dump());
    const [, cut = ""] = /^ {8}(return await .*)$/m.exec(text) ?? [];
    expect(cut.length).toBeLessThanOrEqual(72);
    expect(cut).toMatch(/ …$/);
    expect(text).not.toContain("async function f() {");
    expect(toText(one.dump(), { source: true })).toContain("        async function f() {\n");
  });

  test("in one long line, as of a minified file, what is shown is around the await", () => {
    const source = `${"var a=1;".repeat(500)}await theAnswer();${"var b=2;".repeat(500)}`;
    const one = new GraphMaker();
    one.add("f", "", [], {
      script: graph.script("/app/f.min.js", { source }),
      place: { line: 1, column: 4001 },
    });
    const [shown = ""] = lines(toText(one.dump())).filter((line) => line.includes("theAnswer"));
    expect(shown).toMatch(/^ {8}… .*await theAnswer\(\);.* …$/);
    expect(shown.length).toBeLessThanOrEqual(80);
  });
});

describe("bounds", () => {
  const graph = new GraphMaker();
  for (let i = 0; i < 100; i++)
    for (let n = 0; n <= 100 - i; n++) graph.stack([`f${i}`, `/app/x.js:${i + 1}:1`]);

  test("40 groups are printed, and the text says what was left out", () => {
    const text = toText(graph.dump());
    expect(text.match(/\bstacks?\n {4}/g)).toHaveLength(40);
    expect(text).toMatch(/not shown: 60 groups of 1,890 stacks \(--limit 0 shows all/);
  });

  test("a limit of one's own, or none", () => {
    expect(toText(graph.dump(), { limit: 3 }).match(/\bstacks?\n {4}/g)).toHaveLength(3);
    expect(toText(graph.dump(), { limit: 0 }).match(/\bstacks?\n {4}/g)).toHaveLength(100);
    expect(toText(graph.dump(), { limit: 0 })).not.toContain("not shown");
  });

  test("of a deep stack the inner end and the outer end", () => {
    const deep = new GraphMaker();
    deep.stack(...Array.from({ length: 500 }, (_, i) => [`f${i}`, `/app/x.js:${i + 1}:1`] as const));
    const text = toText(deep.dump());
    expect(text).toContain(
      "    f29   /app/x.js:30:1\n    … 465 more, each awaiting the one above\n    f495  /app/x.js:496:1\n",
    );
    expect(text).toMatch(/f499 {2}\/app\/x\.js:500:1\n$/);
  });
});

describe("selection", () => {
  const graph = new GraphMaker();
  for (let i = 0; i < 3; i++)
    graph.stack(["read", "/app/read.js:10:3"], ["handle", "/app/handle.js:20:5", task("shop/orders")]);
  graph.stack(["poll", "/app/poll.js:1:1"]);

  test.each([
    ["a function", "READ"],
    ["a file", "handle.js"],
    ["a task", "shop/ord"],
  ])("filter by the name of %s, of any of its frames, in any case", (_, filter) => {
    const text = toText(graph.dump(), { filter });
    expect(text).toContain("3 stacks");
    expect(text).not.toContain("poll.js");
  });

  test("by count", () => {
    expect(toText(graph.dump(), { minCount: 2 })).not.toContain("poll.js");
  });

  test("nothing is left: the text says so", () => {
    expect(toText(graph.dump(), { filter: "no such thing" })).toContain("no stack is as it was asked for");
  });
});

describe("Node's own functions", () => {
  test("at the outer end they are folded, elsewhere they are shown", () => {
    const graph = new GraphMaker();
    graph.stack(
      ["on", "node:events:1:1"],
      ["main", "/app/main.js:1:1"],
      ["run", "node:internal/modules/esm/module_job:1:1"],
      ["load", "node:internal/modules/esm/loader:1:1"],
    );
    const text = toText(graph.dump());
    expect(text).toContain(
      "    on    node:events:1:1\n    main  /app/main.js:1:1\n    2 functions of Node's own\n",
    );
  });

  test("where all are Node's they are shown", () => {
    const graph = new GraphMaker();
    graph.stack(["run", "node:internal/x:1:1"], ["load", "node:internal/y:1:1"]);
    expect(toText(graph.dump())).toContain("    run   node:internal/x:1:1\n    load  node:internal/y:1:1\n");
  });
});

describe("tasks, threads, contexts", () => {
  test("a task of holdfast by its path; what is under none is unowned, where there are tasks at all", () => {
    const graph = new GraphMaker();
    graph.stack(["read", "/app/read.js:10:3"], ["handle", "/app/handle.js:20:5", task("shop/orders/7")]);
    graph.stack(["poll", "/app/poll.js:1:1"]);
    const text = toText(graph.dump());
    expect(text).toContain("1 stack  shop/orders/7\n    read ");
    expect(text).toContain("1 stack  unowned\n    poll ");
    const without = new GraphMaker();
    without.stack(["poll", "/app/poll.js:1:1"]);
    expect(toText(without.dump())).not.toContain("unowned");
  });

  test("each thread under a heading of its own, the main thread first; no heading where there is one", () => {
    const graph = new GraphMaker();
    graph.add("inWorker", "/app/w.js:1:1", [], { isolate: 1, realm: 1 });
    graph.add("inMain", "/app/m.js:1:1");
    expect(toText(graph.dump())).toMatch(
      /\n\nmain thread\n\n1 stack\n.*inMain.*\n\nworker thread 1\n\n1 stack\n.*inWorker/,
    );
    const one = new GraphMaker();
    one.add("inMain", "/app/m.js:1:1");
    expect(toText(one.dump())).not.toContain("thread");
  });

  test("contexts of a thread are told apart", () => {
    const graph = new GraphMaker();
    graph.add("f", "/app/m.js:1:1");
    graph.add("f", "/app/m.js:1:1", [], { realm: 1 });
    const text = toText(graph.dump());
    expect(text).toMatch(/context 1 of 2\n\n1 stack\n[^]*context 2 of 2\n\n1 stack\n/);
  });

  test("a stack is in the context of its innermost function", () => {
    const graph = new GraphMaker();
    graph.stack(["inner", "/app/i.js:1:1", { realm: 1 }], ["outer", "/app/o.js:1:1"]);
    graph.add("g", "/app/o.js:2:1", [], { isGenerator: true });
    expect(toText(graph.dump())).toMatch(
      /context 1 of 2\n[^]* g\* [^]*context 2 of 2\n[^]* inner [^]* outer /,
    );
  });
});

describe("a terminal", () => {
  const escapes = /\p{Cc}\[\d+m/gu;

  test("colours only where they are asked for; without them the text is the same", () => {
    const graph = new GraphMaker();
    graph.stack(["read", "/app/read.js:10:3"], ["run", "node:internal/x:1:1"]);
    graph.add("busy", "/app/x.js:3:1", [], { isChanging: true, ...task("a/b") });
    const plain = toText(graph.dump(["odd"]));
    const coloured = toText(graph.dump(["odd"]), { colours: true });
    expect(plain).not.toMatch(escapes);
    expect(coloured).toMatch(escapes);
    expect(coloured.replaceAll(escapes, "")).toBe(plain);
  });

  test("what a process is called cannot make the terminal do things", () => {
    const graph = new GraphMaker();
    graph.add("a\u001B]0;title\u0007\u202Eb", "/app/\u009B2J.js:1:1", [], task("x\ny"));
    const text = toText(graph.dump(["\u001B[2J"]));
    expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202E]/u);
    expect(text).toContain("a\\u001b]0;title\\u0007\\u202eb");
  });
});
