import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Builds `dist`: the programs of courier import `holdfast` as its users do. Where it is fresh, that takes a second. */
export function setup(): void {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const compiler = "node_modules/typescript/bin/tsc";
  execFileSync(process.execPath, [compiler, "-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
}
