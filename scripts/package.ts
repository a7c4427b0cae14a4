import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { packInto } from "./pack.ts";

// Checks the package as users will get it: what publint and "are the types wrong?" say of the packed tarball.
const folder = mkdtempSync(join(tmpdir(), "holdfast-package-"));
try {
  const tarball = packInto(folder);
  const checks: [string, string[]][] = [
    ["publint", ["run", tarball, "--strict"]],
    // Everything is ESM; `require()` of it works from the oldest Node in `engines` on.
    ["attw", [tarball, "--profile", "esm-only", "--no-definitely-typed", "--no-emoji"]],
  ];
  for (const [command, args] of checks) {
    const { status } = spawnSync(command, args, { stdio: "inherit" });
    if (status !== 0) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
