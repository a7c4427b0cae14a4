import type { Picture } from "./picture.ts";
import type { Site } from "./sites.ts";

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

/** The heaps in which the canaries of a picture are, and those around them. */
export function heapsOfCanaries(picture: Picture, url: string): number[] {
  const isOne = picture.sites.map((site) => isNamed(site, NAME, url) || isNamed(site, CAGE, url));
  return rowsAt(picture, isOne).map((row) => picture.owner.at(row));
}

/** Whether one of the canaries in a picture was read as what it is: name, file, line, column, and who awaits it. */
export function isCanaryRight(picture: Picture, url: string): boolean {
  const { sites, site, starts, awaiters } = picture;
  const right = sites.map((one) => isNamed(one, NAME, url) && isRight(one));
  return rowsAt(picture, right).some((row) => {
    for (let at = starts.at(row); at < starts.at(row + 1); at++)
      if (sites[site.at(awaiters.at(at))]?.info.name === CAGE) return true;
    return false;
  });
}

function isNamed({ info }: Site, name: string, url: string): boolean {
  return info.name === name && info.script.url === url;
}

function isRight({ info, place, isAwaiting }: Site): boolean {
  const before = info.script.source?.split(TEXT);
  if (before?.length !== 2) return false;
  const lines = (before[0] as string).split("\n");
  return isAwaiting && place?.line === lines.length && place.column === (lines.at(-1) as string).length + 1;
}

/** The rows at those sites, by number, that are wanted. */
function rowsAt({ site }: Picture, isWanted: readonly boolean[]): number[] {
  const rows: number[] = [];
  for (let row = 0; row < site.length; row++) if (isWanted[site.at(row)] === true) rows.push(row);
  return rows;
}
