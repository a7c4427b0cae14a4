import { parseArgs } from "node:util";

import { printBars } from "../bars.ts";
import { installPeers, peerVersions } from "../installed.ts";
import { machine } from "../machine.ts";
import { figure, printTable } from "../table.ts";
import type { Timing } from "../timing.ts";
import { barsOf, growthBars } from "./asked.ts";
import { startContenders } from "./contenders.ts";
import { growth } from "./growth.ts";
import { concurrencies, inRounds, type Effort, type Found } from "./measure.ts";

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    /** Parts: a throughput, b latency, c growth. */
    only: { type: "string", default: "abc" },
    /** A regular expression for the names of the contenders. */
    of: { type: "string", default: "" },
  },
});
const effort: Effort = flags.quick
  ? { rounds: 1, jobs: 5_000, samples: 100 }
  : { rounds: 5, jobs: 20_000, samples: 1_000 };
const isWanted = (part: string): boolean => flags.only.includes(part);
const pattern = new RegExp(flags.of);
const packages = ["bullmq", "graphile-worker", "pg-boss"];

installPeers(packages);
console.log(machine());
console.log(
  Object.entries(peerVersions(packages))
    .map(([name, version]) => `${name} ${version}`)
    .join(", "),
);

const found = isWanted("a") || isWanted("b") ? await measureAll() : new Map<string, Found>();
const bars = barsOf(found);
if (isWanted("c")) await measureGrowth();
printBars(bars);

async function measureAll(): Promise<Map<string, Found>> {
  const { contenders, stop } = await startContenders((name) => pattern.test(name));
  try {
    const all = await inRounds(contenders, effort, { throughput: isWanted("a"), latency: isWanted("b") });
    if (isWanted("a")) printThroughput(all);
    if (isWanted("b")) printLatency(all);
    return all;
  } finally {
    await stop();
  }
}

function printThroughput(all: ReadonlyMap<string, Found>): void {
  const able = [...all].filter(([, { enqueue }]) => enqueue !== undefined);
  printTable(
    `(a) ${effort.jobs.toLocaleString("en")} jobs: stored in batches of 1,000, and run`,
    [
      `jobs/s, ${effort.rounds} rounds`,
      "enqueue",
      ...concurrencies.map((concurrency) => `run at ${concurrency}`),
      "µs of cpu: enqueue",
      ...concurrencies.map((concurrency) => `at ${concurrency}`),
    ],
    able.map(([name, { enqueue, run }]) => {
      const timings = [enqueue, ...concurrencies.map((concurrency) => run.get(concurrency))];
      return [
        name,
        ...timings.map(perSecond),
        ...timings.map((timing) => figure(timing && timing.cpu / 1e3)),
      ];
    }),
  );
}

function printLatency(all: ReadonlyMap<string, Found>): void {
  printTable(
    "(b) from enqueue to the start, one at a time",
    [`ms, ${effort.rounds} × ${effort.samples}`, "p50", "p99"],
    [...all].flatMap(([name, { latency }]) =>
      latency === undefined ? [] : [[name, figure(latency.p50), figure(latency.p99)]],
    ),
  );
}

async function measureGrowth(): Promise<void> {
  const of = flags.quick ? 100_000 : 1_000_000;
  for (const durability of ["normal", "full"] as const) {
    const grown = await growth(durability, { of, jobs: effort.jobs, rounds: effort.rounds });
    const count = of.toLocaleString("en");
    printTable(
      `(c) SQLite ${durability.toUpperCase()}, with ${count} jobs that have ended and ${count} that wait`,
      ["jobs/s", "empty", "full", "full ÷ empty", "by cpu"],
      grown.map(({ what, empty, full }) => [
        what,
        perSecond(empty),
        perSecond(full),
        figure(empty.wall / full.wall),
        figure(empty.cpu / full.cpu),
      ]),
    );
    bars.push(...growthBars(durability, of, grown));
  }
}

function perSecond(timing: Timing | undefined): string {
  return figure(timing && 1e9 / timing.wall);
}
