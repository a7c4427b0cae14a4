import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { openScope, watch } from "holdfast";

const TASKS = 1_000;
/** In ms. A sweep of its own that comes in between adds the 10 bytes of one without news. */
const SWEEP = 500;

/** How much the journal of a program grows, in bytes. */
export interface JournalBytes {
  readonly begun: number;
  readonly progress: number;
  readonly ended: number;
  readonly idle: number;
}

/** Lets 1,000 tasks live over some sweeps, report progress, and end. */
export async function journalBytes(folder: string): Promise<JournalBytes> {
  const scope = openScope("courier");
  const watching = watch(scope, { journal: true, sweep: SWEEP, blockAfter: false, lost: false });
  const journals = join(folder, "holdfast/journals");
  const size = (): number =>
    readdirSync(journals).reduce((sum, name) => sum + statSync(join(journals, name)).size, 0);
  let before = size();
  const grown = (): number => {
    void watching.sweep();
    const now = size();
    const more = now - before;
    before = now;
    return more;
  };
  const background = scope.scope("background").scope("fan-out");
  let go: () => void = () => undefined;
  const gone = new Promise<void>((resolve) => {
    go = resolve;
  });
  const tasks = Array.from({ length: TASKS }, (_, at) =>
    background.spawn(["deliver", "render", "sign"][at % 3] ?? "", async (task) => {
      await gone;
      task.progress(at % TASKS, TASKS);
      await task.sleep("1h");
    }),
  );
  await sleep(SWEEP * 1.1);
  const begun = grown();
  go();
  await new Promise(setImmediate);
  const progress = grown();
  await Promise.all(tasks.map((task) => task.cancel()));
  const ended = grown();
  const idle = grown();
  watching.stop();
  await scope.close();
  return { begun, progress, ended, idle };
}
