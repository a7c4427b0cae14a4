import type { Enqueued, NewJob } from "../engine.ts";
import { JobKeyConflictError, replacedInfo } from "../errors.ts";
import { Refusal } from "./commits.ts";
import type { Connection } from "./connection.ts";
import { rowOf, type Statement } from "./driver.ts";
import { MOVABLE, type Movable, type Moves } from "./moves.ts";
import { BEHIND, CANCELLED, DELAYED, HELD, READY, RUNNING } from "./phases.ts";

/** A concurrency key without a bound. */
const UNBOUNDED = 2 ** 31;

type Holder = Movable & { readonly behind: number | null };

/** Storing jobs. */
export class Enqueues {
  readonly #connection: Connection;
  readonly #moves: Moves;
  readonly #plain: Statement;
  readonly #full: Statement;
  readonly #findHolder: Statement;
  readonly #replaceRunning: Statement;

  constructor(connection: Connection, moves: Moves) {
    const { db } = connection;
    this.#connection = connection;
    this.#moves = moves;
    this.#plain = db.prepare(`
      INSERT INTO jobs (seq, phase, name, priority, created_at, max_lapses, keep_ok, keep_bad, input, worker, started_at,
        ended_at, gone_at, lease_until, lease_ms)
      VALUES (?, ${READY}, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#full = db.prepare(`
      INSERT INTO jobs (seq, name, priority, created_at, max_lapses, keep_ok, keep_bad, input, worker, started_at,
        ended_at, gone_at, lease_until, lease_ms, phase, run_at, expires_at, key, behind, ckey, most, schedule, cron, zone)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#findHolder = db.prepare(`
      SELECT ${MOVABLE}, behind FROM jobs
      WHERE name = ? AND key = ? AND key IS NOT NULL AND phase < 7 AND replaced = 0`);
    this.#replaceRunning = db.prepare(
      "UPDATE jobs SET replaced = 1, cancel = coalesce(cancel, ?) WHERE seq = ?",
    );
  }

  /** Stores all of them, or refuses. */
  store(jobs: readonly NewJob[]): readonly Enqueued[] | Refusal {
    // Seen before anything is written, so that what others began in this turn need not be done twice.
    for (const job of jobs) {
      const conflict = this.#conflict(job);
      if (conflict !== undefined) return new Refusal(conflict);
    }
    return jobs.map((job) => this.storeOne(job));
  }

  /** Stores one of them; throws where its key is taken by one that came with it. */
  storeOne(job: NewJob): Enqueued {
    if (isPlain(job)) return this.#storePlain(job);
    let behind: number | undefined;
    if (job.key !== undefined) {
      const conflict = this.#conflict(job);
      if (conflict !== undefined) throw conflict;
      const holder = this.#holder(job.name, job.key);
      if (holder !== undefined) {
        if (job.onConflict !== "replace") return { id: String(holder.seq), isNew: false };
        behind = this.#replace(holder, job.key);
      }
    }
    return this.#storeFull(job, behind);
  }

  #storePlain(job: NewJob): Enqueued {
    const connection = this.#connection;
    const seq = connection.nextSeq();
    const { succeeded, failed } = job.keep;
    this.#plain.run(
      seq,
      job.name,
      job.priority,
      connection.wall,
      job.maxLapses,
      succeeded === Infinity ? null : Math.ceil(succeeded),
      failed === Infinity ? null : Math.ceil(failed),
      job.input,
      connection.worker,
      connection.wall,
      connection.wall,
      connection.wall,
      connection.now,
      connection.lease,
    );
    connection.count(job.name, "queued", 1);
    connection.changes.jobs = true;
    return { id: String(seq), isNew: true };
  }

  #storeFull(job: NewJob, behind: number | undefined): Enqueued {
    const connection = this.#connection;
    const { name, concurrencyKey: ckey } = job;
    const { succeeded, failed } = job.keep;
    const isDelayed = job.runAt !== undefined && job.runAt > connection.wall;
    let phase = READY;
    if (behind !== undefined) phase = BEHIND;
    else if (isDelayed) phase = DELAYED;
    else if (ckey !== undefined) phase = HELD;
    const most = job.concurrencyPerKey ?? UNBOUNDED;
    if (ckey !== undefined) this.#moves.places.open(name, ckey, most);
    const seq = connection.nextSeq();
    this.#full.run(
      seq,
      name,
      job.priority,
      connection.wall,
      job.maxLapses,
      succeeded === Infinity ? null : Math.ceil(succeeded),
      failed === Infinity ? null : Math.ceil(failed),
      job.input,
      connection.worker,
      connection.wall,
      connection.wall,
      connection.wall,
      connection.now,
      connection.lease,
      // One that waits for its place is not seen before it has entered: its phase is set then.
      phase === HELD ? DELAYED : phase,
      isDelayed ? Math.ceil(job.runAt) : null,
      job.expiresAt === undefined ? null : Math.ceil(job.expiresAt),
      job.key ?? null,
      behind ?? null,
      ckey ?? null,
      ckey === undefined ? null : most,
      job.schedule?.name ?? null,
      job.schedule?.expression ?? null,
      job.schedule?.timeZone ?? null,
    );
    if (phase === HELD && ckey !== undefined) this.#moves.places.enter({ seq, name, ckey });
    connection.count(name, "queued", 1);
    connection.changes.jobs = true;
    return { id: String(seq), isNew: true };
  }

  #conflict(job: NewJob): JobKeyConflictError | undefined {
    if (job.key === undefined || job.onConflict !== "reject") return undefined;
    const holder = this.#holder(job.name, job.key);
    return holder && new JobKeyConflictError(job.name, job.key, String(holder.seq));
  }

  #holder(name: string, key: string): Holder | undefined {
    return rowOf<Holder>(this.#findHolder, name, key);
  }

  /** Makes the key free. Answers with the job whose end the new one has to wait for. */
  #replace(holder: Holder, key: string): number | undefined {
    const reason = JSON.stringify(replacedInfo(key));
    if (holder.phase === RUNNING) {
      this.#replaceRunning.run(reason, holder.seq);
      this.#connection.changes.cancel = true;
      return holder.seq;
    }
    // What it was waiting for runs still.
    const behind = holder.phase === BEHIND ? holder.behind : null;
    this.#moves.end(holder, CANCELLED, reason);
    return behind ?? undefined;
  }
}

function isPlain(job: NewJob): boolean {
  return (
    job.key === undefined &&
    job.runAt === undefined &&
    job.expiresAt === undefined &&
    job.concurrencyKey === undefined &&
    job.schedule === undefined
  );
}
