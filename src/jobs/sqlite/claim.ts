import { given } from "../../core/given.ts";
import type { ClaimAnswer, ClaimedJob, ClaimName, ClaimRequest, StoredStep } from "../engine.ts";
import { expiredInfo, lapsedInfo } from "../errors.ts";
import type { Connection } from "./connection.ts";
import { rowOf, rowsOf, type Statement } from "./driver.ts";
import { MOVABLE, type Movable, type Moves, RUNNING_COLUMNS, type Running } from "./moves.ts";
import { CANCELLED, FAILED, RUNNING } from "./phases.ts";
import { Rates } from "./rates.ts";

/** How much that is due is put right by one claim: the rest by the next, which is to come at once. */
const MAX_DUE = 1000;

/** Names of so many claimed jobs are kept: those of lost ones are forgotten with all others. */
const MAX_CLAIMED = 10_000;

/** What time changes next. */
interface Horizon {
  readonly run_at: number | null;
  readonly expires_at: number | null;
  readonly lease_until: number | null;
  readonly paused: number;
}

interface ClaimedRow {
  readonly seq: number;
  readonly name: string;
  readonly input: string;
  readonly key: string | null;
  readonly priority: number;
  readonly created_at: number;
  /** How many have begun before. */
  readonly attempt: number;
  readonly failures: number;
  readonly schedule: string | null;
  readonly cron: string | null;
  readonly zone: string | null;
}

interface Candidate {
  readonly seq: number;
  readonly priority: number;
}

type Lapsed = Running & { readonly lapses: number; readonly max_lapses: number };

const ROW = "seq, name, input, key, priority, created_at, attempt, failures, schedule, cron, zone";
/** `+?`: SQLite compiles a statement anew for each value that is bound to a bare limit. */
const FIRST = "FROM jobs WHERE phase = 3 AND name = ? ORDER BY priority DESC, seq LIMIT +?";

/** Claiming jobs, and putting right what is met on the way. */
export class Claims {
  readonly #connection: Connection;
  readonly #moves: Moves;
  readonly #rates: Rates;
  readonly #horizon: Statement;
  readonly #paused: Statement;
  readonly #lapsed: Statement;
  readonly #lapse: Statement;
  readonly #expired: Statement;
  readonly #find: Statement;
  readonly #due: Statement;
  readonly #firstSeqs: Statement;
  readonly #first: Statement;
  readonly #these: Statement;
  readonly #claim: Statement;
  readonly #steps: Statement;

