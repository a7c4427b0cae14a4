import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { basename } from "node:path";

/** A Node process of this user, as the kernel knows it. */
export interface NodeProcess {
  readonly pid: number;
  /** `node server.js` */
  readonly command: string;
}

/** The Node processes of this user, but for this one; found through `/proc`, and none where there is none. */
export function nodeProcesses(): NodeProcess[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => look(Number(pid)) ?? []);
}

function look(pid: number): NodeProcess | undefined {
  try {
    if (statSync(`/proc/${pid}`).uid !== process.geteuid?.()) return undefined;
    const program = basename(readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ""));
    if (!/^node(js)?[\d.-]*$/.test(program)) return undefined;
    const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return { pid, command: commandOf(args) };
  } catch {
    // It has ended meanwhile, or is of a kind that may not be looked at.
    return undefined;
  }
}

/** Flags that have their value in the next argument: what follows them is not the program. */
const WITH_VALUE = new Set([
  "-r",
  "--require",
  "--import",
  "--loader",
  "--experimental-loader",
  "-C",
  "--conditions",
]);

/** The program that runs, without its folder, and without what the Node before it is told. */
function commandOf(args: readonly string[]): string {
  // A program may have written a title over it: then it is one text.
  const [first = "node", ...rest] = args.filter((arg) => arg !== "");
  if (rest.length === 0)
    return basename(first.split(" ")[0] ?? first) + first.slice(first.split(" ")[0]?.length ?? 0);
  for (let at = 0; at < rest.length; at++) {
    const arg = rest[at] ?? "";
    if (WITH_VALUE.has(arg)) at++;
    else if (!arg.startsWith("-")) return ["node", basename(arg), ...rest.slice(at + 1)].join(" ");
  }
  return ["node", ...rest].join(" ");
}
