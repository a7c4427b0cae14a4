import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { inject } from "vitest";

const run = promisify(execFile);
const compiler = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url));

/** What a program said and how it ended. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Starts a program in one of the consumers' folders and waits for its end; never rejects for a bad exit. */
export async function start(command: string, args: string[], consumer = "."): Promise<Ended> {
  try {
    const { stdout, stderr } = await run(command, args, {
      cwd: join(inject("house"), consumer),
      timeout: 60_000,
    });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: unknown; stdout: string; stderr: string };
    return { code: typeof code === "number" ? code : -1, stdout, stderr };
  }
}

/** Compiles a consumer with its own tsconfig; the result's `stdout` holds the compiler's complaints. */
export const compile = (consumer: string): Promise<Ended> =>
  start(process.execPath, [compiler, "-p", "."], consumer);

/** How a program ended that did what it should, and nothing else. */
export const cleanly = (stdout: string): Ended => ({ code: 0, stdout, stderr: "" });
