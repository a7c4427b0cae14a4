import type { ErrorInfo } from "../../core/index.ts";
import type { JobState } from "../record.ts";
import type { Connection } from "./connection.ts";
import { rowOf, rowsOf, type Statement } from "./driver.ts";
import { seqOf } from "./leases.ts";
import { MOVABLE, type Movable, type Moves } from "./moves.ts";
import { CANCELLED, DELAYED, FAILED, RUNNING, stateOf } from "./phases.ts";

type Ended = Movable & { readonly key: string | null; readonly most: number | null };

/** What people ask of single jobs, and of all. */
export class Admin {
  readonly #connection: Connection;
  readonly #moves: Moves;
  readonly #find: Statement;
  readonly #askToStop: Statement;
  readonly #isKeyTaken: Statement;
  readonly #revive: Statement;
  readonly #dropSteps: Statement;
  readonly #remove: Statement;
  readonly #sweep: Statement;
  readonly #dropOthers: readonly Statement[];
  readonly #pause: Statement;
  readonly #resume: Statement;

  constructor(connection: Connection, moves: Moves) {
    const { db } = connection;
    this.#connection = connection;
    this.#moves = moves;
    this.#find = db.prepare(`SELECT ${MOVABLE}, key, most FROM jobs WHERE seq = ?`);
    this.#askToStop = db.prepare("UPDATE jobs SET cancel = ? WHERE seq = ? AND cancel IS NULL");
    this.#isKeyTaken = db.prepare(
      "SELECT 1 FROM jobs WHERE name = ? AND key = ? AND key IS NOT NULL AND phase < 7 AND replaced = 0",
    );
    this.#revive = db.prepare(`
      UPDATE jobs SET phase = ${DELAYED}, run_at = 0, failures = 0, lapses = 0, replaced = 0, behind = NULL, cancel = NULL,
        expires_at = NULL, error = CASE phase WHEN ${CANCELLED} THEN NULL ELSE error END
      WHERE seq = ?`);
    this.#dropSteps = db.prepare("DELETE FROM steps WHERE seq = ?");
    this.#remove = db.prepare("DELETE FROM jobs WHERE seq = ?");
    this.#sweep = db.prepare(`
      DELETE FROM jobs WHERE seq IN (
        SELECT seq FROM jobs WHERE phase > 6 AND gone_at IS NOT NULL AND gone_at <= ? ORDER BY gone_at LIMIT +?)
      RETURNING seq, name, phase`);
    this.#dropOthers = ["attempts", "steps", "logs"].map((table) =>
      db.prepare(`DELETE FROM ${table} WHERE seq IN (SELECT value FROM json_each(?))`),
    );
    this.#pause = db.prepare("INSERT OR IGNORE INTO paused (what) VALUES (?)");
    this.#resume = db.prepare("DELETE FROM paused WHERE what = ?");
  }

  cancel(id: string, reason: ErrorInfo): JobState | undefined {
    const job = this.#job(id);
    if (job === undefined) return undefined;
    if (job.phase === RUNNING) {
      if (Number(this.#askToStop.run(JSON.stringify(reason), job.seq).changes) > 0)
        this.#connection.changes.cancel = true;
    } else if (job.phase < RUNNING) {
      this.#moves.end(job, CANCELLED, JSON.stringify(reason));
      return "cancelled";
    }
    return stateOf(job.phase);
  }

  retry(id: string, fromStart: boolean): boolean | undefined {
    const job = this.#job(id);
    if (job === undefined) return undefined;
    if (job.phase !== FAILED && job.phase !== CANCELLED) return false;
    if (job.key !== null && rowOf(this.#isKeyTaken, job.name, job.key) !== undefined) return false;
    const { seq, name, ckey, most } = job;
    this.#revive.run(seq);
    if (fromStart) this.#dropSteps.run(seq);
    if (ckey !== null && most !== null) this.#moves.places.open(name, ckey, most);
    this.#moves.queue(job, undefined);
    this.#connection.count(name, stateOf(job.phase), -1);
    this.#connection.count(name, "queued", 1);
    return true;
  }

  remove(id: string): boolean | undefined {
    const job = this.#job(id);
    if (job === undefined) return undefined;
    if (job.phase <= RUNNING) return false;
    this.#remove.run(job.seq);
    this.#forget([job]);
    return true;
  }

  sweep(limit: number): number {
    const gone = rowsOf<{ seq: number; name: string; phase: number }>(
      this.#sweep,
      this.#connection.wall,
      limit,
    );
    if (gone.length > 0) this.#forget(gone);
    return gone.length;
  }

  pause(name: string | undefined): void {
    this.#pause.run(pauseOf(name));
  }

  resume(name: string | undefined): void {
    this.#resume.run(pauseOf(name));
    this.#connection.changes.jobs = true;
  }

  #job(id: string): Ended | undefined {
    const seq = seqOf(id);
    return seq === undefined ? undefined : rowOf<Ended>(this.#find, seq);
  }

  #forget(jobs: readonly { seq: number; name: string; phase: number }[]): void {
    const seqs = JSON.stringify(jobs.map(({ seq }) => seq));
    for (const drop of this.#dropOthers) drop.run(seqs);
    for (const { name, phase } of jobs) this.#connection.count(name, stateOf(phase), -1);
  }
}

/** How a pause is stored. */
function pauseOf(name: string | undefined): string {
  return name === undefined ? "*" : `=${name}`;
}
