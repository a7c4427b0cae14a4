import { describe, expect, test } from "vitest";
import type { SuspendedFunction } from "../../../src/inspect/graph.ts";
import { GraphMaker } from "../graph-maker.ts";
import { compare, compareStacks } from "./compare.ts";
import type { Truth, TruthNode } from "./nodes.ts";

/*
 * The comparison finds each kind of lie: else what it finds none of would mean nothing. The truth here is of two
 * functions, `inner` of a worker's or the main thread's, awaited by `outer`, and an async generator at a `yield`.
 */

const URL = "file:///app/x.mjs";

function truth(): Truth {
  const node = (name: string, mark: number, more: Partial<TruthNode> = {}): TruthNode => ({
    name,
    isGenerator: false,
    suspension: "await",
    mark,
    url: URL,
    inWorker: false,
    awaitedBy: new Set(),
    ...more,
  });
  const outer = node("outer", 1);
  const inner = node("inner", 2, { awaitedBy: new Set([outer]) });
  const other = node("other", 3);
  const generator = node("generator", 4, { isGenerator: true, suspension: "yield" });
  const places = new Map([
    [1, { line: 10, column: 5 }],
    [2, { line: 20, column: 5 }],
    [3, { line: 30, column: 5 }],
    [4, { line: 40, column: 5 }],
  ]);
  return { nodes: [outer, inner, other, generator], places, features: new Map() };
}

type Change = (functions: { [name: string]: SuspendedFunction }) => void;
type Changeable = { -readonly [Key in keyof SuspendedFunction]: SuspendedFunction[Key] };

/** What a reader says that tells the truth, but for a change. */
function dump(change: Change = () => {}): readonly SuspendedFunction[] {
  const made = new GraphMaker();
  const outer = made.add("outer", `${URL}:10:5`);
  const inner = made.add("inner", `${URL}:20:5`, [outer]);
  const other = made.add("other", `${URL}:30:5`);
  const generator = made.add("generator", `${URL}:40:5`, [], { isGenerator: true, suspension: "yield" });
  const functions = { outer, inner, other, generator };
  change(functions);
  const left = new Set<unknown>(Object.values(functions));
  return [...made.functions.filter((one) => left.has(one)), ...Object.values(functions)].filter(
    (one, index, all) => one !== undefined && all.indexOf(one) === index,
  );
}

const set =
  (name: string, more: Partial<SuspendedFunction>): Change =>
  (functions) => {
    Object.assign(functions[name] as Changeable, more);
  };

const lies: readonly (readonly [what: string, change: Change, says: RegExp])[] = [
  [
    "a function too many",
    (functions) => {
      functions["more"] = { ...(functions["other"] as SuspendedFunction) };
    },
    /^extra 1: other await .*:30:5$/,
  ],
  ["a function that is missing", (functions) => delete functions["other"], /^missing 1: other/],
  ["a wrong line", set("other", { place: { line: 31, column: 5 } }), /^extra 1: other await .*:31:5$/],
  ["a wrong column", set("other", { place: { line: 30, column: 6 } }), /^extra 1: other await .*:30:6$/],
  ["no line", set("other", { place: undefined }), /^extra 1: other await .*:undefined/],
  ["a wrong name", set("other", { name: "outer" }), /^missing 1: other/],
  ["no name", set("other", { name: "" }), /^missing 1: other/],
  [
    "a wrong file",
    (functions) =>
      set("other", { script: { ...(functions["other"] as SuspendedFunction).script, url: "file:///y.mjs" } })(
        functions,
      ),
    /^extra 1: other await file:\/\/\/y/,
  ],
  ["a function that is a generator", set("other", { isGenerator: true }), /^extra 1: \*other/],
  ["a generator that is none", set("generator", { isGenerator: false }), /^extra 1: generator/],
  ["an await at a yield", set("generator", { suspension: "await" }), /^extra 1: \*generator await/],
  ["a function that has not begun", set("other", { suspension: "start" }), /^extra 1: other start/],
  ["a function of another thread", set("other", { isolate: 1 }), /^extra 1: \[worker\] other/],
  ["one that is changing, of a process at rest", set("other", { isChanging: true }), /^extra 1: ~other/],
  ["no awaiter", set("inner", { awaitedBy: [] }), /^missing 1: inner .* <- \{outer/],
  [
    "another awaiter",
    (functions) => set("inner", { awaitedBy: [functions["other"] as SuspendedFunction] })(functions),
    /^extra 1: inner .* <- \{other/,
  ],
  [
    "an awaiter too many",
    (functions) =>
      set("inner", {
        awaitedBy: [functions["outer"] as SuspendedFunction, functions["other"] as SuspendedFunction],
      })(functions),
    /^extra 1: inner .* <- \{other.*; outer/,
  ],
  [
    "an awaiter that awaits nothing of it",
    (functions) => set("other", { awaitedBy: [functions["inner"] as SuspendedFunction] })(functions),
    /^extra 1: other .* <- \{inner .* <- \{outer/,
  ],
  [
    "awaits the wrong way round",
    (functions) => {
      set("inner", { awaitedBy: [] })(functions);
      set("outer", { awaitedBy: [functions["inner"] as SuspendedFunction] })(functions);
    },
    /^extra 1: outer .* <- \{inner/,
  ],
];

describe("the comparison of a dump with the truth", () => {
  test("finds nothing where they agree", () => {
    expect(compare(dump(), truth())).toEqual([]);
  });

  test.each(lies)("finds %s", (_, change, says) => {
    expect(compare(dump(change), truth()).join("\n")).toMatch(new RegExp(says.source, "m"));
  });

  test("goes through functions of Node's own, and does not count them", () => {
    const made = new GraphMaker();
    const outer = made.add("outer", `${URL}:10:5`);
    const node = made.add("once", "node:events:1:1", [outer]);
    const functions = dump(({ inner }) => {
      (inner as Changeable).awaitedBy = [node];
    });
    expect(compare([...functions.filter(({ name }) => name !== "outer"), outer, node], truth())).toEqual([]);
  });
});

describe("the comparison of a dump with V8's own stacks", () => {
  const frame = (name: string, line: number) => ({ name, url: URL, line, column: 5 });
  // It went on: V8 names the place where it runs, and that is not where it stood.
  const captured = [{ id: 2, leaf: { ...frame("inner", 21) }, awaiters: [frame("outer", 10)] }];

  test("finds nothing where they agree, and says how much was compared", () => {
    expect(compareStacks(dump(), captured, truth())).toEqual({ lines: [], frames: 1 });
  });

  test.each([
    ["another line of the awaiter", set("outer", { place: { line: 11, column: 5 } })],
    ["another column of the awaiter", set("outer", { place: { line: 10, column: 4 } })],
    ["another name of the awaiter", set("outer", { name: "outest" })],
    ["no awaiter", set("inner", { awaitedBy: [] })],
    ["another line of the leaf", set("inner", { place: { line: 21, column: 5 } })],
  ] as const)("finds %s", (_, change) => {
    expect(compareStacks(dump(change), captured, truth()).lines).toEqual([
      expect.stringMatching(/^V8 has outer:10:5, the dump not: inner \S+:21:5 <- /),
    ]);
  });
});
