import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Gives a folder in which this process keeps its journals meanwhile; it is gone afterwards. */
export async function inStateFolder<R>(work: (folder: string) => Promise<R>): Promise<R> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
  process.env["XDG_STATE_HOME"] = folder;
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