  constructor(connection: Connection, moves: Moves) {
    const { db } = connection;
    this.#connection = connection;
    this.#moves = moves;
    this.#rates = new Rates(connection);
    this.#horizon = db.prepare(`
      SELECT (SELECT min(run_at) FROM jobs WHERE phase = 2) AS run_at,
        (SELECT min(expires_at) FROM jobs WHERE expires_at IS NOT NULL AND phase < 6) AS expires_at,
        (SELECT min(lease_until) FROM jobs WHERE phase = 6) AS lease_until,
        EXISTS (SELECT 1 FROM paused) AS paused`);
    this.#paused = db.prepare("SELECT what FROM paused WHERE what = '*' OR what = '=' || ?");
    this.#lapsed = db.prepare(`
      SELECT ${RUNNING_COLUMNS}, lapses, max_lapses FROM jobs WHERE phase = 6 AND lease_until <= ?
      ORDER BY lease_until LIMIT ${MAX_DUE}`);
    this.#lapse = db.prepare("UPDATE jobs SET lapses = lapses + 1 WHERE seq = ?");
    this.#expired = db.prepare(`
      SELECT seq, expires_at FROM jobs WHERE expires_at IS NOT NULL AND phase < 6 AND expires_at <= ?
      ORDER BY expires_at LIMIT ${MAX_DUE}`);
    this.#find = db.prepare(`SELECT ${MOVABLE} FROM jobs WHERE seq = ?`);
    this.#due = db.prepare(`
      SELECT seq, name, ckey FROM jobs WHERE phase = 2 AND run_at <= ? ORDER BY run_at, seq LIMIT ${MAX_DUE}`);
    this.#firstSeqs = db.prepare(`SELECT seq, priority ${FIRST}`);
    this.#first = db.prepare(`SELECT ${ROW} ${FIRST}`);
    this.#these = db.prepare(`SELECT ${ROW} FROM jobs WHERE seq IN (SELECT value FROM json_each(?))`);
    this.#claim = db.prepare(`
      UPDATE jobs SET phase = ${RUNNING}, attempt = attempt + 1, worker = ?, started_at = ?, lease_until = ?, lease_ms = ?
      WHERE seq = ?`);
    this.#steps = db.prepare("SELECT name, value, at FROM steps WHERE seq = ? ORDER BY id");
  }

  claim({ limit, names }: ClaimRequest): ClaimAnswer {
    const { now, wall } = this.#connection;
    let horizon = this.#look();
    let isMore = false;
    if (horizon.lease_until !== null && horizon.lease_until <= now) isMore = this.#lapseAll() || isMore;
    if (horizon.run_at !== null && horizon.run_at <= wall) isMore = this.#promote() || isMore;
    if (horizon.expires_at !== null && horizon.expires_at <= wall) {
      // Nothing is given out before all that has expired is out of the way.
      if (this.#expire()) return { jobs: [], nextIn: 0 };
    }
    const open = horizon.paused === 0 ? names : names.filter((name) => !this.#isPaused(name.name));
    let nextIn = isMore ? 0 : Infinity;
    const rooms = open.map((name) => {
      if (name.rate === undefined) return Math.min(limit, name.limit);
      const { room, opensIn } = this.#rates.room(name.name, name.rate);
      // Where the rate is not used up now, it is not what holds the others back.
      if (room < Math.min(limit, name.limit)) nextIn = Math.min(nextIn, opensIn);
      return Math.min(limit, name.limit, room);
    });
    const rows = this.#take(open, rooms, limit);
    const { claimed } = this.#connection;
    if (claimed.size > MAX_CLAIMED) claimed.clear();
    for (const row of rows) {
      claimed.set(row.seq, row.name);
      this.#connection.count(row.name, "queued", -1);
      this.#connection.count(row.name, "running", 1);
    }
    for (const name of open) {
      if (name.rate !== undefined)
        this.#rates.note(name.name, name.rate, rows.filter((row) => row.name === name.name).length);
    }
    if (rows.length < limit) {
      horizon = this.#look();
      nextIn = Math.min(nextIn, this.#nextIn(horizon));
    }
    const jobs = rows.map((row) => this.#toJob(row));
    return nextIn === Infinity ? { jobs } : { jobs, nextIn };
  }

  #look(): Horizon {
    return rowOf<Horizon>(this.#horizon) as Horizon;
  }

  #isPaused(name: string): boolean {
    return rowOf(this.#paused, name) !== undefined;
  }

  /** In how many ms a delay or a lease ends. */
  #nextIn({ run_at, lease_until }: Horizon): number {
    const { now, wall } = this.#connection;
    let nextIn = Infinity;
    if (run_at !== null) nextIn = Math.max(0, run_at - wall);
    if (lease_until === null) return nextIn;
    return Math.min(nextIn, Math.max(0, lease_until - now));
  }

  /** Takes what may be had: of each name as much as it has room for, of all the first by rank. */
  #take(names: readonly ClaimName[], rooms: readonly number[], limit: number): ClaimedRow[] {
    const { worker, wall, now, lease } = this.#connection;
    const rows = this.#choose(names, rooms, limit);
    // One by one: a statement for all, with RETURNING or a list of seqs, builds a table for each of its runs.
    for (const { seq } of rows) this.#claim.run(worker, wall, now + lease, lease, seq);
    return rows;
  }

  #choose(names: readonly ClaimName[], rooms: readonly number[], limit: number): ClaimedRow[] {
    const [first] = names;
    const [room = 0] = rooms;
    if (limit <= 0 || first === undefined) return [];
    if (names.length === 1) return room <= 0 ? [] : rowsOf<ClaimedRow>(this.#first, first.name, room);
    const candidates = names.flatMap((name, at) => {
      const most = rooms[at] ?? 0;
      return most > 0 ? rowsOf<Candidate>(this.#firstSeqs, name.name, most) : [];
    });
    if (candidates.length === 0) return [];
    const seqs = candidates
      .toSorted(byRank)
      .slice(0, limit)
      .map(({ seq }) => seq);
    return rowsOf<ClaimedRow>(this.#these, JSON.stringify(seqs)).toSorted(byRank);
  }

  #toJob(row: ClaimedRow): ClaimedJob {
    const { seq, schedule, cron } = row;
    const attempt = row.attempt + 1;
    const job = {
      id: String(seq),
      token: attempt,
      name: row.name,
      input: row.input,
      priority: row.priority,
      createdAt: row.created_at,
      attempt,
      failures: row.failures,
      // Steps are of attempts before this one.
      steps: attempt === 1 ? [] : rowsOf<StoredStep>(this.#steps, seq).map((step) => ({ ...step })),
      isCancelling: false,
    };
    // Most have neither: to leave out what is undefined costs more than all the rest of this.
    if (row.key === null && schedule === null) return job;
    return given({
      ...job,
      key: row.key ?? undefined,
      schedule:
        schedule === null || cron === null
          ? undefined
          : given({ name: schedule, expression: cron, timeZone: row.zone ?? undefined }),
    });
  }

  /** Takes jobs back whose lease has ended. True where there may be more of them. */
  #lapseAll(): boolean {
    const lapsed = rowsOf<Lapsed>(this.#lapsed, this.#connection.now);
    for (const job of lapsed) {
      const error = lapsedInfo(job.worker);
      this.#moves.addAttempt(job, "lapsed", error);
      this.#lapse.run(job.seq);
      if (job.cancel !== null) this.#moves.end(job, CANCELLED, job.cancel);
      else if (job.lapses + 1 > job.max_lapses) this.#moves.end(job, FAILED, JSON.stringify(error));
      else this.#moves.requeue(job, undefined);
    }
    return lapsed.length === MAX_DUE;
  }

  /** Makes ready what has become due. True where there may be more of it. */
  #promote(): boolean {
    const due = rowsOf<{ seq: number; name: string; ckey: string | null }>(this.#due, this.#connection.wall);
    for (const job of due) this.#moves.queue(job, undefined);
    return due.length === MAX_DUE;
  }

  /** Ends what has expired. True where there may be more of it. */
  #expire(): boolean {
    const expired = rowsOf<{ seq: number; expires_at: number }>(this.#expired, this.#connection.wall);
    for (const { seq, expires_at } of expired) {
      // Looked up one by one: the end of the one before may have made this one ready.
      const job = rowOf<Movable>(this.#find, seq);
      if (job !== undefined) this.#moves.end(job, FAILED, JSON.stringify(expiredInfo(expires_at)));
    }
    return expired.length === MAX_DUE;
  }
}

function byRank(a: Candidate, b: Candidate): number {
  return b.priority - a.priority || a.seq - b.seq;
}
