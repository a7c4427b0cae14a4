import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, type BuildOptions } from "esbuild";
import ts from "typescript";
import { afterAll, describe, expect, test } from "vitest";

import type { Dump } from "../../src/inspect/dump.ts";
import type { SuspendedFunction } from "../../src/inspect/graph.ts";
import { toJson } from "../../src/inspect/json.ts";
import { isGivenAt, isNamedAt, nameToken } from "../../src/inspect/name-tokens.ts";
import { readDump } from "../../src/inspect/reading.ts";
import { offsetOf } from "../../src/inspect/scripts.ts";
import { toText } from "../../src/inspect/text.ts";
import { Program } from "./programs.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-names-")));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// Each waits for the next one, and each comes by its name in another way.
const SOURCE = `interface Order { readonly id: number }
type Handler<A, B = void> = (order: A) => Promise<B>;
const never = new Promise<void>(() => {});
async function declared(order: Order): Promise<void> { await never; console.log(order); }
const arrow = async (order: Order): Promise<void> => { await declared(order); };
const typed: Handler<Order, { a: number; b: [x: 1] } | void> = async (order) => { await arrow(order); };
const expression = async function (order: Order): Promise<void> { await typed(order); };
const inner = async function named(order: Order): Promise<void> { await expression(order); console.log(named); };
async function* generated<T extends Order>(order: T) { await inner(order); yield 1; }
class Shop {
  #field = async (order: Order): Promise<void> => { for await (const one of generated(order)) console.log(one); };
  async #hidden(order: Order): Promise<void> { await this.#field(order); }
  async method(order: Order): Promise<void> { await this.#hidden(order); }
}
const table = { property: async (order: Order): Promise<void> => { await new Shop().method(order); } };
const wrapped = ((one: Handler<Order>) => one)(async (order) => { await table.property(order); });
let later: Handler<Order>;
later = async (order) => { await wrapped(order); };
export default async function (order: Order): Promise<void> { await later(order); }
(globalThis as { kept?: unknown }).kept = later({ id: 7 });
setInterval(() => {}, 1e6);
console.log("ready");
`;

const NAMES = [
  "declared",
  "arrow",
  "typed",
  "expression",
  "named",
  "generated",
  "#field",
  "#hidden",
  "method",
  "property",
  "",
  "later",
];

let count = 0;
async function bundle(options: BuildOptions): Promise<string> {
  const source = join(folder, `shop-${++count}.ts`);
  writeFileSync(source, SOURCE);
  const outfile = join(folder, `shop-${count}.mjs`);
  const common = { bundle: true, platform: "node", format: "esm", sourcemap: "linked" } as const;
  await build({ ...common, ...options, entryPoints: [source], outfile });
  return outfile;
}

/** A dump of a program, whose functions begin where a parser says so. */
async function dumpOf(script: string): Promise<Dump> {
  const program = await Program.start(process.execPath, [script]);
  const dump = readDump(program.pid);
  const tree = ts.createSourceFile(script, readFileSync(script, "utf8"), ts.ScriptTarget.ESNext, true);
  for (const one of dump.graph.functions) {
    const offset = one.place && one.script.url?.endsWith(script) && offsetOf(one.script, one.place);
    if (typeof offset !== "number") continue;
    const start = startOf(tree, offset);
    expect(one.start).toBe(start);
  }
  return dump;
}

