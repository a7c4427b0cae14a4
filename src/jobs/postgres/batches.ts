interface Asked<I, O> {
  readonly item: I;
  readonly resolve: (answer: O) => void;
  readonly reject: (error: unknown) => void;
}

import { nextTurn } from "../../core/clock.ts";

/**
 * Does together what is asked while the last lot is under way: one transaction, and one wait for the disk, for all of
 * it. What is asked while nothing is under way is done in the next turn: what this one asks for goes together, and a
 * worker, whose jobs have ended in it, asks for others first.
 */
export class Batches<I, O> {
  readonly #run: (all: readonly I[]) => Promise<readonly O[]>;
  readonly #most: number;
  #waiting: Asked<I, O>[] = [];
  #underWay = 0;

  /** `most` lots are under way at once. */
  constructor(most: number, run: (all: readonly I[]) => Promise<readonly O[]>) {
    this.#most = most;
    this.#run = run;
  }

  add(item: I): Promise<O> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#waiting.length === 1) nextTurn(() => void this.#next());
    });
  }

  async #next(): Promise<void> {
    if (this.#underWay >= this.#most || this.#waiting.length === 0) return;
    const lot = this.#waiting;
    this.#waiting = [];
    this.#underWay++;
    try {
      const answers = await this.#run(lot.map(({ item }) => item));
      for (const [at, { resolve }] of lot.entries()) resolve(answers[at] as O);
    } catch (error) {
      if (lot.length === 1) lot[0]?.reject(error);
      else await this.#oneByOne(lot, error);
    } finally {
      this.#underWay--;
    }
    await this.#next();
  }

  /** One of them may be what the others failed by; but not where nothing can be reached, or all may be stored. */
  async #oneByOne(lot: readonly Asked<I, O>[], error: unknown): Promise<void> {
    const { code } = error as { code?: unknown };
    const isForAll = code === "HF_ENGINE_UNSURE" || code === "HF_ENGINE_UNAVAILABLE";
    for (const { item, resolve, reject } of lot) {
      if (isForAll) {
        reject(error);
        continue;
      }
      try {
        const [answer] = await this.#run([item]);
        resolve(answer as O);
      } catch (own) {
        reject(own);
      }
    }
  }
}
