import type { Suspended } from "./suspended.ts";
import type { Seen } from "./picture.ts";

/*
 * A suspended function of the reader's own. What the reader says of it must be what this file says: else the table of
 * layouts is wrong for this V8, and nothing that was read may be printed. It also tells the reader's isolate from those
 * that are looked at.
 */

/** The one `await` of the canary, as its source has it; this line has it only in pieces. */
const TEXT = ["await", "never"].join(" ");

async function holdfastCanary(never: Promise<never>): Promise<void> {
  await never;
}

async function holdfastCanaryCage(inner: Promise<void>): Promise<void> {
  await inner;
}

const NAME = holdfastCanary.name;
const CAGE = holdfastCanaryCage.name;

/** Nothing holds a suspended function but what it awaits. */
const held: Promise<never>[] = [];

/** Suspends the canary, until this thread ends. */
export function plantCanary(): void {
  if (held.length > 0) return;
  const never = new Promise<never>(() => undefined);
  held.push(never);
  void holdfastCanaryCage(holdfastCanary(never));
  settleDown();
}

/** So much garbage, in bytes of arrays, that what is young has survived two collections and is moved no more. */
const CHURN = 16 << 20;
const CHURN_LENGTH = 1000;

/** The reader makes garbage while it reads: a canary that moves meanwhile might be seen in neither place. */
function settleDown(): void {
  let garbage: unknown[] = [];
  for (let bytes = 0; bytes < CHURN; bytes += CHURN_LENGTH * 8) {
    garbage = Array<unknown>(CHURN_LENGTH).fill(garbage.length);
  }
}

/** The canaries in a picture, and those around them. */
export function canariesIn(seen: Iterable<Seen>, url: string): Suspended[] {
  return [...seen]
    .filter(({ info }) => (info.name === NAME || info.name === CAGE) && info.script.url === url)
    .map(({ raw }) => raw);
}

/** Whether one of the canaries in a picture was read as what it is: name, file, line, column, and who awaits it. */
export function isCanaryRight(seen: ReadonlyMap<number, Seen>, url: string): boolean {
  return [...seen.values()].some(({ info, place, awaiters, raw }) => {
    if (info.name !== NAME || info.script.url !== url || !raw.isAwaiting) return false;
    const before = info.script.source?.split(TEXT);
    if (before?.length !== 2) return false;
    const lines = (before[0] as string).split("\n");
    const isPlaced = place?.line === lines.length && place.column === (lines.at(-1) as string).length + 1;
    return isPlaced && [...awaiters].some((address) => seen.get(address)?.info.name === CAGE);
  });
}
