import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";

import type { Sample } from "../timing.ts";

const alive = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)
  process.once(signal, () => process.exit(code));

/** Ends a process with this one, whatever ends this one. */
export function owned<C extends ChildProcess>(child: C): C {
  alive.add(child);
  child.once("exit", () => alive.delete(child));
  return child;
}

/** What a process has printed, and how long it took from its start to its end, in ms. */
export interface Ended extends Sample {
  readonly output: string;
}

/** Runs this Node until it has ended well. */
export function runNode(args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const cpu = childrenCpu();
    const started = performance.now();
    const child = owned(spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] }));
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.once("error", reject);
    child.once("close", (code, signal) => {
      const wall = performance.now() - started;
      if (code === 0) resolve({ output, wall, cpu: childrenCpu() - cpu });
      else reject(new Error(`node ${args.join(" ")} has ended with ${code ?? signal}`));
    });
  });
}

/** How often the kernel counts time in a second, for who reads `/proc` (`USER_HZ`). */
const TICKS = 100;

/** ms of CPU of all children that have ended (proc_pid_stat(5)): ticks of 10 ms, so only a mean of many says much. */
function childrenCpu(): number {
  const stat = readFileSync("/proc/self/stat", "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[13]) + Number(fields[14])) * 1_000) / TICKS;
}
