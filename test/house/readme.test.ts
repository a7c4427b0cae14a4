import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test } from "vitest";

import { hasOtherNodes, otherNodes, programPath } from "../../scripts/programs.ts";
import { start } from "../consumers/consume.ts";

/** The first block of plain JavaScript in README.md, as a reader would copy it. */
function example(): string {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const block = /^```js\n(?<code>[\s\S]*?)^```$/m.exec(readme)?.groups?.["code"];
  if (block === undefined)
    throw new Error("README.md has no ```js block: its example is part of what we promise.");
  return block;
}

async function runs(node: string, name: string): Promise<void> {
  const file = `readme-${name}.mjs`;
  writeFileSync(join(inject("house"), file), example());
  const ended = await start(node, [file]);
  expect(ended, ended.stderr).toMatchObject({ code: 0, stdout: expect.stringMatching(/\S/) });
}

test("README: the example runs as written, from the installed tarball, and says something", async () => {
  await runs(process.execPath, "pinned");
});

test.skipIf(!hasOtherNodes).each(otherNodes)("README: the example runs as written on %s", async (name) => {
  await runs(programPath(name), name);
});
