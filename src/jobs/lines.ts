import { callLater, clearTimer } from "../core/clock.ts";
import type { WaitingLine } from "../core/index.ts";
import { report } from "../core/reporter.ts";

/** How long a record waits at most for the lines at which an abandoned attempt stands, in ms. */
const PATIENCE = 2000;

/** Where a task of this process stands; undefined where that cannot be said within so many ms. */
export async function linesOf(id: number, ms: number): Promise<readonly WaitingLine[] | undefined> {
  return new Promise((resolve) => {
    const timer = callLater(Math.max(0, Math.min(PATIENCE, ms)), resolve, undefined);
    void readLinesOf(id).then((lines) => {
      clearTimer(timer);
      resolve(lines);
    });
  });
}

async function readLinesOf(id: number): Promise<readonly WaitingLine[] | undefined> {
  try {
    const { readLines } = await import("../inspect/own-lines.ts");
    const own = (await readLines()).find((task) => task.id === id);
    return own === undefined || own.awaiting.length === 0 ? undefined : own.awaiting;
  } catch (error) {
    report("where an abandoned attempt stands could not be read:", error);
    return undefined;
  }
}
