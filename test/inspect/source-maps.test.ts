import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type BuildOptions } from "esbuild";
import ts from "typescript";
import { afterAll, describe, expect, test } from "vitest";

import { readDump } from "../../src/inspect/reading.ts";
import { toJson } from "../../src/inspect/json.ts";
import type { DumpJson, FrameJson } from "../../src/inspect/json.ts";
import { toText } from "../../src/inspect/text.ts";
import { Program } from "./programs.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-maps-")));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// Types and a comment that are gone in what runs, so that no line and no column is the same.
const STOCK = `/* what is left of an order */
export interface Order {
  readonly id: number;
}

const waiting: ((value: number) => void)[] = [];
export async function stockOf(order: Order): Promise<number> {
  type Answer = number;
  const answer: Answer = (await new Promise<Answer>((resolve) => void waiting.push(resolve))) as Answer;
  return answer + order.id;
}
`;
const APP = `import { stockOf, type Order } from "./stock.js";

type Handler<T extends Order> = (order: T) => Promise<void>;

const handleOrder: Handler<Order> = async (order: Order): Promise<void> => {
  const left: number = await stockOf(order as Order);
  console.log(left);
};
(globalThis as { kept?: unknown }).kept = handleOrder({ id: 7 });
setInterval(() => {}, 1e6);
console.log("ready");
`;

let count = 0;
/** A folder with the two sources. */
function project(): string {
  const root = join(folder, `project-${count++}`);
  mkdirSync(join(root, "src"), { recursive: true });
  writeFileSync(join(root, "package.json"), JSON.stringify({ type: "module" }));
  writeFileSync(join(root, "src/stock.ts"), STOCK);
  writeFileSync(join(root, "src/app.ts"), APP);
  return root;
}

/** Line and column of a text in a source. */
function at(source: string, text: string): { line: number; column: number } {
  const before = source.slice(0, source.indexOf(text)).split("\n");
  return { line: before.length, column: (before.at(-1) ?? "").length + 1 };
}

async function dumpOf(script: string): Promise<{ json: DumpJson; text: string; bare: DumpJson }> {
  const program = await Program.start(process.execPath, [script]);
  const dump = readDump(program.pid);
  return { json: toJson(dump), text: toText(dump, { source: true }), bare: toJson(dump, { maps: false }) };
}

const framesOf = (json: DumpJson): readonly FrameJson[] =>
  json.groups.find(({ frames }) => frames.some(({ file }) => file?.startsWith(folder)))?.frames ?? [];

/** The two functions, by the names and at the lines that the TypeScript has. */
function expectOriginals(json: DumpJson, root: string): void {
  expect(framesOf(json).map(({ name, file, line, column }) => ({ name, file, line, column }))).toEqual([
    { name: "stockOf", file: join(root, "src/stock.ts"), ...at(STOCK, "await new") },
    { name: "handleOrder", file: join(root, "src/app.ts"), ...at(APP, "await stockOf") },
  ]);
  expect(json.warnings).toEqual([]);
}

describe("bundled by esbuild", () => {
  test.each<[string, BuildOptions]>([
    ["an inline map", { sourcemap: "inline" }],
    ["a map beside the file", { sourcemap: "linked" }],
    ["a map without the sources", { sourcemap: "linked", sourcesContent: false }],
    ["minified, a map beside the file", { sourcemap: "linked", minify: true }],
    ["minified, an inline map", { sourcemap: "inline", minify: true }],
    [
      "CommonJS, a map beside the file",
      { sourcemap: "linked", format: "cjs", outExtension: { ".js": ".cjs" } },
    ],
  ])("%s", async (_, options) => {
    const root = project();
    await build({
      entryPoints: [join(root, "src/app.ts")],
      outdir: join(root, "dist"),
      bundle: true,
      platform: "node",
      format: "esm",
      ...options,
    });
    const script = join(root, "dist", options.format === "cjs" ? "app.cjs" : "app.js");
    const { json, text, bare } = await dumpOf(script);
    expectOriginals(json, root);
    // Where V8 says that it is.
    const generated = readFileSync(script, "utf8");
    const place = { file: script, ...at(generated, "await new") };
    const { name } = framesOf(bare)[0] as FrameJson;
    expect(name === "stockOf").toBe(options.minify !== true);
    expect(framesOf(json)[0]?.generated).toEqual({ ...(name === "stockOf" ? {} : { name }), ...place });
    expect(framesOf(bare)[0]).toMatchObject(place);
    expect(framesOf(bare)[0]).not.toHaveProperty("generated");
    expect(text).toContain("const answer: Answer = (await new Promise<Answer>(");
    expect(text).toContain("const left: number = await stockOf(order as Order);");
  });
});

