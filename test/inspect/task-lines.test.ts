import { expect, test } from "vitest";
import type { SuspendedFunction } from "../../src/inspect/graph.ts";
import { buffersOf, openDump } from "../../src/inspect/flat-dump.ts";
import type { FlatDump } from "../../src/inspect/flat-dump.ts";
import { groupStacks } from "../../src/inspect/groups.ts";
import { taskLines } from "../../src/inspect/task-lines.ts";
import { toColumns } from "./graph-maker.ts";

const mail = { id: 3, path: "app/mail" };

function suspended(name: string, more: Partial<SuspendedFunction> = {}): SuspendedFunction {
  return {
    name,
    isGenerator: false,
    isTopLevel: false,
    suspension: "await",
    script: {
      url: "file:///app/mail.js",
      sourceMapUrl: undefined,
      source: undefined,
      lineOffset: 0,
      columnOffset: 0,
    },
    place: { line: 7, column: 3 },
    task: mail,
    isolate: 0,
    realm: 0,
    awaitedBy: [],
    isChanging: false,
    ...more,
  };
}

const lines = (...functions: SuspendedFunction[]): string[] =>
  taskLines({ functions }).flatMap(({ path, awaiting }) =>
    awaiting.map((one) => `${path} ${one.function} ${one.file}:${one.line}:${one.column}`),
  );

test("a task stands where its innermost function does", () => {
  const body = suspended("body");
  expect(lines(body, suspended("send", { awaitedBy: [body], place: { line: 20, column: 5 } }))).toEqual([
    "app/mail send /app/mail.js:20:5",
  ]);
});

test("Node's own functions are on the way to a line, never the line", () => {
  const body = suspended("body");
  const script = { ...body.script, url: "node:internal/streams" };
  const inner = suspended("pipe", { script, awaitedBy: [body] });
  expect(lines(body, inner)).toEqual(["app/mail body /app/mail.js:7:3"]);
  expect(
    lines(body, inner, suspended("source", { awaitedBy: [inner], place: { line: 1, column: 1 } })),
  ).toEqual(["app/mail source /app/mail.js:1:1"]);
});

test("a task that does several things has several lines; the same one counts once", () => {
  const body = suspended("body");
  const at = (line: number): SuspendedFunction =>
    suspended("one", { awaitedBy: [body], place: { line, column: 1 } });
  expect(lines(body, at(1), at(1), at(2))).toHaveLength(2);
  expect(lines(body, ...Array.from({ length: 9 }, (_, line) => at(line + 1)))).toHaveLength(5);
});

test("another task's function that it awaits is not its own line", () => {
  const body = suspended("body");
  const child = suspended("child", {
    task: { id: 4, path: "app/mail/child" },
    awaitedBy: [body],
    place: { line: 9, column: 1 },
  });
  expect(lines(body, child)).toEqual([
    "app/mail body /app/mail.js:7:3",
    "app/mail/child child /app/mail.js:9:1",
  ]);
});

test("where a line may be wrong, or is not known, there is none", () => {
  expect(lines(suspended("body", { isChanging: true }))).toEqual([]);
  expect(lines(suspended("body", { place: undefined }))).toEqual([]);
});

test("functions that await each other in a circle are told from none", () => {
  const awaitedBy: SuspendedFunction[] = [];
  const one = suspended("one", { awaitedBy });
  awaitedBy.push(suspended("other", { awaitedBy: [one] }));
  expect(lines(one, ...awaitedBy)).toEqual([]);
});

test("a dump comes through from thread to thread as it was, however deep its chains", () => {
  const functions: SuspendedFunction[] = [suspended("outermost")];
  for (let i = 0; i < 3000; i++) functions.push(suspended(`f${i}`, { awaitedBy: functions.slice(-1) }));
  const graph = toColumns(functions);
  const target = {
    pid: 1,
    node: "24.0.0",
    v8: "13.6",
    arch: "x64",
    wasIdle: true,
    wasStopped: false,
    stops: [],
  };
  const groups = groupStacks(graph);
  const flat: FlatDump = { reader: "memory", target, graph, groups, warnings: ["one"] };
  const back = openDump(structuredClone(flat, { transfer: buffersOf(graph) }));
  expect(graph.kind.length).toBe(0);
  expect(back.graph.functions.map(({ name, awaitedBy }) => `${name} ${awaitedBy[0]?.name}`)).toEqual(
    functions.map(({ name, awaitedBy }) => `${name} ${awaitedBy[0]?.name}`),
  );
  expect(back.warnings).toEqual(["one"]);
  expect(back.groups.map(({ frames }) => frames.length)).toEqual(groups.map(({ frames }) => frames.length));
});
