import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../test/programs", import.meta.url));

/** Other Nodes on which tests run holdfast; `node22-first` is the oldest one that `engines` allows. */
export const otherNodes = ["node22-first", "node22", "node26"] as const;
export type OtherNode = (typeof otherNodes)[number];

/** What the inspector is tested on, one of each version of V8 that it knows: older than what `engines` allows, too. */
export const inspectedNodes = ["node20", "node22", "node24", "node26"] as const;
export type InspectedNode = (typeof inspectedNodes)[number];

/** Only there are the other Nodes to be had as packages that bring a binary and no install script. */
export const hasOtherNodes = process.platform === "linux" && process.arch === "x64";

const binary = (name: OtherNode | InspectedNode): string => `${folder}/node_modules/${name}/bin/node`;

/** Installs the private package of test programs when it is not there yet: by its own lockfile, never the root's. */
export function installPrograms(): void {
  if ([...otherNodes, ...inspectedNodes].every((name) => existsSync(binary(name)))) return;
  execFileSync("npm", ["ci"], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
}

/** Where the binary of another Node is; call `installPrograms` first. */
export function programPath(name: OtherNode | InspectedNode): string {
  return binary(name);
}
