import { readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";

/**
 * What this program goes by: `HOLDFAST_NAME`, else the name in the package.json nearest to what runs, or where that is a
 * tool from node_modules, to the working directory; else the name of its file.
 */
export function programName(env: NodeJS.ProcessEnv = process.env, file = process.argv[1]): string {
  const given = env["HOLDFAST_NAME"];
  if (given !== undefined && given !== "") return given;
  const path = file === undefined ? undefined : realPathOf(file);
  const isTool = path === undefined || path.includes(`${sep}node_modules${sep}`);
  const name = packageName(isTool ? process.cwd() : dirname(path));
  return name ?? (path === undefined ? "node" : basename(path).replace(/\.\w+$/, ""));
}

function realPathOf(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    // The program is to be found another way: without its ending, or in a bundle.
    return file;
  }
}

function packageName(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const name = nameIn(join(at, "package.json"));
    if (name !== undefined || dirname(at) === at) return name;
  }
}

function nameIn(file: string): string | undefined {
  try {
    const { name } = JSON.parse(readFileSync(file, "utf8")) as { name?: unknown };
    return typeof name === "string" && name !== "" ? name : undefined;
  } catch {
    // None is here, or it is none that can be read.
    return undefined;
  }
}
