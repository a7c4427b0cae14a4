import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";
import { afterAll, describe, expect, test } from "vitest";

import { anchorsOf, type Block, linksOf, pages, root, toPage } from "./markdown.ts";

/*
 * What the pages say, held against the code. Every ```js and ```ts block is type-checked. Every ```js block runs, and
 * ends; where a ```text block stands right below it, that is what it prints.
 */

const all = pages();
const blocks = all.flatMap((page) => page.blocks);
const nameOf = ({ page, line }: Block): string => `${page}:${line}`;
const code = blocks.filter(({ language }) => language === "js" || language === "ts");
const programs = code.filter(({ language }) => language === "js");

test("there are pages, blocks, and links: a check that saw nothing proves nothing", () => {
  expect(all.length).toBeGreaterThan(10);
  expect(code.length).toBeGreaterThan(20);
  expect(all.flatMap((page) => [...linksOf(page)]).length).toBeGreaterThan(50);
});

describe("blocks", () => {
  // One program for all, and in it two blocks that are wrong: a check that finds nothing proves nothing.
  const wrong = [
    wrongBlock("js", 'import { openScope } from "holdfast"; openScope("a").spawm("b", () => 1);\n'),
    wrongBlock("ts", 'app.spawn("b", () => 1, { timeout: "soon" });\n'),
  ];

  test("every ```js and ```ts block passes the type check against src", { timeout: 120_000 }, () => {
    const errors = typeErrors([...code, ...wrong]);
    expect(errors.filter((error) => !error.startsWith("wrong."))).toEqual([]);
    expect(errors.filter((error) => error.startsWith("wrong.js"))).toEqual([
      expect.stringContaining("spawm"),
    ]);
    expect(errors.filter((error) => error.startsWith("wrong.ts"))).toEqual([expect.stringContaining("soon")]);
  });

  const folder = mkdtempSync(join(tmpdir(), "holdfast-docs-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.concurrent.each(programs.map((block) => [nameOf(block), block] as const))(
    "%s runs, ends, and prints what it says",
    { timeout: 60_000 },
    async (name, block) => {
      const suffix = block.code.includes("require(") ? "cjs" : "mjs";
      const file = join(folder, `${name.replaceAll(/\W/g, "-")}.${suffix}`);
      writeFileSync(file, block.code);
      const { stdout } = await promisify(execFile)(process.execPath, ["--import", hooks, file], {
        timeout: 50_000,
        env: { ...process.env, NODE_COMPILE_CACHE: folder },
      });
      if (block.output === undefined) expect(stdout).not.toBe("");
      else expect(stdout).toBe(block.output);
    },
  );
});

describe("links", () => {
  test.each(all.map((page) => [page.path, page] as const))(
    "%s: every relative link leads somewhere",
    (_, page) => {
      const dead: string[] = [];
      for (const { path, anchor } of linksOf(page)) {
        const target = path === "" ? page.path : posix.join(posix.dirname(page.path), path);
        const isThere = existsSync(join(root, target));
        const hasAnchor =
          anchor === "" ||
          !target.endsWith(".md") ||
          (isThere && anchorsOf(toPage(target, readFileSync(join(root, target), "utf8"))).has(anchor));
        if (!isThere || !hasAnchor) dead.push(`${path}${anchor && `#${anchor}`}`);
      }
      expect(dead).toEqual([]);
    },
  );
});

describe("the map", () => {
  const map = all.find((page) => page.path === "ARCHITECTURE.md") ?? toPage("ARCHITECTURE.md", "");
  const named = new Set([...linksOf(map)].map(({ path }) => path));
  const rooms = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );

  test.each(rooms.map((room) => room.name))("ARCHITECTURE.md names every file of src/%s", (room) => {
    const files = readdirSync(join(root, "src", room), { recursive: true, encoding: "utf8" });
    const sources = files.filter((file) => file.endsWith(".ts")).map((file) => `src/${room}/${file}`);
    expect(sources.length).toBeGreaterThan(0);
    expect(sources.filter((file) => !named.has(file))).toEqual([]);
  });

  test("and names no file that is not there", () => {
    const inText = [...map.text.matchAll(/`([\w./-]+\.ts)`/g)].map(([, file = ""]) => file);
    const places = [
      "",
      "src/",
      "src/core/",
      "src/process/",
      "src/adapters/",
      "src/inspect/",
      "src/cli/",
      "src/agent/",
      "src/testing/",
      "src/jobs/",
    ];
    const dead = inText.filter((file) => !places.some((place) => existsSync(join(root, place + file))));
    expect(dead).toEqual([]);
  });
});

test("every npm script that a page names is one", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  const named = all.flatMap(({ path, text }) =>
    [...text.matchAll(/\bnpm run ([\w:-]+)/g)].map(([, name = ""]) => `${path}: ${name}`),
  );
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter((entry) => !((entry.split(": ")[1] ?? "") in scripts))).toEqual([]);
});

test("README.md tells the size that is held", () => {
  const [core] = JSON.parse(readFileSync(join(root, ".size-limit.json"), "utf8")) as { limit: string }[];
  expect(all.find((page) => page.path === "README.md")?.text).toContain(`at most ${core?.limit}`);
});

