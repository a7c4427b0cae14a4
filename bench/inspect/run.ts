import { parseArgs } from "node:util";

import { printBars, type Bar } from "../bars.ts";
import { machine } from "../machine.ts";
import { measureBusy } from "./busy.ts";
import type { Effort } from "./effort.ts";
import { measureGaps } from "./gaps.ts";
import { measureIdle } from "./idle.ts";
import { barOfStart, barsOf, printFound, printStart, type Found } from "./report.ts";
import { measureSnapshot } from "./snapshot.ts";
import { measureStart, type Start } from "./start.ts";
import { Target, type Size } from "./target.ts";

if (process.platform !== "linux") {
  console.error("bench:inspect reads processes through /proc/PID/mem, which only Linux has.");
  process.exit(1);
}

const sizes: readonly Size[] = [
  { name: "30 MB, 1k", megabytes: 30, functions: 1_000, hasQuickSnapshot: true },
  { name: "230 MB, 10k", megabytes: 230, functions: 10_000, hasQuickSnapshot: true },
  { name: "100 MB, 100k", megabytes: 100, functions: 100_000, hasQuickSnapshot: true },
  // A million of them need as much, and nothing is beside them.
  { name: "650 MB, 1M", megabytes: 650, functions: 1_000_000, hasQuickSnapshot: false },
  { name: "1.1 GB, 1k", megabytes: 1_100, functions: 1_000, hasQuickSnapshot: false },
];
const START = "start";

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    snapshots: { type: "boolean", default: false },
  },
});
const effort: Effort = flags.quick
  ? { budget: 5_000, leastRounds: 3, mostRounds: 5 }
  : { budget: 30_000, leastRounds: 5, mostRounds: 15 };
const isWanted = (name: string): boolean =>
  flags.only === undefined ? !flags.quick || isSmall(name) : name.startsWith(flags.only);
const isSmall = (name: string): boolean => sizes.every((size) => size.name !== name || size.megabytes <= 100);

if (![START, ...sizes.map(({ name }) => name)].some(isWanted)) {
  console.error(
    `--only takes the beginning of one of: ${sizes.map(({ name }) => name).join("; ")}; ${START}`,
  );
  process.exit(1);
}

console.log(machine());
const all: Found[] = [];
for (const size of sizes.filter(({ name }) => isWanted(name))) all.push(await measure(size));
const start = isWanted(START) ? await measureColdStart() : undefined;

if (all.length > 0) printFound(all);
if (start !== undefined) printStart(start);
const bars: Bar[] = all.flatMap(barsOf);
if (start !== undefined) bars.push(barOfStart(start));
printBars(bars);

async function measure(size: Size): Promise<Found> {
  const say = (what: string): void => console.error(`${size.name}: ${what} …`);
  say("starting");
  const target = await Target.start(size);
  say("asleep");
  const idle = await measureIdle(target, effort);
  say("gaps");
  const gaps = await measureGaps(target, effort);
  say("working");
  const busy = await measureBusy(target, effort);
  const isToSnapshot = size.hasQuickSnapshot || flags.snapshots;
  if (isToSnapshot) say("heap snapshot");
  const snapshot = isToSnapshot ? await measureSnapshot(target, effort) : undefined;
  await target.end();
  return { size, idle, gaps, busy, snapshot };
}

async function measureColdStart(): Promise<Start> {
  console.error("start …");
  const target = await Target.start({
    name: "small",
    megabytes: 10,
    functions: 100,
    hasQuickSnapshot: false,
  });
  const found = await measureStart(target, flags.quick ? 5 : 25);
  await target.end();
  return found;
}
