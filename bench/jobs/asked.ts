import type { Bar } from "../bars.ts";
import { median, type Timing } from "../timing.ts";
import type { Grown } from "./growth.ts";
import { concurrencies, type Found } from "./measure.ts";
import { POSTGRES } from "./postgres.ts";
import { BARE_INSERT, FULL, NORMAL } from "./sqlite.ts";

type All = ReadonlyMap<string, Found>;

/** How often as fast. By CPU time of this thread only where both do all their work on it. */
function times(own: Timing | undefined, other: Timing | undefined): Pick<Bar, "reached"> {
  return { reached: own && other && other.wall / own.wall };
}

/** What must be reached beside the others. */
export function barsOf(all: All): Bar[] {
  const bars: Bar[] = [];
  const normal = all.get(NORMAL);
  const full = all.get(FULL);
  const bullmq = all.get("BullMQ");
  const graphile = all.get("graphile-worker, tuned");
  bars.push({
    of: NORMAL,
    what: "enqueue ÷ BullMQ's",
    ...times(normal?.enqueue, bullmq?.enqueue),
    atLeast: 5,
  });
  for (const at of concurrencies)
    bars.push({
      of: NORMAL,
      what: `run at ${at} ÷ BullMQ's`,
      ...times(normal?.run.get(at), bullmq?.run.get(at)),
      atLeast: 2,
    });
  for (const at of concurrencies)
    bars.push({
      of: FULL,
      what: `run at ${at} ÷ graphile-worker's, tuned`,
      ...times(full?.run.get(at), graphile?.run.get(at)),
      atLeast: at === 10 ? 0.8 : 1,
    });
  const insert = all.get(BARE_INSERT)?.latency;
  for (const [which, atMost] of [
    ["p50", 3],
    ["p99", 6],
  ] as const)
    bars.push({
      of: FULL,
      what: `enqueue to start, ${which} ÷ a bare insert's`,
      reached: full?.latency && insert && full.latency[which] / insert[which],
      atMost,
    });
  return [...bars, ...postgresBars(all)];
}

function postgresBars(all: All): Bar[] {
  const own = all.get(POSTGRES);
  const bosses = [...all].filter(([name]) => name.startsWith("pg-boss")).map(([, found]) => found);
  /** pg-boss in the way that is best for it there. */
  const best = (pick: (found: Found) => number | undefined): number | undefined => {
    const values = bosses.map(pick).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : Math.min(...values);
  };
  const bars: Bar[] = [];
  // It stores jobs in one way, which was measured for each: the best of that would be the luckiest.
  const stored = bosses.flatMap(({ enqueue }) => (enqueue === undefined ? [] : [enqueue.wall]));
  const theirEnqueue = stored.length === 0 ? undefined : median(stored);
  bars.push({
    of: POSTGRES,
    what: "enqueue ÷ pg-boss's",
    reached: own?.enqueue && theirEnqueue && theirEnqueue / own.enqueue.wall,
    atLeast: 0.8,
  });
  for (const at of concurrencies) {
    const pick = (found: Found): number | undefined => found.run.get(at)?.wall;
    const [mine, theirs] = [own && pick(own), best(pick)];
    bars.push({
      of: POSTGRES,
      what: `run at ${at} ÷ pg-boss's best`,
      reached: mine && theirs && theirs / mine,
      atLeast: 0.8,
    });
  }
  for (const which of ["p50", "p99"] as const) {
    const theirs = best(({ latency }) => latency?.[which]);
    bars.push({
      of: POSTGRES,
      what: `enqueue to start, ${which} ÷ pg-boss's`,
      reached: own?.latency && theirs && own.latency[which] / theirs,
      atMost: 1.2,
    });
  }
  return bars;
}

/** What must be reached with a store that has grown. */
export function growthBars(durability: "normal" | "full", of: number, grown: readonly Grown[]): Bar[] {
  const size = of >= 1e6 ? `${of / 1e6}M` : `${of / 1e3}k`;
  return grown.map(({ what, empty, full }) => ({
    of: `SQLite ${durability.toUpperCase()}, ${size} + ${size} jobs`,
    what: `${what} ÷ with none`,
    reached: empty.wall / full.wall,
    cpu: empty.cpu / full.cpu,
    atLeast: 0.7,
  }));
}
