import { parseArgs } from "node:util";

import { printBars, ratio, type Bar } from "../bars.ts";
import { installPeers, peerVersions } from "../installed.ts";
import { machine } from "../machine.ts";
import { figure, printTable } from "../table.ts";
import type { Timing } from "../timing.ts";
import { loopNames, type Contender, type LoopName } from "./contender.ts";
import { beside, bytes, cancelling, herdsOf, type Growth } from "./herds.ts";
import { assertDefaults, children, holdfast, type Work } from "./holdfast.ts";
import { loadPeers, packages } from "./peers.ts";
import { inRounds, type Case, type Effort } from "../rounds.ts";

const { values: flags } = parseArgs({
  options: { quick: { type: "boolean", default: false }, only: { type: "string", default: "abcd" } },
});
const effort: Effort = flags.quick
  ? { rounds: 7, sample: 15, warmUp: 150 }
  : { rounds: 21, sample: 25, warmUp: 500 };
const isWanted = (part: string): boolean => flags.only.includes(part);

const titles: Record<LoopName, string> = {
  oneByOne: "(a) spawn + settle, awaited one by one, from the top level",
  inside: "(a) spawn + settle, awaited one by one, inside a task",
  awaitAll: "(a) in bursts of 1,000: spawn all, then Promise.all",
  awaitEach: "(a) in bursts of 1,000: spawn all, then await each",
  untilIdle: "(a) in bursts of 1,000: spawn all, await nothing but that all have ended",
};
const MANY = 100_000;
const SLEEPING = "holdfast: task.sleep in an async function";

installPeers(packages);
console.log(machine());
console.log(
  Object.entries(peerVersions(packages))
    .map(([name, version]) => `${name} ${version}`)
    .join(", "),
);

await assertDefaults();
console.log("Asserted: records, counts and delivery are on, and currentTask() is right after every await.");

const { body, BURST } = (await import(new URL("../peers/body.mjs", import.meta.url).href)) as {
  body: Work["body"];
  BURST: number;
};
const work: Work = { body, burst: BURST };
const contenders: readonly Contender[] = [
  holdfast("holdfast", work),
  holdfast("holdfast, context: false", work, { context: false }),
  children(work),
  ...(await loadPeers()),
];
const bars: Bar[] = [];

if (isWanted("a")) await measureLoops();
if (isWanted("b")) await measureBytes();
if (isWanted("c")) await measureCancelling();
if (isWanted("d")) await measureGrowth();
printBars(bars);

function casesOf(loop: LoopName, only?: readonly string[]): Case[] {
  return contenders.flatMap(({ name, loops }) => {
    const run = loops[loop];
    return run === undefined || only?.includes(name) === false ? [] : [{ name, run }];
  });
}

async function measureLoops(): Promise<void> {
  const timings = new Map<LoopName, Map<string, Timing>>();
  for (const loop of loopNames) {
    const cases = casesOf(loop);
    // What runs inside a task has no like among the peers: the plain ones stand beside it.
    if (loop === "inside") cases.push(...casesOf("oneByOne", ["bare async call", "als.run", "p-limit"]));
    const found = await inRounds(cases, effort);
    timings.set(loop, found);
    const bare = found.get("bare async call") ?? timings.get("awaitAll")?.get("bare async call");
    const own = found.get("holdfast");
    printTable(
      titles[loop],
      [`ns each, ${effort.rounds} rounds`, "wall", "cpu", "× bare", "holdfast ÷ it", "by cpu"],
      [...found].map(([name, timing]) => [
        name,
        figure(timing.wall),
        figure(timing.cpu),
        figure(ratio(timing, bare).reached),
        figure(ratio(own, timing).reached),
        figure(ratio(own, timing).cpu),
      ]),
    );
    if (loop === "oneByOne") sayIfBusy(own);
  }
  const bar = (loop: LoopName, of: string, peer: string, atMost: number, peerLoop = loop): void => {
    const own = timings.get(loop)?.get("holdfast");
    bars.push({ of, what: `÷ ${peer}`, ...ratio(own, timings.get(peerLoop)?.get(peer)), atMost });
  };
  bar("oneByOne", "one by one", "als.run", 2);
  bar("oneByOne", "one by one", "p-limit", 0.85);
  bar("oneByOne", "one by one", "Effect runPromise", 1);
  bar("oneByOne", "one by one", "Effect forkChild + join", 0.2);
  bar("oneByOne", "one by one", "p-queue", 0.25);
  bar("awaitAll", "bursts, Promise.all", "p-limit", 0.85);
  bar("awaitAll", "bursts, Promise.all", "Effect runPromise", 1);
  bar("awaitEach", "bursts, await each", "p-limit", 0.85);
  bar("awaitEach", "bursts, await each", "Effect runPromise", 1);
  bar("untilIdle", "bursts, until all have ended", "p-limit", 0.85);
  bar("untilIdle", "bursts, until all have ended", "Effect runPromise", 1, "awaitAll");
}

