import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";

const run = promisify(execFile);
const script = fileURLToPath(new URL("../../scripts/directions.ts", import.meta.url));
const strip = process.version.startsWith("v22.") ? ["--experimental-strip-types", "--no-warnings"] : [];

/** Runs the check over a small tree of files, and returns its exit code and all it said. */
async function check(files: Record<string, string>): Promise<{ code: number; said: string }> {
  const root = mkdtempSync(join(tmpdir(), "holdfast-directions-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  try {
    const { stdout, stderr } = await run(process.execPath, [...strip, script, root]);
    return { code: 0, said: stdout + stderr };
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return { code: 1, said: stdout + stderr };
  }
}

const core = "export const x = 1;";
const uses = (path: string): string => `import { x } from "${path}";\nexport const y = x;`;
const usesLater = (path: string): string => `export const y = (): Promise<unknown> => import("${path}");`;

test("arrows that the design draws are allowed", async () => {
  expect(
    await check({
      "src/core/x.ts": core,
      "src/core/cron.ts": usesLater("croner"),
      "src/core/context.ts": `import { AsyncLocalStorage } from "node:async_hooks";\nexport const y = AsyncLocalStorage;`,
      "src/inspect/x.ts": core,
      "src/process/x.ts": uses("../core/x.ts"),
      "src/watch/x.ts": usesLater("../inspect/x.ts"),
      "src/index.ts": `${uses("./core/x.ts")}\nexport const z = (): Promise<unknown> => import("./watch/x.ts");`,
      "src/agent/x.ts": uses("../watch/x.ts").replace("x }", "y as x }"),
    }),
  ).toMatchObject({ code: 0, said: expect.stringContaining("8 modules seen, 0 forbidden arrows") });
});

test.each<[string, Record<string, string>]>([
  ["core → process", { "src/core/a.ts": uses("../process/x.ts"), "src/process/x.ts": core }],
  [
    "core → inspect, though only when used",
    { "src/core/a.ts": usesLater("../inspect/x.ts"), "src/inspect/x.ts": core },
  ],
  [
    "core → a type of watch",
    {
      "src/core/a.ts": `import type { X } from "../watch/x.ts";\nexport type Y = X;`,
      "src/watch/x.ts": "export interface X {}",
    },
  ],
  [
    "core → node:fs",
    { "src/core/a.ts": `import { readFileSync } from "node:fs";\nexport const y = readFileSync;` },
  ],
  ["core → a package", { "src/core/a.ts": `import { z } from "fastify";\nexport const y = z;` }],
  ["core → croner, at once", { "src/core/a.ts": `import { Cron } from "croner";\nexport const y = Cron;` }],
  ["inspect → core", { "src/inspect/a.ts": uses("../core/x.ts"), "src/core/x.ts": core }],
  ["watch → inspect, at once", { "src/watch/a.ts": uses("../inspect/x.ts"), "src/inspect/x.ts": core }],
  ["adapters → process", { "src/adapters/a.ts": uses("../process/x.ts"), "src/process/x.ts": core }],
  ["threads → jobs", { "src/threads/a.ts": usesLater("../jobs/x.ts"), "src/jobs/x.ts": core }],
  ["cli → core", { "src/cli/a.ts": uses("../core/x.ts"), "src/core/x.ts": core }],
  ["index → watch, at once", { "src/index.ts": uses("./watch/x.ts"), "src/watch/x.ts": core }],
  ["a room that is not listed", { "src/helpers/a.ts": uses("../core/x.ts"), "src/core/x.ts": core }],
  ["src → test", { "src/core/a.ts": uses("../../test/x.ts"), "test/x.ts": core }],
  ["an example → a source", { "examples/e/a.ts": uses("../../src/index.ts"), "src/index.ts": core }],
  [
    "a cycle",
    {
      "src/core/a.ts": `import { b } from "./b.ts";\nexport const a = () => b;`,
      "src/core/b.ts": `import { a } from "./a.ts";\nexport const b = () => a;`,
    },
  ],
])("a forbidden arrow fails: %s", async (_arrow, files) => {
  const { code, said } = await check(files);
  expect(said).toMatch(/[1-9]\d* forbidden arrows/);
  expect(code).toBe(1);
});

test("a tree with no modules fails: a check that saw nothing proves nothing", async () => {
  expect(await check({ "README.md": "nothing here" })).toMatchObject({
    code: 1,
    said: expect.stringContaining("0 modules seen"),
  });
});
