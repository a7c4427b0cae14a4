import { cpus } from "node:os";
import { parseArgs } from "node:util";

import { printBars, type Bar } from "./bars.ts";
import { loopNames, type Contender, type LoopName } from "./contender.ts";
import { beside, bytes, cancelling, herdsOf, type Growth } from "./herds.ts";
import { assertDefaults, children, holdfast, type Work } from "./holdfast.ts";
import { installPeers, loadPeers, peerVersions } from "./peers.ts";
import { inRounds, type Effort, type Timing } from "./rounds.ts";
import { figure, printTable } from "./table.ts";

const { values: flags } = parseArgs({
  options: { quick: { type: "boolean", default: false }, only: { type: "string", default: "abcd" } },
});
const effort: Effort = flags.quick ? { rounds: 5, sample: 10 } : { rounds: 21, sample: 25 };
const wanted = (part: string): boolean => flags.only.includes(part);

const titles: Record<LoopName, string> = {
  oneByOne: "(a) spawn + settle, awaited one by one, from the top level",
  inside: "(a) spawn + settle, awaited one by one, inside a task",
  awaitAll: "(a) in bursts of 1,000: spawn all, then Promise.all",
  awaitEach: "(a) in bursts of 1,000: spawn all, then await each",
  untilIdle: "(a) in bursts of 1,000: spawn all, await nothing but that all have ended",
};

installPeers();
console.log(
  `Node ${process.version}, ${process.platform} ${process.arch}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown CPU"}`,
);
console.log(
  Object.entries(peerVersions())
    .map(([name, version]) => `${name} ${version}`)
    .join(", "),
);

await assertDefaults();
console.log(
  "Default options: records, counts, delivery and currentTask() right after an await were asserted.",
);

const peers = await loadPeers();
const { body, BURST } = (await import(new URL("../peers/body.mjs", import.meta.url).href)) as {
  body: Work["body"];
  BURST: number;
};
const work: Work = { body, burst: BURST };
const ours = [
  holdfast("holdfast", work),
  holdfast("holdfast, context: false", work, { context: false }),
  children(work),
];
const contenders = [...ours, ...peers];
const bars: Bar[] = [];

if (wanted("a")) await measureLoops();
if (wanted("b")) await measureBytes();
if (wanted("c")) await measureCancelling();
if (wanted("d")) await measureGrowth();
printBars(bars);

