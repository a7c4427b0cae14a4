import type { EngineContext } from "../engine.ts";
import type { JobState } from "../record.ts";
import { type Database, rowOf, type Statement } from "./driver.ts";

/** What a transaction changed that somebody may wait for. */
export interface Changes {
  /** Something can be claimed, now or later, that could not before. */
  jobs: boolean;
  /** A job that runs was asked to stop. */
  cancel: boolean;
  /** A job has ended. */
  end: boolean;
  /** One has that who asked for the change may not know of: it expired, lapsed too often, was replaced. */
  unheard: boolean;
}

/** The columns of `counts`. */
const states = ["queued", "running", "succeeded", "failed", "cancelled"] as const;

/**
 * The connection, and what belongs to the transaction that runs on it: when it began, what it adds to the counts, the
 * number of the next job, what it changed. All of that is dropped by a rollback.
 */
export class Connection {
  readonly db: Database;
  readonly worker: string;
  readonly lease: number;
  /** When the transaction began, in whole ms: on the monotonic clock of the machine, and since the epoch. */
  now = 0;
  wall = 0;
  /** `now`, rounded up. */
  nowUp = 0;
  changes: Changes = unchanged();
  /** Names of jobs that were claimed here, so that their success need not look for it. Not all are kept. */
  readonly claimed = new Map<number, string>();
  readonly #clock: EngineContext["clock"];
  readonly #counts = new Map<string, number[]>();
  /** Undefined: not read in this transaction. */
  #next: number | undefined;
  #firstNext = 0;
  /** Undefined: not said yet. */
  #isFull: boolean | undefined;
  readonly #begin: Statement;
  readonly #beginRead: Statement;
  readonly #commit: Statement;
  readonly #count: Statement;
  readonly #readNext: Statement;
  readonly #writeNext: Statement;

  constructor(db: Database, context: EngineContext) {
    this.db = db;
    this.worker = context.worker;
    this.lease = Math.ceil(context.lease);
    this.#clock = context.clock;
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#beginRead = db.prepare("BEGIN");
    this.#commit = db.prepare("COMMIT");
    this.#count = db.prepare(`
      INSERT INTO counts (name, queued, running, succeeded, failed, cancelled) VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET queued = queued + excluded.queued, running = running + excluded.running,
        succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed,
        cancelled = cancelled + excluded.cancelled`);
    this.#readNext = db.prepare("SELECT next FROM sequence");
    this.#writeNext = db.prepare("UPDATE sequence SET next = ?");
  }

  /** Begins a transaction; throws SQLite's BUSY where another has the lock. */
  begin(isRead: boolean): void {
    (isRead ? this.#beginRead : this.#begin).run();
    // Not before: whoever waited for the lock would see an older now than the one who had it.
    const now = this.#clock.now();
    this.now = Math.floor(now);
    this.nowUp = Math.ceil(now);
    this.wall = Math.floor(this.#clock.wall());
    this.changes = unchanged();
  }

  commit(): void {
    this.writeCounts();
    if (this.#next !== undefined && this.#next !== this.#firstNext) this.#writeNext.run(this.#next);
    this.#commit.run();
    this.#forget();
  }

  rollback(): void {
    this.#forget();
    // Their numbers may be given to others.
    this.claimed.clear();
    try {
      this.db.exec("ROLLBACK");
    } catch (error) {
      // A full disk and some others end the transaction by themselves.
      if (!String(error).includes("no transaction is active")) throw error;
    }
  }

  /**
   * Whether what is committed next has to be on the disk before it is acknowledged. Without it, a loss of power (and
   * nothing less) takes back the newest commits, and leaves the file whole.
   */
  setSync(isFull: boolean): void {
    if (isFull === this.#isFull) return;
    this.db.exec(isFull ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    this.#isFull = isFull;
  }

  /** The number of a new job. */
  nextSeq(): number {
    this.#next ??= this.#firstNext = rowOf<{ next: number }>(this.#readNext)?.next ?? 1;
    return this.#next++;
  }

  /** Counts jobs of a name that came into a state, or left it. */
  count(name: string, state: JobState, by: number): void {
    let counts = this.#counts.get(name);
    if (counts === undefined) this.#counts.set(name, (counts = [0, 0, 0, 0, 0]));
    const at = states.indexOf(state);
    counts[at] = (counts[at] ?? 0) + by;
  }

  /** Writes what was counted so far: once for a transaction, but where it is read within. */
  writeCounts(): void {
    for (const [name, by] of this.#counts) this.#count.run(name, ...by);
    this.#counts.clear();
  }

  #forget(): void {
    this.#counts.clear();
    this.#next = undefined;
  }
}

function unchanged(): Changes {
  return { jobs: false, cancel: false, end: false, unheard: false };
}