/** Where the innermost function around an offset begins. */
function startOf(tree: ts.SourceFile, offset: number): number | undefined {
  let start: number | undefined;
  const visit = (node: ts.Node): void => {
    if (offset < node.getStart(tree) || offset >= node.end) return;
    if (ts.isArrowFunction(node)) start = node.getStart(tree);
    else if (ts.isFunctionLike(node)) {
      const paren = node.getChildren(tree).find(({ kind }) => kind === ts.SyntaxKind.OpenParenToken);
      start = paren?.getStart(tree);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return start;
}

const namesIn = (dump: Dump, maps = true): string[] =>
  toJson(dump, { maps }).groups.flatMap(({ frames }) => frames.map(({ name }) => name));

describe("functions have the names that people gave them, bundled by esbuild", () => {
  test.each<[string, BuildOptions]>([
    ["as it is", {}],
    ["minified", { minify: true }],
    ["minified, names kept", { minify: true, keepNames: true }],
    ["minified, the map without the sources", { minify: true, sourcesContent: false }],
    ["minified, CommonJS in one file", { minify: true, sourcemap: "inline" }],
  ])("%s", async (_, options) => {
    expect(namesIn(await dumpOf(await bundle(options)))).toEqual(NAMES);
  });

  test("the text shows them; data has both; --filter finds either", async () => {
    const dump = await dumpOf(await bundle({ minify: true }));
    expect(toText(dump)).toMatch(/^ {4}declared +.*shop-\d+\.ts:4:56$/m);
    expect(toText(dump, { tree: true })).toMatch(/^later {2}.*shop-\d+\.ts:/m);
    const own = namesIn(dump, false);
    expect(own).not.toEqual(NAMES);
    const [group] = toJson(dump).groups;
    const arrow = group?.frames[1];
    expect(arrow).toMatchObject({ name: "arrow", line: 5, generated: { name: own[1], line: 1 } });
    expect(group?.frames[8]?.generated).not.toHaveProperty("name");
    for (const filter of ["declared", "#hidden"]) expect(toJson(dump, { filter }).groups).toHaveLength(1);
    expect(toJson(dump, { filter: "declared", maps: false }).groups).toHaveLength(0);
  });
});

describe("where it is not certain, the name is the one that runs", () => {
  /** What a change to the map of a program makes of the names. */
  const namesAfter = async (change: (map: { names: string[]; sourcesContent: string[] }) => void) => {
    const script = await bundle({ minify: true });
    const file = `${script}.map`;
    const map = JSON.parse(readFileSync(file, "utf8")) as { names: string[]; sourcesContent: string[] };
    change(map);
    writeFileSync(file, JSON.stringify(map));
    const dump = await dumpOf(script);
    return { names: namesIn(dump), own: namesIn(dump, false) };
  };

  test("the map has names that the source does not", async () => {
    const { names, own } = await namesAfter((map) => {
      map.names = map.names.map((name) => `${name}X`);
    });
    expect(names).toEqual(own);
  });

  test("the source has something else there", async () => {
    const { names, own } = await namesAfter((map) => {
      map.sourcesContent = map.sourcesContent.map((text) => text.replaceAll("async", "space"));
    });
    expect(names).toEqual(own);
  });

  test("the source is not there", async () => {
    const { names, own } = await namesAfter((map) => {
      map.sourcesContent = [];
      for (let n = 1; n <= count; n++) rmSync(join(folder, `shop-${n}.ts`), { force: true });
    });
    expect(names).toEqual(own);
  });

  test("it is not known where the function begins", async () => {
    const dump = await dumpOf(await bundle({ minify: true }));
    const startless = (one: SuspendedFunction): SuspendedFunction =>
      new Proxy(one, {
        get: (of, key) => (key === "start" ? undefined : Reflect.get(of, key, of)) as unknown,
      });
    const groups = dump.groups.map((group) => ({ ...group, frames: group.frames.map(startless) }));
    expect(namesIn({ ...dump, groups })).toEqual(namesIn(dump, false));
  });
});

describe("the token that names a function", () => {
  /** `|` is where V8 says that it begins; the token, if there is one, is in `<>`. */
  const marked = (text: string): { text: string; start: number; token: number | undefined } => {
    const token = text.indexOf("<") < 0 ? undefined : text.indexOf("<");
    const bare = text.replace(/<(.*?)>/, "$1");
    return { text: bare.replace("|", ""), start: bare.indexOf("|"), token };
  };

  test.each([
    ["a", "async function <a>|(){}"],
    ["a", "async function*<a>|(){}"],
    ["a", "async function\n<a> |(){}"],
    ["a", "x={async <a>|(){}}"],
    ["#a", "class X{async<#a>|(){}}"],
    ["$a", "async function <$a>|(){}"],
    ["a", "var <a>=|async b=>{}"],
    ["a", "var <a> = |async () => {}"],
    ["a", "var <a>=async function|(){}"],
    ["a", "var <a> = async function * |(){}"],
    ["a", "x={<a>:|async()=>{}}"],
    ["a", "x={<a>:async function|(){}}"],
    ["#a", "class X{<#a>=|async()=>{}}"],
  ])("%s in %s", (name, code) => {
    const { text, start, token } = marked(code);
    expect(nameToken(text, start, name)?.offset).toBe(token);
  });

  test.each([
    ["a", "async function ba|(){}"],
    ["a", "async function b|(){}"],
    ["a", "x.a=|async()=>{}"],
    ["x.a", "x.a=|async()=>{}"],
    ["a", "this.#a=|async()=>{}"],
    ["a", "ba=|async()=>{}"],
    ["a", "a=f(|async()=>{})"],
    ["a", "a=>|async()=>{}"],
    ["a", "x={[a]:|async()=>{}}"],
    ["a", "x={'a':|async()=>{}}"],
    ["a", "a+=|async()=>{}"],
    ["", "x=|async()=>{}"],
    ["a", "a=|b=>{}"],
    ["a", "a=x.async function|(){}"],
  ])("none for %j in %s", (name, code) => {
    const { text, start } = marked(code);
    expect(nameToken(text, start, name)).toBeUndefined();
  });

  test.each([
    ["async function send(", true],
    ["async function* send<T extends Order>(", true],
    ["async send(", true],
    ["static async *send (", true],
    ["async #send(", false],
    ["function send(", false],
    ["await send(", false],
    ["async function sender(", false],
    ["async function send =", false],
    ["async (send(", false],
  ])("%s: send is the function's own: %s", (text, is) => {
    expect(isNamedAt(text, text.indexOf("send"), "send")).toBe(is);
  });

  test.each([
    ["send = async (", "=", true],
    ["send: Handler<A, B> = async (", "=", true],
    ["send: { a: 1; b: (c: 1) => 2 } = async (", "=", true],
    ["send!: () => Promise<void> = async (", "=", true],
    ["send: async (", ":", true],
    ["send: x = async (", ":", false],
    ["send = f(async (", "=", false],
    ["send = 1; other = async (", "=", false],
    ["send, other = async (", "=", false],
    ["send: x, other = async (", "=", false],
    ["send ? 1 : async (", ":", false],
    ["sender = async (", "=", false],
    ["send = asynchronous(", "=", false],
    ["x.send = async (", "=", false],
  ] as const)("%s is given the name send by %j: %s", (text, sign, is) => {
    const begin = text.indexOf("async");
    expect(isGivenAt(text, text.indexOf("send"), "send", { sign, begin })).toBe(is);
  });
});
