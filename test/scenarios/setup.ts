import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { hasOtherNodes, installPrograms } from "../../scripts/programs.ts";

/**
 * Builds `dist`: the programs of courier import `holdfast` as its users do, and the command line is run as users run it.
 * Where it is fresh, that takes a second.
 */
export function setup(): void {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const compiler = "node_modules/typescript/bin/tsc";
  for (const args of [[compiler, "-p", "tsconfig.build.json"], ["scripts/bundle.ts"]])
    execFileSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  if (hasOtherNodes) installPrograms();
}
