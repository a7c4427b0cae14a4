import type { Dump } from "../../src/inspect/dump.ts";
import type { SuspendedFunction } from "../../src/inspect/graph.ts";
import type { Place } from "../../src/inspect/scripts.ts";

/** From when to when a function waited, as it says itself: times in ms; null where it still does. */
interface Wait {
  readonly name: string;
  readonly mark: string;
  readonly suspension: SuspendedFunction["suspension"];
  /** Names of those it waits for. */
  readonly awaits: readonly string[];
  readonly since: number;
  readonly until: number | null;
}

interface Marked {
  readonly url: string;
  readonly marks: Readonly<Record<string, Place>>;
}

/** What fixtures/load.mjs tells of itself. */
export interface LoadTruth {
  readonly waits: readonly Wait[];
  readonly population: Marked;
  /** The functions of the load, and who may await each. */
  readonly load: Marked & { readonly hot: Readonly<Record<string, readonly string[]>> };
  readonly made: number;
  readonly collected: { readonly minor: number; readonly full: number };
  readonly running: number;
}

/** What a dump said, held against the truth. */
export interface Judged {
  /** Printed as exact, and not so, in lines. */
  readonly wrong: readonly string[];
  /** Functions that had been waiting for over a second when the dump began, and waited on when it had ended. */
  readonly lasting: number;
  /** Of those: how many it has, as exact; and those that it has as changing, or not at all. */
  readonly exact: number;
  readonly changing: number;
  readonly missing: number;
  /** All that it said to be exact. */
  readonly said: number;
}

/** So long has a function been waiting that is to be exact, in ms. */
const LASTING = 1000;

/** Holds a dump that was made from one moment to another against the truth. */
export function judge({ graph }: Dump, truth: LoadTruth, from: number, to: number): Judged {
  const waits = new Map<string, Wait[]>();
  const awaiters = new Map<string, Wait[]>();
  for (const wait of truth.waits) {
    if (wait.since > to || (wait.until ?? to) < from) continue;
    add(waits, wait.name, wait);
    for (const name of wait.awaits) add(awaiters, name, wait);
  }
  const wrong: string[] = [];
  const seen = new Map<string, SuspendedFunction>();
  let said = 0;
  for (const one of graph.functions) {
    const isOfPopulation = one.script.url === truth.population.url;
    if (isOfPopulation && !(one.isChanging && seen.has(one.name))) {
      if (!one.isChanging && seen.get(one.name)?.isChanging === false) wrong.push(`twice: ${describe(one)}`);
      seen.set(one.name, one);
    }
    if (one.isChanging) continue;
    said++;
    const problem = isOfPopulation
      ? problemOf(one, waits.get(one.name) ?? [], awaiters.get(one.name) ?? [], truth, from, to)
      : one.script.url === truth.load.url
        ? problemOfHot(one, truth)
        : undefined;
    if (problem !== undefined) wrong.push(`${describe(one)}: ${problem}`);
  }
  const lasting = truth.waits.filter(
    ({ since, until }) => since < from - LASTING && (until === null || until > to),
  );
  const found = lasting.map(({ name }) => seen.get(name));
  return {
    wrong,
    said,
    lasting: lasting.length,
    exact: found.filter((one) => one?.isChanging === false).length,
    changing: found.filter((one) => one?.isChanging === true).length,
    missing: found.filter((one) => one === undefined).length,
  };
}

function add(map: Map<string, Wait[]>, name: string, wait: Wait): void {
  const list = map.get(name);
  if (list === undefined) map.set(name, [wait]);
  else list.push(wait);
}

/** Why what is said of a function was true at no moment of the dump; undefined where it was. */
function problemOf(
  one: SuspendedFunction,
  waits: readonly Wait[],
  awaiters: readonly Wait[],
  { population }: LoadTruth,
  from: number,
  to: number,
): string | undefined {
  const there = waits.filter(
    ({ mark, suspension }) => suspension === one.suspension && isAt(one, population.marks[mark]),
  );
  if (there.length === 0) return `it was at ${waits.map(({ mark }) => mark).join(", ") || "no await"}`;
  // Of an awaiter that is changing no more is said than that there is one.
  const said = one.awaitedBy.filter(({ isChanging }) => !isChanging).map(({ name }) => name);
  // Awaiters change when one comes or goes: between two such moments they are the same.
  const moments = [from, to, ...awaiters.flatMap(({ since, until }) => [since, until ?? to])];
  const held = (moment: number): string[] =>
    awaiters
      .filter(({ since, until }) => since <= moment && (until ?? Infinity) > moment)
      .map(({ name }) => name);
  const isSaid = (names: readonly string[]): boolean =>
    names.length === one.awaitedBy.length && said.every((name) => names.includes(name));
  for (const wait of there) {
    const [low, high] = [Math.max(from, wait.since), Math.min(to, wait.until ?? to)];
    if ([low, ...moments].some((at) => at >= low && at <= high && isSaid(held(at)))) return undefined;
  }
  return `it was awaited by ${held(from).join() || "nobody"}`;
}

/** Functions of the load have no account: but where each may stand, and who may await it, is known. */
function problemOfHot(one: SuspendedFunction, { load }: LoadTruth): string | undefined {
  const may = load.hot[one.name];
  if (may === undefined) return one.name === "" ? undefined : "there is no such function";
  const places = Object.entries(load.marks).filter(([mark]) => mark.split(" ")[0] === one.name);
  const isThere = places.some(
    ([mark, place]) => mark.endsWith(" start") === (one.suspension === "start") && isAt(one, place),
  );
  if (!isThere) return "it waits nowhere there";
  const strange = one.awaitedBy.find(({ name }) => !may.includes(name));
  return strange === undefined ? undefined : `it is never awaited by ${strange.name}`;
}

function isAt({ place }: SuspendedFunction, at: Place | undefined): boolean {
  return place !== undefined && place.line === at?.line && place.column === at.column;
}

function describe({ name, suspension, place, awaitedBy }: SuspendedFunction): string {
  const awaiters = awaitedBy.map((one) => one.name).join();
  return `${name} ${suspension} ${place?.line}:${place?.column} <- {${awaiters}}`;
}
