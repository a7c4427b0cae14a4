import { randomFillSync } from "node:crypto";

/**
 * Makes ids that sort as they were made: UUIDs of version 7 (RFC 9562), of the time of the database. Within one opening
 * each is greater than the one before; between openings they are as exact as it is known there what time it is.
 */
export class Ids {
  readonly #now: () => number;
  #ahead = 0;
  #last = 0;
  /** The same as an id begins with it. */
  #time = "";
  #count = 0;
  readonly #random = Buffer.alloc(4096);
  /** Its hexadecimal digits, and how many of them are used up. */
  #noise = "";
  #used = 0;

  /** `now` is a clock that does not jump. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Between two moments of that clock it was so late in the database, in ms since the epoch. */
  sync(ms: number, asked: number, answered: number): void {
    this.#ahead = Math.min(Math.max(this.#ahead, ms - answered), ms - asked);
  }

  next(): string {
    const now = Math.floor(this.#now() + this.#ahead);
    if (now > this.#last) this.#setTime(now);
    else if (++this.#count > 0xfff) this.#setTime(this.#last + 1);
    if (this.#used + 16 > this.#noise.length) {
      this.#noise = randomFillSync(this.#random).toString("hex");
      this.#used = 0;
    }
    const count = this.#count.toString(16).padStart(3, "0");
    const noise = this.#noise.slice(this.#used, (this.#used += 16));
    const variant = ((Number.parseInt(noise[0] ?? "0", 16) & 3) | 8).toString(16);
    return `${this.#time}-7${count}-${variant}${noise.slice(1, 4)}-${noise.slice(4)}`;
  }

  #setTime(ms: number): void {
    this.#last = ms;
    this.#count = 0;
    const time = ms.toString(16).padStart(12, "0");
    this.#time = `${time.slice(0, 8)}-${time.slice(8)}`;
  }
}

/** When a job was enqueued, in ms since the epoch: its id begins with that. */
export function timeOf(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** The same of a row `j`. */
export const timeOfRow = "('x' || left(translate(j.id::text, '-', ''), 12))::bit(48)::bigint::float8";
