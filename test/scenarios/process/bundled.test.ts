import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type BuildOptions } from "esbuild";
import { afterAll, describe, expect, test } from "vitest";
import { Child } from "./child.ts";

const SOURCE = fileURLToPath(new URL("../fixtures/bundled.ts", import.meta.url));
const PACKAGE = fileURLToPath(new URL("../../../dist/index.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "holdfast-bundles-"));
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
