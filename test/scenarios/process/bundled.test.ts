import { once } from "node:events";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { build, type BuildOptions } from "esbuild";
import { afterAll, describe, expect, test } from "vitest";
import type { AwaitLine } from "../../../src/index.ts";
import type { ReaderAnswer, ReaderData } from "../../../src/inspect/dump.ts";
import { Child } from "./child.ts";

const SOURCE = fileURLToPath(new URL("../fixtures/bundled.ts", import.meta.url));
const PACKAGE = fileURLToPath(new URL("../../../dist/index.js", import.meta.url));
const READER = new URL("../../../dist/inspect/reader-thread.js", import.meta.url);
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

test.each(["esm", "cjs"] as const)(
  "holdfast/inspect inside of a bundle says why it cannot read: %s",
  async (format) => {
    const inspect = fileURLToPath(new URL("../../../dist/inspect/index.js", import.meta.url));
    const contents = `import { dump } from ${JSON.stringify(inspect)};
    dump({ pid: process.ppid }).catch(({ message }) => console.log(message));`;
    const file = await bundle(format, true, { entryPoints: [], stdin: { contents, resolveDir: folder } });
    const child = new Child([process.execPath, file]);
    expect(await child.ended).toMatchObject({ code: 0 });
    expect(child.stdout).toMatch(/^a bundle has no thread that reads: leave `holdfast` out of it/);
  },
);

type Line = Omit<AwaitLine, "function">;

/** The one line of a task, without the name of the function. */
function lineIn(tasks: readonly { readonly path: string; readonly awaiting?: readonly AwaitLine[] }[]): Line {
  expect(tasks).toMatchObject([{ path: "demo/stubborn", awaiting: [{}] }]);
  const [{ function: _name, ...line } = {}] = tasks[0]?.awaiting ?? [];
  return line as Line;
}

/** A map that takes a second to be decoded. */
function slowDown(map: string): void {
  const text = JSON.parse(readFileSync(map, "utf8")) as { mappings: string };
  text.mappings += `;${"AAAA,".repeat(3_000_000)}`;
  writeFileSync(map, JSON.stringify(text));
}

// A reading in a hurry leaves out what did not stay the same meanwhile, as may happen right after a start.
describe(
  "a bundle beside holdfast: the reader tells the line in what runs at once, and then",
  { retry: 3 },
  () => {
    /** What the reader's thread answers, with no deadline, of a process that goes on. */
    const linesOf = async (file: string): Promise<Line[]> => {
      const child = new Child([process.execPath, file]);
      await child.untilSaid(/^ready$/m);
      const workerData = { pid: child.process.pid ?? 0, stop: false, want: "tasks" } satisfies ReaderData;
      const reader = new Worker(READER, { workerData, env: {}, execArgv: ["--no-warnings"] });
      const answers: ReaderAnswer[] = [];
      reader.on("message", (answer: ReaderAnswer) => answers.push(answer));
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker takes none
      reader.postMessage("go");
      await once(reader, "exit");
      expect(answers.at(-1)).toMatchObject({ isLast: true });
      return answers.map((answer) => lineIn("tasks" in answer ? answer.tasks : []));
    };

    test.each([
      ["esm", "linked"],
      ["esm", "inline"],
      ["cjs", "linked"],
    ] as const)("that in the source, where a map leads there: %s, the map %s", async (format, sourcemap) => {
      const file = await bundle(format, false, { sourcemap });
      expect(await linesOf(file)).toEqual([generated(file), original()]);
    });

    test("that in the source, where the map takes long", async () => {
      const file = await bundle("esm", false, { sourcemap: "linked" });
      slowDown(`${file}.map`);
      expect(await linesOf(file)).toEqual([generated(file), original()]);
    });

    test("no other: there is no map", async () => {
      const file = await bundle("esm", false);
      expect(await linesOf(file)).toEqual([generated(file)]);
    });

    test.each<[string, (map: string) => void]>([
      ["is gone", (map) => rmSync(map)],
      ["is no map", (map) => writeFileSync(map, "<!doctype html>")],
      ["is too large", (map) => writeFileSync(map, readFileSync(map, "utf8").padEnd(17 << 20, " "))],
    ])("no other: the map %s", async (_, change) => {
      const file = await bundle("esm", false, { sourcemap: "linked" });
      change(`${file}.map`);
      expect(await linesOf(file)).toEqual([generated(file), generated(file)]);
    });
  },
);

// The lines come within a second or not at all: a machine that is busy with other things may not have one to spare.
test("a bundle beside holdfast: the last words name the line in the source", { retry: 6 }, async () => {
  const child = await endOf(await bundle("esm", false, { sourcemap: "linked" }));
  expect(lineIn(child.report.abandoned)).toEqual(original());
});