test("docs/errors.md names every code that src has, and no other", () => {
  const codesOf = (text: string): string[] => text.match(/\bHF_[A-Z_]+/g) ?? [];
  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
  const thrown = sources
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => codesOf(readFileSync(join(root, "src", file), "utf8")));
  const told = codesOf(all.find((page) => page.path === "docs/errors.md")?.text ?? "");
  expect([...new Set(told)].toSorted()).toEqual([...new Set(thrown)].toSorted());
});

function wrongBlock(language: string, wrong: string): Block {
  return { page: `wrong.${language}`, line: 1, language, code: wrong, output: undefined };
}

/** Has programs in other folders load `holdfast` from src. */
const hooks = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  const entries = ${JSON.stringify({
    holdfast: `file://${root}src/index.ts`,
    "holdfast/fastify": `file://${root}src/adapters/fastify.ts`,
    "holdfast/inspect": `file://${root}src/inspect/index.ts`,
    "holdfast/jobs": `file://${root}src/jobs/index.ts`,
    "holdfast/jobs/conformance": `file://${root}src/jobs/conformance/index.ts`,
    "holdfast/jobs/sqlite": `file://${root}src/jobs/sqlite/index.ts`,
    "holdfast/testing": `file://${root}src/testing/index.ts`,
  })};
  const inside = ${JSON.stringify(`file://${root}package.json`)};
  registerHooks({
    resolve: (name, context, next) => {
      if (entries[name] !== undefined) return { url: entries[name], shortCircuit: true };
      return next(name, /^[\\w@]/.test(name) ? { ...context, parentURL: inside } : context);
    },
  });
`)}`;

/** What a ```ts block may use without saying where it is from: the reader's own program. */
const READERS = `
  import type { Scope, Task, TaskContext } from "holdfast";
  import type { Engine, EngineClock } from "holdfast/jobs";
  import type { EngineHarness } from "holdfast/jobs/conformance";
  declare global {
    const app: Scope;
    const request: Request;
    type Order = { readonly id: string; readonly total: number };
    const order: Order;
    const incoming: AsyncIterable<Order>;
    const user: { readonly id: string; readonly mail: string };
    const url: string;
    const harness: EngineHarness;
    const realClock: EngineClock;
    function myEngine(file: string): Engine;
    function send(to: unknown, options?: { signal?: AbortSignal }): Promise<void>;
    function poll(options?: { signal?: AbortSignal }): Promise<void>;
    function resize(image: unknown, options?: { signal?: AbortSignal }): Promise<Uint8Array>;
    const pool: { connect(): Promise<{ query(sql: string, values?: unknown[]): Promise<unknown> }> };
    function charge(order: number): Promise<string>;
    function post(to: string, what: string, options?: { signal?: AbortSignal }): Promise<void>;
    function openPool(): Promise<{ query(sql: string, options?: { signal?: AbortSignal }): Promise<unknown[]>; end(): Promise<void> }>;
  }
`;

/** Each as one line, with the place in the page. */
function typeErrors(from: readonly Block[]): string[] {
  const files = new Map(from.map((block) => [fileOf(block), block]));
  const texts = new Map([...files].map(([file, block]) => [file, `${block.code}\nexport {};\n`]));
  const readers = join(root, "docs/readers.d.ts");
  texts.set(readers, READERS);
  const options = optionsOf();
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (file) => texts.has(file) || fileExists(file);
  host.readFile = (file) => texts.get(file) ?? readFile(file);
  host.getSourceFile = (file, version, ...rest) => {
    const text = texts.get(file);
    return text === undefined
      ? getSourceFile(file, version, ...rest)
      : ts.createSourceFile(file, text, version);
  };
  const program = ts.createProgram([...texts.keys()], options, host);
  const found = [...program.getOptionsDiagnostics()];
  for (const file of texts.keys()) {
    const source = program.getSourceFile(file);
    if (source !== undefined)
      found.push(...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source));
  }
  const isNoFault = ({ file, code: number }: ts.Diagnostic): boolean =>
    number === IS_UNKNOWN && file !== undefined && !file.fileName.endsWith(".ts");
  return found
    .filter((diagnostic) => !isNoFault(diagnostic))
    .map(({ file, start = 0, messageText }) => {
      const block = file && files.get(file.fileName);
      const line = file?.getLineAndCharacterOfPosition(start).line ?? 0;
      const place = block === undefined ? file?.fileName : `${block.page}:${block.line + line}`;
      return `${place}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
    });
}

/** "… is of type 'unknown'": what was caught, which JavaScript looks into without more ado. */
const IS_UNKNOWN = 18046;

/** Beside the page, in name only. */
function fileOf(block: Block): string {
  const name = `${block.page.replaceAll(/\W/g, "-")}-${block.line}`;
  const suffix = block.code.includes("require(") ? "cjs" : block.language;
  return join(dirname(join(root, "docs/x")), `${name}.${suffix}`);
}

/** Those of the project; JavaScript is not asked for types that it cannot say. */
function optionsOf(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile) as {
    config: { compilerOptions: Record<string, unknown> };
  };
  const { options, errors } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  expect(errors).toEqual([]);
  return {
    ...options,
    allowJs: true,
    checkJs: true,
    noImplicitAny: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
    configFilePath: join(root, "tsconfig.json"),
  };
}
