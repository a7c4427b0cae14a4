import { spawnSync } from "node:child_process";
import { delimiter, dirname } from "node:path";
import { fileURLToPath } from "node:url";

import { hasOtherNodes, installPrograms, otherNodes, programPath } from "./programs.ts";

// Runs the suite on another Node: `npm run test:node22`, and what follows `--` goes to vitest.
const [major = "", ...rest] = process.argv.slice(2);
const name = otherNodes.find((other) => other === `node${major}`);
if (name === undefined || !hasOtherNodes) {
  console.error(`No Node ${major} for ${process.platform}-${process.arch} in test/programs.`);
  process.exit(1);
}
installPrograms();
const node = programPath(name);
const vitest = fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url));
const { status } = spawnSync(node, [vitest, "run", ...rest], {
  stdio: "inherit",
  // Programs that tests start as `node` are to run on the same one.
  env: {
    ...process.env,
    HOLDFAST_TEST_NODE: major,
    PATH: `${dirname(node)}${delimiter}${process.env["PATH"] ?? ""}`,
  },
});
process.exitCode = status ?? 1;
