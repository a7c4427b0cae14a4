import type { Contender, Herd, MakeHerd } from "./contender.ts";
import { median, medians, type Sample, type Timing } from "../timing.ts";
import { collect, fromTheStart, time, type Effort } from "../rounds.ts";

/** One way in which one contender has sleeping tasks. */
export interface NamedHerd {
  readonly name: string;
  readonly make: MakeHerd;
}

/** All herds of the contenders, or those that the contender names under `only`. */
export function herdsOf(contenders: readonly Contender[], only?: "cancels" | "lives"): NamedHerd[] {
  return contenders.flatMap((contender) =>
    Object.entries(contender.herds ?? {})
      .filter(([way]) => only === undefined || contender[only]?.includes(way))
      .map(([way, make]) => ({ name: `${contender.name}: ${way}`, make })),
  );
}

/** The heap when nothing more can be collected: what a turn lets go of, the next collection finds. */
async function heapUsed(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (;;) {
    await new Promise(setImmediate);
    collect();
    const { heapUsed: now } = process.memoryUsage();
    if (now > least - 10_000) return Math.min(now, least);
    least = now;
  }
}

async function heapOf({ make }: NamedHerd, count: number): Promise<number> {
  const before = await heapUsed();
  const herd = await fromTheStart(() => make(count));
  const after = await heapUsed();
  await herd.end();
  return (after - before) / count;
}

/** Bytes of heap for each live sleeping task. */
export async function bytes(
  herds: readonly NamedHerd[],
  count: number,
  rounds: number,
): Promise<Map<string, number>> {
  const found = new Map<string, number[]>(herds.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const herd of rotated(herds, round)) {
      // Timers must be waited out; once tells as much as three times.
      if (round !== 0 && herd.name.endsWith("timers/promises")) continue;
      const size = await heapOf(herd, round < 0 ? 1_000 : isSlow(herd) ? count / 10 : count);
      if (round >= 0) found.get(herd.name)?.push(size);
    }
  }
  return new Map([...found].map(([name, list]) => [name, median(list)]));
}

/** A hundred times as slow as the others: there a tenth, or a single round, must do. */
function isSlow({ name }: NamedHerd): boolean {
  return name.startsWith("Effection");
}

/** ms to cancel so many sleeping tasks and to see the last of them ended; `cpu` is this thread's part. */
export async function cancelling(
  herds: readonly NamedHerd[],
  count: number,
  rounds: number,
): Promise<Map<string, Timing>> {
  const samples = new Map<string, Sample[]>(herds.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const named of rotated(herds, round)) {
      if (isSlow(named) && round !== 0) continue;
      const herd = await fromTheStart(() => named.make(count));
      collect();
      const { wall, cpu } = await time(() => herd.end());
      if (round >= 0) samples.get(named.name)?.push({ wall: wall / 1e6, cpu: cpu / 1e6 });
    }
  }
  return new Map([...samples].map(([name, list]) => [name, medians(list)]));
}

/** What spawning costs while others live. */
export interface Growth {
  /** ns for each of those that live, until all sleep. */
  readonly making: Timing;
  /** ns to spawn and settle one beside them. */
  readonly oneByOne: Timing;
}

/** Spawn + settle one by one beside so many live sleeping tasks. */
export async function beside(
  herds: readonly NamedHerd[],
  live: number,
  effort: Effort,
): Promise<Map<string, Growth>> {
  // A million takes seconds to make and to end: fewer herds, more samples beside each, nine in all.
  const [rounds, each] =
    live >= 1_000_000 ? [Math.min(3, effort.rounds), 3] : [Math.min(9, effort.rounds), 1];
  const makings = new Map<string, Sample[]>(herds.map(({ name }) => [name, []]));
  const ops = new Map<string, Sample[]>(herds.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const { name, make } of rotated(herds, round)) {
      collect();
      let herd: Herd | undefined;
      const { wall, cpu } = await time(async () => {
        herd = await make(live);
      });
      makings.get(name)?.push({ wall: wall / live, cpu: cpu / live });
      const oneByOne = herd?.oneByOne;
      if (oneByOne === undefined) throw new Error(`${name} cannot go on spawning`);
      const trial = 20_000;
      const perOp = (await time(() => oneByOne(trial))).wall / trial;
      const count = Math.ceil((effort.sample * 1e6) / perOp);
      for (let i = 0; i < each; i++) {
        collect();
        const sample = await time(() => oneByOne(count));
        ops.get(name)?.push({ wall: sample.wall / count, cpu: sample.cpu / count });
      }
      await herd?.end();
    }
  }
  return new Map(
    herds.map(({ name }) => [
      name,
      { making: medians(makings.get(name) ?? []), oneByOne: medians(ops.get(name) ?? []) },
    ]),
  );
}

function rotated<T>(list: readonly T[], round: number): T[] {
  const start = ((round % list.length) + list.length) % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}
