import { expect, test } from "vitest";

import { hasOtherNodes, otherNodes, programPath } from "../../scripts/programs.ts";
import { cleanly, start } from "./consume.ts";

const said = cleanly("42 AHOY closed function function true string\n");

test("CommonJS requires every entry on the pinned Node, without a warning", async () => {
  expect(await start(process.execPath, ["app.cjs"], "cjs")).toEqual(said);
});

// Skipped on other platforms than linux-x64: there are no packages of other Nodes for them in test/programs.
test.skipIf(!hasOtherNodes).each(otherNodes)(
  "CommonJS requires every entry on %s, without a warning",
  async (name) => {
    expect(await start(programPath(name), ["app.cjs"], "cjs")).toEqual(said);
  },
);
