import type { Agreed } from "./agreement.ts";
import { Column } from "./column.ts";
import type { GraphColumns, Kind } from "./graph-columns.ts";
import type { Suspension } from "./graph.ts";
import type { Isolates } from "./isolates.ts";
import type { Site } from "./sites.ts";

const LEFT_OUT = -1;

/** Makes a graph of what was read; without those functions whose isolate is the reader's own. */
export function toGraph(
  { picture, changing }: Agreed,
  isolates: Isolates,
  readers: ReadonlySet<number | undefined>,
): GraphColumns {
  const kinds = new Kinds(picture.sites);
  const kind = Column.ofNumbers();
  const task = Column.ofNumbers();
  const rows = new Int32Array(changing.length).fill(LEFT_OUT);
  for (let row = 0; row < rows.length; row++) {
    const site = picture.site.at(row);
    if (site < 0) continue;
    const isolate = isolates.of(picture.owner.at(row));
    if (isolate === undefined || readers.has(isolate)) continue;
    rows[row] = kind.length;
    kind.push(kinds.of(site, isolate, changing[row] === 1));
    task.push(picture.task.at(row));
  }
  const starts = Column.ofNumbers();
  const awaiters = Column.ofNumbers();
  for (let row = 0; row < rows.length; row++) {
    if (rows[row] === LEFT_OUT) continue;
    starts.push(awaiters.length);
    for (let at = picture.starts.at(row); at < picture.starts.at(row + 1); at++) {
      const awaiter = rows[picture.awaiters.at(at)] as number;
      if (awaiter !== LEFT_OUT) awaiters.push(awaiter);
    }
  }
  starts.push(awaiters.length);
  return {
    kinds: kinds.all,
    kind: kind.toArray(),
    task: task.toArray(),
    starts: starts.toArray(),
    awaiters: awaiters.toArray(),
  };
}

/** From the sites of pictures to the kinds of a graph. */
class Kinds {
  readonly all: Kind[] = [];
  readonly #sites: readonly Site[];
  /** Two for each site: of functions that stayed the same, and of those that did not. */
  readonly #numbers: Int32Array;
  readonly #realms: number[] = [];

  constructor(sites: readonly Site[]) {
    this.#sites = sites;
    this.#numbers = new Int32Array(sites.length * 2).fill(-1);
  }

  /** All functions of a site are in one isolate, which is that of their map. */
  of(site: number, isolate: number, isChanging: boolean): number {
    const at = site * 2 + Number(isChanging);
    if (this.#numbers[at] === -1)
      this.#numbers[at] = this.all.push(this.#make(site, isolate, isChanging)) - 1;
    return this.#numbers[at] as number;
  }

  #make(number: number, isolate: number, isChanging: boolean): Kind {
    const site = this.#sites[number] as Site;
    const { name, isGenerator, place, path, info } = site;
    let realm = this.#realms.findIndex((one) => Object.is(one, site.realm));
    if (realm < 0) realm = this.#realms.push(site.realm) - 1;
    return {
      name,
      start: info.start,
      isGenerator,
      isTopLevel: info.isModule,
      suspension: suspensionOf(site),
      script: info.script,
      place,
      path,
      isolate,
      realm,
      isChanging,
    };
  }
}

/** Generators and modules have a first stop before their first statement; an async function runs up to its first await. */
function suspensionOf({ isGenerator, isAwaiting, continuation, info }: Site): Suspension {
  if (continuation === 0 && (isGenerator || info.isModule)) return "start";
  return isAwaiting ? "await" : "yield";
}
