import type { ErrorInfo } from "../../core/index.ts";
import type { Settlement } from "../engine.ts";
import type { AttemptEnd } from "../record.ts";
import type { Connection } from "./connection.ts";
import { rowsOf, type Statement } from "./driver.ts";
import { DELAYED, READY, RUNNING, stateOf } from "./phases.ts";
import { Places } from "./places.ts";

/** What one must know of a job to move it. Columns: `MOVABLE`. */
export interface Movable {
  readonly seq: number;
  readonly name: string;
  readonly phase: number;
  readonly ckey: string | null;
  readonly replaced: number;
}

/** The same of one that runs. Columns: `RUNNING_COLUMNS`. */
export interface Running extends Movable {
  readonly attempt: number;
  readonly worker: string;
  readonly started_at: number;
  readonly cancel: string | null;
}

export const MOVABLE = "seq, name, phase, ckey, replaced";
export const RUNNING_COLUMNS = `${MOVABLE}, attempt, worker, started_at, cancel`;

/** How many attempts are kept of a job. */
export const MAX_ATTEMPTS = 50;

interface Behind {
  readonly seq: number;
  readonly name: string;
  readonly ckey: string | null;
  readonly run_at: number | null;
}

/**
 * What moves jobs from one phase into another, but for the two moves of the way that most take: a claim, and a success.
 * Whatever follows from a move is done here: counts, places, those that wait behind.
 */
export class Moves {
  readonly places: Places;
  readonly #connection: Connection;
  readonly #ready: Statement;
  readonly #delay: Statement;
  readonly #end: Statement;
  readonly #findBehind: Statement;
  readonly #addAttempt: Statement;
  readonly #trimAttempts: Statement;

  constructor(connection: Connection) {
    const { db } = connection;
    this.#connection = connection;
    this.places = new Places(connection);
    this.#ready = db.prepare(`UPDATE jobs SET phase = ${READY}, run_at = NULL, behind = NULL WHERE seq = ?`);
    this.#delay = db.prepare(`UPDATE jobs SET phase = ${DELAYED}, run_at = ?, behind = NULL WHERE seq = ?`);
    this.#end = db.prepare(`
      UPDATE jobs SET phase = ?, ended_at = ?, gone_at = ? + keep_bad, error = coalesce(?, error), run_at = NULL,
        behind = NULL WHERE seq = ?`);
    this.#findBehind = db.prepare("SELECT seq, name, ckey, run_at FROM jobs WHERE behind = ? AND phase = 5");
    this.#addAttempt = db.prepare(`
      INSERT INTO attempts (seq, attempt, worker, started_at, ended_at, end, error, awaiting)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#trimAttempts = db.prepare("DELETE FROM attempts WHERE seq = ? AND attempt <= ?");
  }

  /** Queues a stored job that has no place: due at `runAt`, or at once. */
  queue({ seq, name, ckey }: Omit<Behind, "run_at">, runAt: number | null | undefined): void {
    this.#connection.changes.jobs = true;
    if (runAt !== undefined && runAt !== null && runAt > this.#connection.wall) {
      this.#delay.run(Math.ceil(runAt), seq);
      return;
    }
    this.#ready.run(seq);
    if (ckey !== null) this.places.enter({ seq, name, ckey });
  }

  /** Queues a job again that runs. */
  requeue(job: Movable, runAt: number | undefined): void {
    this.#connection.count(job.name, "running", -1);
    this.#connection.count(job.name, "queued", 1);
    // Its place first goes to whoever ranks highest, which may be itself, by `queue`.
    if (job.ckey !== null) {
      this.#delay.run(0, job.seq);
      this.places.leave(job.name, job.ckey);
    }
    this.queue(job, runAt);
  }

  /** Ends a job otherwise than well. Without an error it keeps the one that it has. */
  end(job: Movable, phase: number, error: string | null): void {
    const { wall } = this.#connection;
    this.#end.run(phase, wall, wall, error, job.seq);
    this.#connection.count(job.name, stateOf(job.phase), -1);
    this.#connection.count(job.name, stateOf(phase), 1);
    this.#connection.changes.unheard = true;
    this.afterEnd(job);
  }

  /** What follows from the end of a job, which is written and counted. `phase`: where it was before. */
  afterEnd(job: Movable): void {
    this.#connection.changes.end = true;
    if (job.ckey !== null) {
      if (job.phase === READY || job.phase === RUNNING) this.places.leave(job.name, job.ckey);
      this.places.close(job.name, job.ckey);
    }
    if (job.replaced === 0) return;
    for (const next of rowsOf<Behind>(this.#findBehind, job.seq)) this.queue(next, next.run_at);
  }

  /** Keeps how an attempt ended that did not end well. */
  addAttempt(
    job: Running,
    end: AttemptEnd,
    error: ErrorInfo | undefined,
    awaiting?: Settlement["awaiting"],
  ): void {
    this.#addAttempt.run(
      job.seq,
      job.attempt,
      job.worker,
      job.started_at,
      this.#connection.wall,
      end,
      toText(error),
      toText(awaiting),
    );
    if (job.attempt > MAX_ATTEMPTS) this.#trimAttempts.run(job.seq, job.attempt - MAX_ATTEMPTS);
  }
}

/** JSON for a column. */
export function toText(value: object | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

/** The value of a column that holds JSON. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- whoever asks knows what was written
export function fromText<T>(text: string | null): T | undefined {
  return text === null ? undefined : (JSON.parse(text) as T);
}
