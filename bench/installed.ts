import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = new URL("./peers/", import.meta.url);

/** Of a package of `bench/peers`, never of the root. */
const manifest = (name: string): URL => new URL(`node_modules/${name}/package.json`, folder);

/** Which version of each package is measured. */
export function peerVersions(packages: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    packages.map((name) => {
      const { version } = JSON.parse(readFileSync(manifest(name), "utf8")) as { version: string };
      return [name, version];
    }),
  );
}

/** Installs all of them by their own lockfile where one is missing. */
export function installPeers(packages: readonly string[]): void {
  if (packages.every((name) => existsSync(manifest(name)))) return;
  console.log("Installing the peers of bench/peers …");
  execFileSync("npm", ["ci"], { cwd: fileURLToPath(folder), stdio: ["ignore", "ignore", "inherit"] });
}
