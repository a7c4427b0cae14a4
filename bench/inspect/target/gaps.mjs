import { openSync, readSync } from "node:fs";

let last = 0;
let lastWaited = 0;
let longest = 0;
let longestOwn = 0;
let timer;

/** Looks at the clock in every turn of a loop of 1 ms timers. Resolves when it has begun to. */
export function watchGaps() {
  return new Promise((resolve) => {
    timer = setTimeout(() => {
      look();
      longest = 0;
      longestOwn = 0;
      timer = setTimeout(tick, 1);
      resolve();
    }, 1);
  });
}

function tick() {
  look();
  timer = setTimeout(tick, 1);
}

function look() {
  const now = performance.now();
  const waited = waitedForCore();
  longest = Math.max(longest, now - last);
  longestOwn = Math.max(longestOwn, now - last - (waited - lastWaited));
  last = now;
  lastWaited = waited;
}

/** The longest time between two turns since then, in ms; and the longest without what was waiting for a core. */
export function stopWatching() {
  clearTimeout(timer);
  look();
  return { longest, longestOwn };
}

const schedstat = openSync("/proc/self/schedstat", "r");
const text = Buffer.alloc(100);

/** For how many ms this thread could have run, and other programs did (Documentation/scheduler/sched-stats.rst). */
function waitedForCore() {
  const length = readSync(schedstat, text, 0, text.length, 0);
  return Number(text.latin1Slice(0, length).split(" ")[1]) / 1e6;
}
