import { chmodSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type BuildOptions } from "esbuild";

/*
 * What tsc does not build: the two places where a library is inside of a file of ours, so that the package depends on
 * nothing. `node scripts/bundle.ts [dist]`, after tsc.
 */
const root = fileURLToPath(new URL("..", import.meta.url));
const dist = process.argv[2] ?? join(root, "dist");

const common: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node22.13",
  format: "esm",
  // The licences of what is inside stand at the end of the file.
  legalComments: "none",
  logLevel: "warning",
};

/** CommonJS starts in half the time: an import of a module of Node loads all that it exports, streams included. */
const commandLine: BuildOptions = {
  format: "cjs",
  minifySyntax: true,
  minifyWhitespace: true,
  // What the user has installed, or has not: asked for when it is used.
  external: ["pg-boss", "pg"],
  define: { "import.meta.url": "here" },
  banner: { js: '"use strict";const here = require("node:url").pathToFileURL(__filename).href;' },
};

const bundles: { from: string; to: string; options?: BuildOptions }[] = [
  // In place of what tsc made of it, which imports the library.
  { from: "src/inspect/vendor/trace-mapping.ts", to: "inspect/vendor/trace-mapping.js" },
  { from: "src/cli/main.ts", to: "cli/holdfast.cjs", options: commandLine },
];

for (const { from, to, options } of bundles) {
  const outfile = join(dist, to);
  const { metafile } = await build({
    ...common,
    ...options,
    entryPoints: [from],
    outfile,
    metafile: true,
  });
  const inside = packagesOf(Object.keys(metafile.inputs));
  writeFileSync(outfile, readFileSync(outfile, "utf8") + licences(inside));
}
chmodSync(join(dist, "cli/holdfast.cjs"), 0o755);
copyFileSync(join(root, "src/inspect/dump.schema.json"), join(dist, "inspect/dump.schema.json"));
copyFileSync(join(root, "src/agent/openapi.json"), join(dist, "agent/openapi.json"));

/** The packages of which something is in a bundle. */
function packagesOf(inputs: readonly string[]): string[] {
  const names = inputs.flatMap((input) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? []);
  return [...new Set(names)].toSorted();
}

/** What their licences ask for: that they stand beside what was copied. */
function licences(packages: readonly string[]): string {
  return packages
    .map((name) => {
      const folder = join(root, "node_modules", name);
      const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
        version: string;
      };
      return `\n/*!\n${name} ${version}\n\n${readFileSync(join(folder, "LICENSE"), "utf8").trim()}\n*/\n`;
    })
    .join("");
}
