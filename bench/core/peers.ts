import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import type { Contender } from "./contender.ts";

const folder = new URL("../peers/", import.meta.url);

/** The libraries that stand beside holdfast: packages of `bench/peers`, never of the root. */
const packages = ["p-limit", "p-queue", "effect", "effection"] as const;

const manifest = (name: string): URL => new URL(`node_modules/${name}/package.json`, folder);

/** Which version of each package is measured. */
export function peerVersions(): Record<string, string> {
  return Object.fromEntries(
    packages.map((name) => {
      const { version } = JSON.parse(readFileSync(manifest(name), "utf8")) as { version: string };
      return [name, version];
    }),
  );
}

/** Installs them by their own lockfile where they are missing. */
export function installPeers(): void {
  if (packages.every((name) => existsSync(manifest(name)))) return;
  console.log("Installing the peers of bench/peers …");
  execFileSync("npm", ["ci"], { cwd: fileURLToPath(folder), stdio: ["ignore", "ignore", "inherit"] });
}

/** Loads all of them; plain JavaScript, so that the repository is type-checked without them. */
export async function loadPeers(): Promise<Contender[]> {
  const contenders: Contender[] = [];
  for (const name of ["bare", ...packages]) {
    const module = (await import(new URL(`${name}.mjs`, folder).href)) as { contenders: Contender[] };
    contenders.push(...module.contenders);
  }
  return contenders;
}
