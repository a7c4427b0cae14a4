import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

import { packInto } from "../../scripts/pack.ts";
import { hasOtherNodes, installPrograms } from "../../scripts/programs.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** A folder outside of the repository where the packed tarball is installed, with the fixtures beside it. */
    house: string;
  }
}

const root = fileURLToPath(new URL("../..", import.meta.url));

const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-consumers-")));

/** What a consumer brings along and we need not fetch again: TypeScript's view of Node, and the web framework. */
const brought = ["@types/node", "fastify"];

/** Packs the package once and installs the tarball once, offline: it has no dependencies, so it needs no network. */
export function setup(project: TestProject): void {
  const house = join(folder, "house");
  mkdirSync(house);
  const tarball = packInto(folder);
  writeFileSync(join(house, "package.json"), JSON.stringify({ name: "house", private: true }));
  execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund", "--legacy-peer-deps", tarball], {
    cwd: house,
    stdio: ["ignore", "ignore", "inherit"],
  });
  for (const name of brought) {
    const to = join(house, "node_modules", name);
    mkdirSync(join(to, ".."), { recursive: true });
    symlinkSync(join(root, "node_modules", name), to, "dir");
  }
  cpSync(join(root, "test/consumers/fixtures"), house, { recursive: true });
  if (hasOtherNodes) installPrograms();
  project.provide("house", house);
}

export function teardown(): void {
  rmSync(folder, { recursive: true, force: true });
}
