import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { ownState } from "../process/child.ts";

/** A program of the example, run as a process of its own by the Node that runs this test. */
export interface Running {
  readonly process: ChildProcess;
  readonly lines: readonly string[];
  /** Resolves with the first line that matches, of those written or yet to come. */
  untilLine(pattern: RegExp): Promise<RegExpExecArray>;
  readonly exit: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

export function run(
  program: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Running {
  const script = fileURLToPath(new URL(`../../../examples/courier/${program}`, import.meta.url));
  // Its data is its own, unless a test says where; a database would be everybody's.
  const { DATABASE_URL: _, ...around } = process.env;
  const own = { XDG_STATE_HOME: ownState(), COURIER_DATA: ownState(), NODE_OPTIONS: "" };
  // Nodes older than the pinned one ask for the flag.
  const child = spawn(process.execPath, ["--experimental-strip-types", "--no-warnings", script, ...args], {
    env: { ...around, ...own, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  const watchers = new Set<(line: string) => void>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on("line", (line) => {
      lines.push(line);
      for (const watch of watchers) watch(line);
    });
  }
  const exit = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exit;
  });
  return {
    process: child,
    lines,
    exit,
    untilLine: async (pattern) =>
      new Promise((resolve, reject) => {
        const watch = (line: string): void => {
          const match = pattern.exec(line);
          if (match !== null) resolve(match);
        };
        lines.forEach(watch);
        watchers.add(watch);
        void exit.then(() =>
          reject(new Error(`it ended and never wrote ${String(pattern)}:\n${lines.join("\n")}`)),
        );
      }),
  };
}
