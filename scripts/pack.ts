import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What one package holds besides its `dist`: `package.json` names it, npm adds README and LICENSE by itself. */
const besides = ["package.json", "README.md", "LICENSE", "CHANGELOG.md", "docs"];

/**
 * Builds the package from scratch in `folder`, packs it there as `npm publish` would, and returns the path of the
 * tarball. The repository's own `dist` is left alone: programs may be running from it.
 */
export function packInto(folder: string): string {
  const stage = join(folder, "package");
  mkdirSync(stage, { recursive: true });
  for (const name of besides) {
    if (existsSync(join(root, name))) cpSync(join(root, name), join(stage, name), { recursive: true });
  }
  const dist = join(stage, "dist");
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const options = ["-p", join(root, "tsconfig.build.json"), "--outDir", dist];
  run(process.execPath, [compiler, ...options, "--tsBuildInfoFile", join(dist, ".tsbuildinfo")]);
  run(process.execPath, [join(root, "scripts/bundle.ts"), dist]);
  const listed = run("npm", ["pack", "--json", "--pack-destination", folder, stage]);
  return join(folder, nameOf(listed));
}

/** npm prints an array of packages, or an object of them by name, according to its version. */
function nameOf(listed: string): string {
  const packs = JSON.parse(listed) as Record<string, { filename: string }>;
  const [only] = Object.values(packs);
  if (only === undefined) throw new Error(`npm pack named no tarball: ${listed}`);
  return only.filename;
}

function run(command: string, args: string[]): string {
  try {
    return execFileSync(command, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
  }
}
