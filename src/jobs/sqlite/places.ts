import type { Connection } from "./connection.ts";
import { rowOf, type Statement } from "./driver.ts";
import { HELD, READY } from "./phases.ts";

/** What one must know of a job to give it a place. */
export interface Placed {
  readonly seq: number;
  readonly name: string;
  readonly ckey: string;
}

interface Place {
  readonly taken: number;
  readonly most: number;
}

interface Ranked {
  readonly seq: number;
  readonly priority: number;
}

/**
 * The places of concurrency keys. A job that is ready or runs has one; one that finds none is held, and moves up when
 * one becomes free. So what is ready may be claimed without a further look, and a claim never walks over the thousand
 * waiting jobs of a tenant that runs all it may.
 *
 * Two things hold at the end of each operation: where a job is held, no place is free; and no job is held that ranks
 * before one that is ready.
 */
export class Places {
  readonly #connection: Connection;
  readonly #find: Statement;
  readonly #add: Statement;
  readonly #change: Statement;
  readonly #resize: Statement;
  readonly #drop: Statement;
  readonly #bestHeld: Statement;
  readonly #worstReady: Statement;
  readonly #setPhase: Statement;

  constructor(connection: Connection) {
    const { db } = connection;
    this.#connection = connection;
    this.#find = db.prepare("SELECT taken, most FROM places WHERE name = ? AND ckey = ?");
    this.#add = db.prepare("INSERT INTO places (name, ckey, open, taken, most) VALUES (?, ?, 1, ?, ?)");
    this.#change = db.prepare(
      "UPDATE places SET open = open + ?, taken = taken + ? WHERE name = ? AND ckey = ?",
    );
    this.#resize = db.prepare("UPDATE places SET most = ? WHERE name = ? AND ckey = ?");
    this.#drop = db.prepare("DELETE FROM places WHERE name = ? AND ckey = ? AND open <= 0");
    this.#bestHeld = db.prepare(`
      SELECT seq, priority FROM jobs WHERE name = ? AND ckey = ? AND phase = 4
        AND ckey IS NOT NULL AND phase IN (3, 4) ORDER BY priority DESC, seq LIMIT 1`);
    this.#worstReady = db.prepare(`
      SELECT seq, priority FROM jobs WHERE name = ? AND ckey = ? AND phase = 3
        AND ckey IS NOT NULL AND phase IN (3, 4) ORDER BY priority, seq DESC LIMIT 1`);
    this.#setPhase = db.prepare("UPDATE jobs SET phase = ? WHERE seq = ?");
  }

  /** A job with this key is about to be stored, or to be taken up again: its bound is the one that counts from now on. */
  open(name: string, ckey: string, most: number): void {
    const place = rowOf<Place>(this.#find, name, ckey);
    if (place === undefined) {
      this.#add.run(name, ckey, 0, most);
      return;
    }
    this.#change.run(1, 0, name, ckey);
    if (place.most === most) return;
    this.#resize.run(most, name, ckey);
    this.arrange(name, ckey);
  }

  /** Where a stored job that is due and has no place goes: into one, or among those that wait for one. */
  enter({ seq, name, ckey }: Placed): void {
    const place = rowOf<Place>(this.#find, name, ckey);
    if (place !== undefined && place.taken < place.most) {
      // No place is free where others are held: none is passed over.
      this.#setPhase.run(READY, seq);
      this.#change.run(0, 1, name, ckey);
      return;
    }
    this.#setPhase.run(HELD, seq);
    this.#exchange(name, ckey);
  }

  /** A job that was ready or ran gives its place back, and is neither any more. */
  leave(name: string, ckey: string): void {
    this.#change.run(0, -1, name, ckey);
    this.arrange(name, ckey);
  }

  /** A job with this key has ended, and has given its place back. */
  close(name: string, ckey: string): void {
    this.#change.run(-1, 0, name, ckey);
    this.#drop.run(name, ckey);
  }

  /** Fills what is free, takes back what is too much, and lets those that rank higher go first. */
  arrange(name: string, ckey: string): void {
    const place = rowOf<Place>(this.#find, name, ckey);
    if (place === undefined) return;
    let { taken } = place;
    while (taken < place.most) {
      const best = rowOf<Ranked>(this.#bestHeld, name, ckey);
      if (best === undefined) break;
      this.#setPhase.run(READY, best.seq);
      this.#connection.changes.jobs = true;
      taken++;
    }
    while (taken > place.most) {
      const worst = rowOf<Ranked>(this.#worstReady, name, ckey);
      // The rest run, and are let end.
      if (worst === undefined) break;
      this.#setPhase.run(HELD, worst.seq);
      taken--;
    }
    if (taken !== place.taken) this.#change.run(0, taken - place.taken, name, ckey);
    this.#exchange(name, ckey);
  }

  #exchange(name: string, ckey: string): void {
    for (;;) {
      const best = rowOf<Ranked>(this.#bestHeld, name, ckey);
      if (best === undefined) return;
      const worst = rowOf<Ranked>(this.#worstReady, name, ckey);
      if (worst === undefined || !isBefore(best, worst)) return;
      this.#setPhase.run(HELD, worst.seq);
      this.#setPhase.run(READY, best.seq);
      this.#connection.changes.jobs = true;
    }
  }
}

function isBefore(a: Ranked, b: Ranked): boolean {
  return a.priority > b.priority || (a.priority === b.priority && a.seq < b.seq);
}