/** On a busy machine the wall clock counts the others, too. */
function sayIfBusy(timing: Timing | undefined): void {
  if (timing === undefined || timing.wall < timing.cpu * 1.25) return;
  console.log(
    "  The machine is busy with something else: the ratios by cpu say more than those by the wall clock.",
  );
}

async function measureBytes(): Promise<void> {
  const found = await bytes(herdsOf(contenders), MANY, flags.quick ? 1 : 3);
  const own = found.get(SLEEPING);
  printTable(
    `(b) heap for each live sleeping task, of ${MANY.toLocaleString("en")}`,
    ["", "bytes each", "holdfast ÷ it"],
    [...found].map(([name, size]) => [name, figure(size), figure(own && own / size)]),
  );
  const effect = Math.min(...[...found].filter(([name]) => isEffect(name)).map(([, size]) => size));
  const of = "heap for a sleeping task";
  bars.push({ of, what: "bytes", reached: own, atMost: 1_350 });
  bars.push({ of, what: "bytes, p-limit's", reached: own, atMost: found.get("p-limit: parked promise") });
  bars.push({ of, what: "bytes, Effect's least", reached: own, atMost: effect, isAim: true });
}

async function measureCancelling(): Promise<void> {
  const found = await cancelling(herdsOf(contenders, "cancels"), MANY, flags.quick ? 3 : 9);
  const own = found.get(SLEEPING);
  printTable(
    `(c) cancel ${MANY.toLocaleString("en")} sleeping tasks and await them`,
    ["ms", "wall", "cpu", "holdfast ÷ it", "by cpu"],
    [
      ...[...found].map(([name, timing]) => [
        name,
        figure(timing.wall),
        figure(timing.cpu),
        figure(ratio(own, timing).reached),
        figure(ratio(own, timing).cpu),
      ]),
      ["p-limit, p-queue: neither can cancel what runs", "–", "–", "–", "–"],
    ],
  );
  const [fastest] = [...found]
    .filter(([name]) => isEffect(name))
    .map(([, timing]) => timing)
    .toSorted((a, b) => a.wall - b.wall);
  const bar = { of: "cancel 100,000", what: "÷ Effect's fastest way", ...ratio(own, fastest) };
  bars.push({ ...bar, atMost: 1.3 }, { ...bar, atMost: 0.95, isAim: true });
}

async function measureGrowth(): Promise<void> {
  const levels = flags.quick ? [1_000, 10_000, 100_000] : [1_000, 10_000, 100_000, 1_000_000];
  const herds = herdsOf(contenders, "lives");
  const found = new Map<number, Map<string, Growth>>();
  for (const level of levels) found.set(level, await beside(herds, level, effort));
  const heads = levels.map((level) => `${(level / 1_000).toLocaleString("en")}k live`);
  const rows = (pick: (growth: Growth) => Timing): string[][] =>
    herds.map(({ name }) => {
      const walls = levels.map((level) => {
        const growth = found.get(level)?.get(name);
        return growth && pick(growth).wall;
      });
      const [first, last] = [walls[0], walls.at(-1)];
      return [name, ...walls.map(figure), figure(first && last && last / first)];
    });
  printTable(
    "(d) spawn + settle one by one, while so many others sleep",
    ["ns each, wall", ...heads, "growth"],
    rows((growth) => growth.oneByOne),
  );
  printTable(
    "(d) making those that sleep",
    ["ns each, wall", ...heads, "growth"],
    rows((growth) => growth.making),
  );
  const few = found.get(1_000)?.get(SLEEPING)?.oneByOne;
  const many = found.get(1_000_000)?.get(SLEEPING)?.oneByOne;
  bars.push({ of: "at 1M live", what: "÷ at 1k live", ...ratio(many, few), atMost: 4 });
  for (const { name } of herds.filter((herd) => isEffect(herd.name))) {
    const effect = found.get(100_000)?.get(name)?.oneByOne;
    const what = `÷ ${name.split(":", 1).join()} at 100k`;
    bars.push({ of: "at 1M live", what, ...ratio(many, effect), atMost: 1 });
  }
}

function isEffect(name: string): boolean {
  return name.startsWith("Effect ");
}
