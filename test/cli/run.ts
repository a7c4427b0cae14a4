import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The command line as it is shipped; test/scenarios/setup.ts builds it. */
export const built: string = fileURLToPath(new URL("../../dist/cli/holdfast.cjs", import.meta.url));

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `holdfast` in a process of its own. */
export async function holdfast(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env }, maxBuffer: 1 << 28 };
    execFile(process.execPath, [built, ...args], options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}
