import { execFile, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The command line as it is shipped; test/scenarios/setup.ts builds it. */
const built = fileURLToPath(new URL("../../dist/cli/holdfast.cjs", import.meta.url));

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

/** util-linux's `script` gives a command a terminal of 80 columns; macOS's takes other options. */
export const hasTerminals = process.platform === "linux" && spawnSync("script", ["--version"]).status === 0;

/** Runs `holdfast` on a terminal, and returns what it wrote there. */
export async function onTerminal(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const command = ["stty cols 80;", process.execPath, built, ...args].join(" ");
  return new Promise((resolve) => {
    const options = { env: { ...env, TERM: "xterm-256color", SHELL: "/bin/sh" } };
    execFile("script", ["-qefc", command, "/dev/null"], options, (_, stdout) => resolve(stdout));
  });
}
