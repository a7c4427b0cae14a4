import type { Ledger } from "../core/ledger.ts";
import type { WatchSettings } from "./options.ts";

/** How long tasks of a name usually run, asked once for each name and sweep. */
export class Typical {
  readonly #ledger: Ledger;
  readonly #settings: NonNullable<WatchSettings["overdue"]>;
  readonly #limits = new Map<string, number>();
  #lastName = "";
  #lastLimit = Infinity;

  constructor(ledger: Ledger, settings: NonNullable<WatchSettings["overdue"]>) {
    this.#ledger = ledger;
    this.#settings = settings;
  }

  /** Begins a sweep: what was known may have changed. */
  begin(): void {
    this.#limits.clear();
    this.#lastName = "";
    this.#lastLimit = Infinity;
  }

  /** After how many ms a task of this name is overdue; never where too little is known of its like. */
  limitOf(name: string): number {
    // Neighbours in a list are often of one name.
    if (name === this.#lastName) return this.#lastLimit;
    let limit = this.#limits.get(name);
    if (limit === undefined) this.#limits.set(name, (limit = this.#find(name)));
    this.#lastName = name;
    this.#lastLimit = limit;
    return limit;
  }

  /** 99 of 100 take no longer, in ms. */
  usualOf(name: string): number {
    return this.#ledger.counts.get(name)?.percentile(0.99) ?? 0;
  }

  #find(name: string): number {
    const { factor, samples, atLeast } = this.#settings;
    const counts = this.#ledger.counts.get(name);
    if (counts === undefined || counts.samples < samples) return Infinity;
    return Math.max(atLeast, counts.percentile(0.99) * factor);
  }
}
