import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";

import { look } from "../../scripts/directions.ts";

/** Puts a small tree of files somewhere and returns where. */
function tree(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), "holdfast-directions-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

/** Runs the check as `npm run directions` does. */
const check = (root: string): Promise<{ code: number; stdout: string }> =>
  promisify(execFile)(process.execPath, ["--experimental-strip-types", "--no-warnings", script, root]).then(
    ({ stdout }) => ({ code: 0, stdout }),
    ({ code, stdout }: { code: number; stdout: string }) => ({ code, stdout }),
  );

const script = fileURLToPath(new URL("../../scripts/directions.ts", import.meta.url));
const core = "export const x = 1;";
const uses = (path: string): string => `import { x } from "${path}";\nexport const y = x;`;
const usesLater = (path: string): string => `export const y = (): Promise<unknown> => import("${path}");`;

test("arrows that the design draws are allowed", async () => {
  expect(
    await look(
      tree({
        "src/core/x.ts": core,
        "src/core/cron.ts": usesLater("croner"),
        "src/core/context.ts": `import { AsyncLocalStorage } from "node:async_hooks";\nexport const y = AsyncLocalStorage;`,
        "src/inspect/x.ts": core,
        "src/process/x.ts": uses("../core/x.ts"),
        "src/watch/x.ts": usesLater("../inspect/x.ts"),
        "src/index.ts": `${uses("./core/x.ts")}\nexport const z = (): Promise<unknown> => import("./watch/x.ts");`,
        "src/agent/x.ts": uses("../watch/x.ts").replace("x }", "y as x }"),
        "src/process/seen.ts": usesLater("../agent/x.ts"),
        "src/cli/x.ts": usesLater("../watch/x.ts"),
      }),
    ),
  ).toEqual({ modules: 10, violations: [] });
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
  ["watch → cli", { "src/watch/a.ts": uses("../cli/x.ts"), "src/cli/x.ts": core }],
  ["watch → inspect, at once", { "src/watch/a.ts": uses("../inspect/x.ts"), "src/inspect/x.ts": core }],
  ["process → agent, at once", { "src/process/a.ts": uses("../agent/x.ts"), "src/agent/x.ts": core }],
  ["adapters → process", { "src/adapters/a.ts": uses("../process/x.ts"), "src/process/x.ts": core }],
  ["threads → jobs", { "src/threads/a.ts": usesLater("../jobs/x.ts"), "src/jobs/x.ts": core }],
  ["cli → core", { "src/cli/a.ts": uses("../core/x.ts"), "src/core/x.ts": core }],
  ["index → agent, at once", { "src/index.ts": uses("./agent/x.ts"), "src/agent/x.ts": core }],
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
])("a forbidden arrow is found: %s", async (_arrow, files) => {
  const { modules, violations } = await look(tree(files));
  expect(modules).toBe(Object.keys(files).filter((path) => !path.startsWith("test/")).length);
  expect(violations).not.toEqual([]);
});

test("a forbidden arrow fails the check", async () => {
  const root = tree({ "src/inspect/a.ts": uses("../core/x.ts"), "src/core/x.ts": core });
  expect(await check(root)).toEqual({ code: 1, stdout: "directions: 2 modules seen, 1 forbidden arrows\n" });
});

test("a tree with no modules fails the check: one that saw nothing proves nothing", async () => {
  const root = tree({ "README.md": "nothing here" });
  expect(await check(root)).toEqual({ code: 1, stdout: "directions: 0 modules seen, 0 forbidden arrows\n" });
});

test("a tree with no forbidden arrow passes the check", async () => {
  const root = tree({ "src/core/x.ts": core });
  expect(await check(root)).toEqual({ code: 0, stdout: "directions: 1 modules seen, 0 forbidden arrows\n" });
});
