import { createRequire } from "node:module";
import { expect, test } from "vitest";

const pinned = createRequire(import.meta.url)("node/package.json") as { version: string };
const other = process.env["HOLDFAST_TEST_NODE"];

test("the tests run on the Node that the project pins, or on the one that was asked for", () => {
  if (other === undefined) expect(process.version).toBe(`v${pinned.version}`);
  else expect(process.version).toMatch(new RegExp(`^v${other}\\.`));
});
