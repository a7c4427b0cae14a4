import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const WAITING = fileURLToPath(new URL("waiting.mjs", import.meta.url));

/** Which share of one core, in percent, two processes take that wait at the same time. */
export async function idleCost(
  seconds: number,
  folder: string,
): Promise<{ readonly bare: number; readonly watched: number }> {
  const env = { ...process.env, XDG_STATE_HOME: folder, XDG_RUNTIME_DIR: folder, TMPDIR: folder };
  const run = async (how: string): Promise<number> => {
    const { stdout } = await promisify(execFile)(process.execPath, [WAITING, how, String(seconds)], { env });
    return Number(stdout);
  };
  const [bare, watched] = await Promise.all([run("bare"), run("watched")]);
  return { bare, watched };
}
