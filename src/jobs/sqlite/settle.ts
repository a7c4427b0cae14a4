import type { Settlement } from "../engine.ts";
import type { Connection } from "./connection.ts";
import { rowOf, type Statement } from "./driver.ts";
import type { Enqueues } from "./enqueue.ts";
import { ALIVE, type Leases, seqOf } from "./leases.ts";
import { MOVABLE, type Movable, type Moves, RUNNING_COLUMNS, type Running, toText } from "./moves.ts";
import { CANCELLED, FAILED, SUCCEEDED } from "./phases.ts";

const SUCCEED = `UPDATE jobs SET phase = ${SUCCEEDED}, ended_at = ?, gone_at = ? + keep_ok, result = ?`;

/** Ending attempts. */
export class Settlements {
  readonly #connection: Connection;
  readonly #moves: Moves;
  readonly #enqueues: Enqueues;
  readonly #leases: Leases;
  readonly #succeedAlone: Statement;
  readonly #findMovable: Statement;
  readonly #succeed: Statement;
  readonly #find: Statement;
  readonly #fail: Statement;

  constructor(connection: Connection, moves: Moves, enqueues: Enqueues, leases: Leases) {
    const { db } = connection;
    this.#connection = connection;
    this.#moves = moves;
    this.#enqueues = enqueues;
    this.#leases = leases;
    this.#succeedAlone = db.prepare(`${SUCCEED} WHERE ${ALIVE} AND ckey IS NULL AND replaced = 0`);
    this.#findMovable = db.prepare(`SELECT ${MOVABLE} FROM jobs WHERE ${ALIVE}`);
    // Not with RETURNING, which would tell the same: it builds a table for each of its runs, and takes twice as long.
    this.#succeed = db.prepare(`${SUCCEED} WHERE seq = ?`);
    this.#find = db.prepare(`SELECT ${RUNNING_COLUMNS} FROM jobs WHERE ${ALIVE}`);
    this.#fail = db.prepare(
      "UPDATE jobs SET failures = failures + 1, error = coalesce(?, error) WHERE seq = ?",
    );
  }

  settle(settlements: readonly Settlement[]): boolean[] {
    return settlements.map((settlement) => this.#settle(settlement));
  }

  #settle(settlement: Settlement): boolean {
    const { now } = this.#connection;
    const seq = seqOf(settlement.id);
    if (seq === undefined) return false;
    const isSuccess = settlement.end === "succeeded";
    if (isSuccess && settlement.awaiting === undefined) {
      if (!this.#succeedAt(seq, settlement)) return false;
    } else {
      const job = rowOf<Running>(this.#find, seq, settlement.token, now, now);
      if (job === undefined) return false;
      if (isSuccess) {
        this.#moves.addAttempt(job, "succeeded", undefined, settlement.awaiting);
        this.#succeedAt(seq, settlement);
      } else this.#endOtherwise(job, settlement);
    }
    this.#leases.write(seq, settlement);
    if (settlement.next !== undefined) this.#enqueues.storeOne({ ...settlement.next, onConflict: "join" });
    return true;
  }

  /** The way that most take: one statement, where nothing but a count follows from it. */
  #succeedAt(seq: number, { token, result }: Settlement): boolean {
    const { now, wall } = this.#connection;
    const name = this.#connection.claimed.get(seq);
    if (name !== undefined) {
      this.#connection.claimed.delete(seq);
      const { changes } = this.#succeedAlone.run(wall, wall, result ?? null, seq, token, now, now);
      if (Number(changes) > 0) {
        this.#countSuccess(name);
        this.#connection.changes.end = true;
        return true;
      }
    }
    const job = rowOf<Movable>(this.#findMovable, seq, token, now, now);
    if (job === undefined) return false;
    this.#succeed.run(wall, wall, result ?? null, seq);
    this.#countSuccess(job.name);
    this.#moves.afterEnd(job);
    return true;
  }

  #countSuccess(name: string): void {
    this.#connection.count(name, "running", -1);
    this.#connection.count(name, "succeeded", 1);
  }

  #endOtherwise(job: Running, settlement: Settlement): void {
    const { end, error, runAt, awaiting } = settlement;
    const isFailure = end === "again" || end === "failed";
    this.#moves.addAttempt(job, end === "again" ? "failed" : end, error, awaiting);
    if (isFailure) this.#fail.run(toText(error), job.seq);
    if (end === "failed") this.#moves.end(job, FAILED, null);
    else if (end === "cancelled") this.#moves.end(job, CANCELLED, toText(error) ?? job.cancel);
    // Asked to stop, and runs nowhere now: it is not begun again.
    else if (job.cancel !== null) this.#moves.end(job, CANCELLED, job.cancel);
    else this.#moves.requeue(job, end === "released" ? undefined : runAt);
  }
}