describe("compiled by tsc", () => {
  test.each<[string, ts.CompilerOptions]>([
    ["an inline map", { inlineSourceMap: true }],
    ["an inline map, its sources too", { inlineSourceMap: true, inlineSources: true }],
    ["a map beside the file", { sourceMap: true }],
    ["a map that names a root of its sources", { sourceMap: true, sourceRoot: "SOURCES" }],
  ])("%s", async (_, options) => {
    const root = project();
    const { sourceRoot } = options;
    const program = ts.createProgram([join(root, "src/app.ts")], {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ES2022,
      rootDir: join(root, "src"),
      outDir: join(root, "dist"),
      types: [],
      noLib: true,
      noCheck: true,
      ...options,
      ...(sourceRoot === undefined ? {} : { sourceRoot: pathToFileURL(join(root, "src")).href }),
    });
    program.emit();
    const { json, text } = await dumpOf(join(root, "dist/app.js"));
    expectOriginals(json, root);
    expect(text).toContain("const left: number = await stockOf(order as Order);");
  });
});

/** Whether this user may give a program a disk of its own. */
const mayUnshare = spawnSync("unshare", ["--mount", "true"]).status === 0;

describe.skipIf(!mayUnshare)(
  "a process that sees other files than we do (needs the right to `unshare --mount`)",
  () => {
    test("its sources and maps are read as it sees them, and not ours of the same name", async () => {
      const root = project();
      await build({
        entryPoints: [join(root, "src/app.ts")],
        outdir: join(root, "dist"),
        bundle: true,
        platform: "node",
        format: "esm",
        sourcemap: "linked",
        sourcesContent: false,
      });
      const theirs = join(folder, "theirs");
      renameSync(root, theirs);
      mkdirSync(join(root, "dist"), { recursive: true });
      writeFileSync(join(root, "dist/app.js"), "// quite another program\n");
      const command = `mount --bind "$1" "$2" && exec "$0" "$2/dist/app.js"`;
      const args = ["--mount", "sh", "-c", command, process.execPath, theirs, root];
      const program = await Program.start("unshare", args);
      const dump = readDump(program.pid);
      expectOriginals(toJson(dump), root);
      expect(toText(dump)).toContain("const answer: Answer = (await new Promise<Answer>(");
    });
  },
);

describe("maps that cannot be used", () => {
  const bundle = async (root: string): Promise<string> => {
    const options = { outdir: join(root, "dist"), bundle: true, platform: "node", format: "esm" } as const;
    await build({ ...options, entryPoints: [join(root, "src/app.ts")], sourcemap: "linked" });
    return join(root, "dist/app.js");
  };
  /** What is printed if something is done to the files of a running program. */
  const dumpAfter = async (script: string, change: () => void): Promise<DumpJson> => {
    const program = await Program.start(process.execPath, [script]);
    change();
    return toJson(readDump(program.pid));
  };

  test("another version was deployed over the live process: its map is not used, and that is told", async () => {
    const root = project();
    const script = await bundle(root);
    const before = readFileSync(script, "utf8");
    const json = await dumpAfter(script, () => writeFileSync(script, `// newer\n${before}`));
    expect(framesOf(json)[0]).toMatchObject({ file: script, ...at(before, "await new") });
    expect(json.warnings).toEqual([expect.stringContaining("not what runs any more")]);
  });

  test("it is not there", async () => {
    const script = await bundle(project());
    const json = await dumpAfter(script, () => rmSync(`${script}.map`));
    expect(framesOf(json)[0]?.file).toBe(script);
    expect(json.warnings).toEqual([expect.stringMatching(/the source map of .* is not there: app\.js\.map/)]);
  });

  test("it is no map", async () => {
    const script = await bundle(project());
    const json = await dumpAfter(script, () => writeFileSync(`${script}.map`, "<!doctype html>"));
    expect(framesOf(json)[0]?.file).toBe(script);
    expect(json.warnings).toEqual([expect.stringMatching(/the source map of .* cannot be read: /)]);
  });

  test("the script is gone, its map is there", async () => {
    const root = project();
    const script = await bundle(root);
    const json = await dumpAfter(script, () => renameSync(script, `${script}.old`));
    expectOriginals(json, root);
  });
});
