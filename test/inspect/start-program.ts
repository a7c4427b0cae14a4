import { spawn } from "node:child_process";
import { once } from "node:events";

import { inspectedNodes, hasOtherNodes, programPath } from "../../scripts/programs.ts";

/** Every Node into which the inspector looks, by name and path. */
export function nodes(): readonly (readonly [name: string, path: string])[] {
  const own = ["this Node", process.execPath] as const;
  return hasOtherNodes ? [...inspectedNodes.map((name) => [name, programPath(name)] as const), own] : [own];
}

/** A process that has said on its stdout that it is where it is to be looked at. */
export interface Program extends AsyncDisposable {
  readonly pid: number;
}

/** Starts a program that prints a line once it is set up, and then stays. Disposing of it kills it. */
export async function start(node: string, args: readonly string[]): Promise<Program> {
  const child = spawn(node, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  await Promise.race([once(child.stdout, "data"), ended]);
  if (child.exitCode !== null || child.pid === undefined) throw new Error(`${args.join(" ")} has ended`);
  return {
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