async function measureLoops(): Promise<void> {
  const timings = new Map<LoopName, Map<string, Timing>>();
  for (const loop of loopNames) {
    const cases = contenders.flatMap(({ name, loops }) => {
      const run = loops[loop];
      return run === undefined ? [] : [{ name, run }];
    });
    // What runs inside a task has no like among the peers; these stand beside it.
    if (loop === "inside")
      cases.push(...outside("bare async call"), ...outside("als.run"), ...outside("p-limit"));
    const found = await inRounds(cases, effort);
    timings.set(loop, found);
    const bare = found.get("bare async call")?.wall ?? timings.get("awaitAll")?.get("bare async call")?.wall;
    const own = found.get("holdfast")?.wall;
    printTable(
      titles[loop],
      [`ns each, median of ${effort.rounds} rounds`, "wall", "cpu", "× bare", "holdfast ÷ it"],
      [...found].map(([name, { wall, cpu }]) => [
        name,
        figure(wall),
        figure(cpu),
        figure(bare && wall / bare),
        figure(own && own / wall),
      ]),
    );
  }
  const bar = (loop: LoopName, of: string, peer: string, atMost: number, peerLoop = loop): void => {
    const value = timings.get(loop)?.get("holdfast")?.wall;
    const other = timings.get(peerLoop)?.get(peer)?.wall;
    bars.push({ of, what: `÷ ${peer}`, value: value && other && value / other, atMost });
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

function outside(name: string): { name: string; run: NonNullable<Contender["loops"]["oneByOne"]> }[] {
  const run = contenders.find((contender) => contender.name === name)?.loops.oneByOne;
  return run === undefined ? [] : [{ name, run }];
}

async function measureBytes(): Promise<void> {
  const count = 100_000;
  const found = await bytes(herdsOf(contenders), count, flags.quick ? 1 : 3);
  const own = found.get("holdfast: task.sleep in an async function");
  printTable(
    `(b) heap for each live sleeping task, of ${count.toLocaleString("en")}`,
    ["bytes each", "", "holdfast ÷ it"],
    [...found].map(([name, size]) => [name, figure(size), figure(own && own / size)]),
  );
  const limit = found.get("p-limit: parked promise");
  bars.push({ of: "heap for a sleeping task", what: "bytes", value: own, atMost: 1_350 });
  bars.push({ of: "heap for a sleeping task", what: "bytes, beside p-limit's", value: own, atMost: limit });
  const effect = Math.min(
    ...[...found].filter(([name]) => name.startsWith("Effect ")).map(([, size]) => size),
  );
  bars.push({
    of: "heap for a sleeping task",
    what: "bytes, beside Effect's least",
    value: own,
    atMost: effect,
    aim: true,
  });
}

async function measureCancelling(): Promise<void> {
  const count = 100_000;
  const found = await cancelling(herdsOf(contenders, "cancels"), count, flags.quick ? 3 : 9);
  const own = found.get("holdfast: task.sleep in an async function")?.wall;
  printTable(
    `(c) cancel ${count.toLocaleString("en")} sleeping tasks and await them`,
    ["ms, median", "wall", "cpu", "holdfast ÷ it"],
    [
      ...[...found].map(([name, { wall, cpu }]) => [
        name,
        figure(wall),
        figure(cpu),
        figure(own && own / wall),
      ]),
      ["p-limit, p-queue: neither can cancel what runs", "–", "–", "–"],
    ],
  );
  const effect = Math.min(
    ...[...found].filter(([name]) => name.startsWith("Effect ")).map(([, { wall }]) => wall),
  );
  bars.push({
    of: "cancel 100,000",
    what: "÷ Effect's fastest way",
    value: own && own / effect,
    atMost: 1.3,
  });
  bars.push({
    of: "cancel 100,000",
    what: "÷ Effect's fastest way",
    value: own && own / effect,
    atMost: 0.95,
    aim: true,
  });
}

async function measureGrowth(): Promise<void> {
  const levels = flags.quick ? [1_000, 10_000, 100_000] : [1_000, 10_000, 100_000, 1_000_000];
  const herds = herdsOf(contenders, "lives");
  const found = new Map<number, Map<string, Growth>>();
  for (const level of levels) found.set(level, await beside(herds, level, effort));
  const at = (level: number, name: string): Growth | undefined => found.get(level)?.get(name);
  const heads = levels.map((level) => `${(level / 1_000).toLocaleString("en")}k live`);
  const rows = (pick: (growth: Growth) => number): string[][] =>
    herds.map(({ name }) => {
      const values = levels.map((level) => {
        const growth = at(level, name);
        return growth && pick(growth);
      });
      const first = values[0];
      const last = values.at(-1);
      return [name, ...values.map(figure), figure(first && last && last / first)];
    });
  printTable(
    "(d) spawn + settle one by one, while so many others sleep",
    ["ns each, wall, median", ...heads, "growth"],
    rows(({ oneByOne }) => oneByOne.wall),
  );
  printTable(
    "(d) making those that sleep",
    ["ns each, wall, median", ...heads, "growth"],
    rows(({ making }) => making.wall),
  );
  const own = "holdfast: task.sleep in an async function";
  const few = at(1_000, own)?.oneByOne.wall;
  const many = at(1_000_000, own)?.oneByOne.wall;
  bars.push({ of: "growth", what: "at 1M live ÷ at 1k", value: many && few && many / few, atMost: 4 });
  for (const { name } of herds.filter((herd) => herd.name.startsWith("Effect "))) {
    const effect = at(100_000, name)?.oneByOne.wall;
    bars.push({
      of: "growth",
      what: `at 1M live ÷ ${name.split(":")[0]} at 100k`,
      value: many && effect && many / effect,
      atMost: 1,
    });
  }
}
