import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type BuildOptions } from "esbuild";
import { afterAll, describe, expect, test } from "vitest";
import type { AwaitLine } from "../../../src/index.ts";
import { Child } from "./child.ts";

const SOURCE = fileURLToPath(new URL("../fixtures/bundled.ts", import.meta.url));
const PACKAGE = fileURLToPath(new URL("../../../dist/index.js", import.meta.url));
const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-bundles-")));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
/** The program in one file; holdfast is inside of it, or a package beside it. */
async function bundle(format: "esm" | "cjs", isInside: boolean, more: BuildOptions = {}): Promise<string> {
  const outfile = join(folder, `program-${++count}.${format === "esm" ? "mjs" : "cjs"}`);
  await build({
    entryPoints: [SOURCE],
    bundle: true,
    minify: true,
    platform: "node",
    alias: { holdfast: PACKAGE },
    external: isInside ? [] : [PACKAGE],
    format,
    outfile,
    // It warns of `import.meta`, which CommonJS does not have.
    logLevel: "error",
    ...more,
  });
  return outfile;
}

/** The line of a file at which the stubborn task waits. */
function awaitIn(file: string, text: string): { file: string; line: number; column: number } {
  const before = readFileSync(file, "utf8").split(text)[0]?.split("\n") ?? [];
  return { file, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
const original = (): ReturnType<typeof awaitIn> => awaitIn(SOURCE, "await forever");
/** In the minified file it is the first `await` after that of the name that the constant has there. */
const generated = (file: string): ReturnType<typeof awaitIn> => {
  const [, name] = /(\w+)=new Promise\(\(\)=>\{\}\)/.exec(readFileSync(file, "utf8")) ?? [];
  return awaitIn(file, `await ${name}`);
};

/** Runs a program until it has ended after SIGTERM. */
async function endOf(file: string): Promise<Child> {
  const child = new Child([process.execPath, file]);
  await child.untilSaid(/^ready$/m);
  expect(await child.endBy("SIGTERM")).toMatchObject({ code: 1 });
  return child;
}

describe("holdfast inside of a bundle", () => {
  test.each(["esm", "cjs"] as const)(
    "%s: a task that would not stop is named without its lines, and the program runs once",
    async (format) => {
      const child = await endOf(await bundle(format, true));
      expect(child.report.abandoned).toMatchObject([{ path: "demo/stubborn" }]);
      expect(child.report.abandoned[0]).not.toHaveProperty("awaiting");
      expect(child.stdout.match(/the program runs/g)).toHaveLength(1);
    },
  );
});

// The lines come within a second or not at all: a machine that is busy with other things may not have one to spare.
describe("a bundle beside holdfast: the line at which a task waits that would not stop", { retry: 3 }, () => {
  const lineOf = async (file: string): Promise<Omit<AwaitLine, "function"> | undefined> => {
    const { abandoned } = (await endOf(file)).report;
    expect(abandoned).toMatchObject([{ path: "demo/stubborn" }]);
    const [{ function: _name, ...place } = {}] = abandoned[0]?.awaiting ?? [];
    return place as Omit<AwaitLine, "function">;
  };

  test.each([
    ["esm", "linked"],
    ["esm", "inline"],
    ["cjs", "linked"],
  ] as const)("%s, its map %s: that of the source", async (format, sourcemap) => {
    expect(await lineOf(await bundle(format, false, { sourcemap }))).toEqual(original());
  });

  test("no map: that of the bundle", async () => {
    const file = await bundle("esm", false);
    expect(await lineOf(file)).toEqual(generated(file));
  });

  test.each<[string, (map: string) => void]>([
    ["is gone", (map) => rmSync(map)],
    ["is no map", (map) => writeFileSync(map, "<!doctype html>")],
    ["is too large", (map) => writeFileSync(map, readFileSync(map, "utf8").padEnd(17 << 20, " "))],
  ])("its map %s: that of the bundle", async (_, change) => {
    const file = await bundle("esm", false, { sourcemap: "linked" });
    change(`${file}.map`);
    expect(await lineOf(file)).toEqual(generated(file));
  });

  test("its map takes long: that of the bundle, or, where there was time, that of the source", async () => {
    const file = await bundle("esm", false, { sourcemap: "linked" });
    const map = JSON.parse(readFileSync(`${file}.map`, "utf8")) as { mappings: string };
    map.mappings += ";" + "AAAA,".repeat(3_000_000);
    writeFileSync(`${file}.map`, JSON.stringify(map));
    expect([original(), generated(file)]).toContainEqual(await lineOf(file));
  });
});
