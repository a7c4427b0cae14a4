import { readDump } from "../../dist/inspect/reading.js";
import { toText } from "../../dist/inspect/text.js";
import { peakMemory } from "./peak-memory.mjs";

/*
 * Reads a process as `holdfast dump PID` does, in a process of its own, and says what that took. Plain JavaScript: what
 * strips types would be counted as memory of the reader.
 */

const pid = Number(process.argv[2]);
const cpu = process.cpuUsage();
const started = performance.now();
const dump = readDump(pid);
const wall = performance.now() - started;
const { user, system } = process.cpuUsage(cpu);
const text = toText(dump);
const { functions } = dump.graph;
console.log(
  JSON.stringify({
    wall,
    cpu: (user + system) / 1_000,
    // All that the process has ever needed, its Node and the text included.
    peak: peakMemory(),
    printed: text.length,
    functions: functions.length,
    changing: functions.filter(({ isChanging }) => isChanging).length,
    wasIdle: dump.target.wasIdle,
  }),
);
