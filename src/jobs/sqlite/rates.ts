import type { ClaimName } from "../engine.ts";
import type { Connection } from "./connection.ts";
import { rowOf, type Statement } from "./driver.ts";

type Rate = NonNullable<ClaimName["rate"]>;

/**
 * How many jobs of a name started within its window, over all that claim on this machine. A start is noted in whole
 * ms, rounded up, so that no window of the real length holds one too many. What lies in the future was
 * noted before the machine started anew, and does not count.
 */
export class Rates {
  readonly #connection: Connection;
  readonly #count: Statement;
  readonly #blocking: Statement;
  readonly #trim: Statement;
  readonly #add: Statement;

  constructor(connection: Connection) {
    const { db } = connection;
    this.#connection = connection;
    this.#count = db.prepare("SELECT count(*) AS n FROM starts WHERE name = ? AND at > ? AND at <= ?");
    this.#blocking = db.prepare(
      "SELECT at FROM starts WHERE name = ? AND at > ? AND at <= ? ORDER BY at LIMIT 1 OFFSET +?",
    );
    this.#trim = db.prepare("DELETE FROM starts WHERE name = ? AND (at <= ? OR at > ?)");
    this.#add = db.prepare("INSERT INTO starts (name, at) VALUES (?, ?)");
  }

  /** How many may start now, and in how many ms one more may than may now. */
  room(name: string, { count, per }: Rate): { readonly room: number; readonly opensIn: number } {
    const { now, nowUp } = this.#connection;
    const n = rowOf<{ n: number }>(this.#count, name, now - per, nowUp)?.n ?? 0;
    if (n === 0) return { room: count, opensIn: per };
    const blocking = rowOf<{ at: number }>(this.#blocking, name, now - per, nowUp, Math.max(0, n - count));
    return { room: Math.max(0, count - n), opensIn: Math.max(0, (blocking?.at ?? now) + per - now) };
  }

  /** So many start now. */
  note(name: string, { per }: Rate, starts: number): void {
    if (starts === 0) return;
    const { now, nowUp } = this.#connection;
    this.#trim.run(name, now - per, nowUp);
    for (let n = 0; n < starts; n++) this.#add.run(name, nowUp);
  }
}
