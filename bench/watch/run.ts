import { parseArgs } from "node:util";

import { printBars, ratio, type Bar } from "../bars.ts";
import { machine } from "../machine.ts";
import type { Effort } from "../rounds.ts";
import { figure, printTable } from "../table.ts";
import { idleCost } from "./idle.ts";
import { journalBytes } from "./journal.ts";
import { spawning, WATCHED, WITHOUT } from "./spawning.ts";
import { inStateFolder } from "./state-folder.ts";
import { sweeping } from "./sweeping.ts";

const { values: flags } = parseArgs({
  options: { quick: { type: "boolean", default: false }, only: { type: "string", default: "abcd" } },
});
const effort: Effort = flags.quick
  ? { rounds: 15, sample: 15, warmUp: 150 }
  : { rounds: 81, sample: 40, warmUp: 1_000 };
const isWanted = (part: string): boolean => flags.only.includes(part);
const TASKS = 100_000;

console.log(machine());
const bars: Bar[] = [];
if (isWanted("a")) await measureSpawning();
if (isWanted("b")) await measureSweeping();
if (isWanted("c")) await measureIdle();
if (isWanted("d")) await measureJournal();
printBars(bars);

async function measureSpawning(): Promise<void> {
  for (const { title, timings } of await inStateFolder((folder) => spawning(effort, folder))) {
    const without = timings.get(WITHOUT);
    printTable(
      `(a) ${title}`,
      [`ns each, ${effort.rounds} rounds`, "wall", "cpu", "÷ without", "by cpu"],
      [...timings].map(([name, timing]) => [
        name,
        figure(timing.wall),
        figure(timing.cpu),
        figure(ratio(timing, without).reached),
        figure(ratio(timing, without).cpu),
      ]),
    );
    bars.push({ of: title, what: "÷ without", ...ratio(timings.get(WATCHED), without), atMost: 1.03 });
  }
}

async function measureSweeping(): Promise<void> {
  const { array, first, later } = await inStateFolder(() => sweeping(TASKS, flags.quick ? 9 : 31));
  printTable(
    `(b) a sweep over ${TASKS.toLocaleString("en")} old tasks`,
    ["ms", "wall", "÷ the array"],
    [
      ["an array of as many objects, walked once", figure(array), "1"],
      ["a sweep", figure(later), figure(later / array)],
      ["the first sweep that meets them, journal included", figure(first), figure(first / array)],
    ],
  );
  bars.push({ of: "a sweep", what: "÷ the array", reached: later / array, atMost: 20 });
}

async function measureIdle(): Promise<void> {
  const seconds = flags.quick ? 5 : 20;
  const { bare, watched } = await inStateFolder((folder) => idleCost(seconds, folder));
  printTable(
    `(c) a process that waits, for ${seconds} s`,
    ["% of one core", "cpu"],
    [
      ["a root scope", figure(bare)],
      ["the same, watched, with a journal and an agent", figure(watched)],
    ],
  );
  bars.push({
    of: "watching a process that waits",
    what: "% of one core",
    reached: watched - bare,
    atMost: 1,
  });
}

async function measureJournal(): Promise<void> {
  const { begun, progress, ended, idle } = await inStateFolder(journalBytes);
  printTable(
    "(d) the journal, for 1,000 tasks that live over a sweep",
    ["", "bytes"],
    [
      ["that they have begun", figure(begun)],
      ["that each reports progress", figure(progress)],
      ["that they have ended", figure(ended)],
      ["a sweep without news", figure(idle)],
    ],
  );
}
