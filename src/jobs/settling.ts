import { nextTurn, now } from "../core/clock.ts";
import type { JobStore, Settlement } from "./engine.ts";
import { persist } from "./persist.ts";
import type { Trouble } from "./trouble.ts";

/** An attempt that has ended, and until when that may be stored, on the clock of `now()`. */
interface Ending {
  readonly leaseEnd: number;
}

interface End<H> {
  readonly held: H;
  readonly settlement: Settlement;
}

/** What is done with ends. */
export interface SettlingParts<H> {
  readonly store: JobStore;
  readonly trouble: Trouble;
  /** It is stored. */
  stored(held: H, settlement: Settlement): void;
  /** It could not be stored while its lease lasted. */
  lost(held: H): void;
  /** One fewer is being stored. */
  fewer(): void;
}

/**
 * Stores how attempts have ended: in one go all that end in one turn of the event loop, since most of what that costs is
 * the same for one as for many.
 */
export class Settling<H extends Ending> {
  readonly #parts: SettlingParts<H>;
  #ends: End<H>[] = [];
  #count = 0;

  constructor(parts: SettlingParts<H>) {
    this.#parts = parts;
  }

  /** How many are not stored yet. */
  get count(): number {
    return this.#count;
  }

  /** Stores this at the end of the turn in which it is known. */
  add(held: H, settlement: Settlement | Promise<Settlement>): void {
    this.#count++;
    if (settlement instanceof Promise)
      void settlement.then((known) => this.#gather({ held, settlement: known }));
    else this.#gather({ held, settlement });
  }

  #gather(end: End<H>): void {
    this.#ends.push(end);
    if (this.#ends.length > 1) return;
    nextTurn(() => {
      const ends = this.#ends;
      this.#ends = [];
      void this.#storeAll(ends);
    });
  }

  async #storeAll(ends: readonly End<H>[]): Promise<void> {
    let written: readonly boolean[];
    try {
      written = await this.#parts.store.settle(ends.map(({ settlement }) => settlement));
    } catch {
      // One may be what all have failed by, and each is asked for again while its own lease lasts.
      for (const end of ends) void this.#storeOne(end);
      return;
    }
    for (const [at, end] of ends.entries()) this.#ended(end, written[at] === true);
  }

  async #storeOne(end: End<H>): Promise<void> {
    const { store, trouble } = this.#parts;
    let isStored: boolean | undefined = false;
    try {
      [isStored] = await persist(
        () => store.settle([end.settlement]),
        () => now() >= end.held.leaseEnd,
      );
    } catch (error) {
      // Its lease ends, and another attempt follows.
      trouble.meet(error);
    }
    this.#ended(end, isStored === true);
  }

  #ended({ held, settlement }: End<H>, isStored: boolean): void {
    const { stored, lost, fewer } = this.#parts;
    if (isStored) stored(held, settlement);
    else lost(held);
    this.#count--;
    fewer();
  }
}
