import { randomFillSync } from "node:crypto";

/**
 * Makes ids that sort as they were made: UUIDs of version 7. Within one opening each is greater than the one before,
 * whatever the clock does; between openings they are as exact as the clocks of their machines.
 */
export class Ids {
  readonly #wall: () => number;
  #last = 0;
  #count = 0;
  readonly #random = Buffer.alloc(4096);
  #at = 4096;

  constructor(wall: () => number) {
    this.#wall = wall;
  }

  next(): string {
    const now = Math.floor(this.#wall());
    if (now > this.#last) {
      this.#last = now;
      this.#count = 0;
    } else if (++this.#count > 0xfff) {
      this.#last++;
      this.#count = 0;
    }
    if (this.#at + 8 > this.#random.length) {
      randomFillSync(this.#random);
      this.#at = 0;
    }
    const time = this.#last.toString(16).padStart(12, "0");
    const count = this.#count.toString(16).padStart(3, "0");
    const noise = this.#random.toString("hex", this.#at, (this.#at += 8));
    const variant = ((Number.parseInt(noise[0] ?? "0", 16) & 3) | 8).toString(16);
    return `${time.slice(0, 8)}-${time.slice(8)}-7${count}-${variant}${noise.slice(1, 4)}-${noise.slice(4, 16)}`;
  }
}
