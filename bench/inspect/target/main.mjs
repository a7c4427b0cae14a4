import { writeHeapSnapshot } from "node:v8";

import { fill } from "./ballast.mjs";
import { stopWatching, watchGaps } from "./gaps.mjs";
import { suspend } from "./suspended.mjs";
import { stopWork, work } from "./work.mjs";

/*
 * A program that is looked at: so many suspended functions, so much memory. Then it sleeps until it is told to do
 * something, and ends with whoever started it. `node --expose-gc main.mjs MEGABYTES FUNCTIONS`
 */

const [megabytes, functions] = process.argv.slice(2).map(Number);

const tasks = {
  watch: () => watchGaps(),
  gaps: () => stopWatching(),
  work: ({ rate }) => work(rate),
  rest: () => stopWork(),
  snapshot: ({ path }) => {
    const cpu = process.cpuUsage();
    const started = performance.now();
    writeHeapSnapshot(path);
    const pause = performance.now() - started;
    const { user, system } = process.cpuUsage(cpu);
    return { pause, cpu: (user + system) / 1_000 };
  },
};

process.on("disconnect", () => process.exit());
process.on("message", async (message) => {
  process.send({ answer: await tasks[message.task](message) });
});

suspend(functions);
fill(megabytes);
process.send({ answer: "ready" });
