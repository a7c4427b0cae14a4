import type { ErrorInfo } from "../../core/index.ts";
import type {
  ClaimAnswer,
  ClaimRequest,
  Ended,
  EngineContext,
  Enqueued,
  JobStore,
  Lease,
  LeaseState,
  NewJob,
  Note,
  Settlement,
  StoredStep,
} from "../engine.ts";
import { EngineError } from "../errors.ts";
import type { JobPage, JobQuery, JobRecord, JobState, JobStats } from "../record.ts";
import { Admin } from "./admin.ts";
import { ChangesOfOthers } from "./changes-of-others.ts";
import { Claims } from "./claim.ts";
import { Commits } from "./commits.ts";
import { type Changes, Connection } from "./connection.ts";
import type { Database } from "./driver.ts";
import { Enqueues } from "./enqueue.ts";
import { toEngineError } from "./failure.ts";
import { Leases } from "./leases.ts";
import { listJobs } from "./list.ts";
import { Moves } from "./moves.ts";
import { Lookups } from "./reads.ts";
import { Settlements } from "./settle.ts";
import { joinSiblings } from "./siblings.ts";

/** What the store is, besides its database. */
export interface StoreOptions {
  readonly engine: string;
  /** The real path; undefined in memory. */
  readonly file: string | undefined;
  readonly isDurable: boolean;
  readonly busyFor: number;
}

/** An opened file: each operation goes to the file that does it, within the next transaction. */
export class SqliteStore implements JobStore {
  readonly #db: Database;
  readonly #engine: string;
  readonly #context: EngineContext;
  readonly #connection: Connection;
  readonly #commits: Commits;
  readonly #enqueues: Enqueues;
  readonly #claims: Claims;
  readonly #leases: Leases;
  readonly #settlements: Settlements;
  readonly #admin: Admin;
  readonly #lookups: Lookups;
  readonly #siblings: ReturnType<typeof joinSiblings> | undefined;
  readonly #others: ChangesOfOthers | undefined;
  #closing: Promise<void> | undefined;

  constructor(db: Database, { engine, file, isDurable, busyFor }: StoreOptions, context: EngineContext) {
    this.#db = db;
    this.#engine = engine;
    this.#context = context;
    const connection = new Connection(db, context);
    const moves = new Moves(connection);
    this.#connection = connection;
    this.#commits = new Commits(connection, {
      engine,
      clock: context.clock,
      isDurable,
      busyFor,
      onChange: (changes) => this.#onOwnChange(changes),
    });
    this.#enqueues = new Enqueues(connection, moves);
    this.#claims = new Claims(connection, moves);
    this.#leases = new Leases(connection);
    this.#settlements = new Settlements(connection, moves, this.#enqueues, this.#leases);
    this.#admin = new Admin(connection, moves);
    this.#lookups = new Lookups(connection);
    if (file === undefined) return;
    this.#siblings = joinSiblings(file, (changes) => this.#wake(changes));
    this.#others = new ChangesOfOthers(
      db,
      file,
      context.clock,
      // What they changed is not known: all that it may have been.
      () => this.#wake({ jobs: true, cancel: true, end: true, unheard: true }),
      (error) => context.onTrouble(toEngineError(engine, error)),
    );
  }

  enqueue(jobs: readonly NewJob[], client?: unknown): Promise<readonly Enqueued[]> {
    if (client !== undefined)
      return Promise.reject(
        new EngineError("HF_ENGINE_CANNOT", this.#engine, "it cannot enqueue within a transaction of yours"),
      );
    return this.#commits.run("hard", jobs.length, () => this.#enqueues.store(jobs));
  }

  claim(request: ClaimRequest): Promise<ClaimAnswer> {
    return this.#commits.run("soft", request.limit, () => this.#claims.claim(request));
  }

  renew(leases: readonly Lease[]): Promise<readonly LeaseState[]> {
    return this.#commits.run("soft", leases.length, () => this.#leases.renew(leases));
  }

  check(leases: readonly Lease[]): Promise<readonly LeaseState[]> {
    return this.#commits.run("read", leases.length, () => this.#leases.check(leases));
  }

  settle(settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    return this.#commits.run("hard", settlements.length, () => this.#settlements.settle(settlements));
  }

  recordStep(lease: Lease, step: StoredStep): Promise<boolean> {
    return this.#commits.run("hard", 1, () => this.#leases.recordStep(lease, step));
  }

  note(notes: readonly Note[]): Promise<readonly boolean[]> {
    return this.#commits.run("soft", notes.length, () => this.#leases.note(notes));
  }

  cancel(id: string, reason: ErrorInfo): Promise<JobState | undefined> {
    return this.#commits.run("hard", 1, () => this.#admin.cancel(id, reason));
  }

  retry(id: string, fromStart: boolean): Promise<boolean | undefined> {
    return this.#commits.run("hard", 1, () => this.#admin.retry(id, fromStart));
  }

  remove(id: string): Promise<boolean | undefined> {
    return this.#commits.run("hard", 1, () => this.#admin.remove(id));
  }

  pause(name: string | undefined): Promise<void> {
    return this.#commits.run("hard", 1, () => this.#admin.pause(name));
  }

  resume(name: string | undefined): Promise<void> {
    return this.#commits.run("hard", 1, () => this.#admin.resume(name));
  }

  sweep(limit: number): Promise<number> {
    return this.#commits.run("soft", limit, () => this.#admin.sweep(limit));
  }

  get(id: string): Promise<JobRecord | undefined> {
    return this.#read(() => this.#lookups.get(id));
  }

  list(query: JobQuery & { readonly limit: number }): Promise<JobPage> {
    return listJobs(query, this.#connection, (apply) => this.#read(apply));
  }

  stats(): Promise<JobStats> {
    return this.#read(() => this.#lookups.stats());
  }

  ended(ids: readonly string[]): Promise<readonly Ended[]> {
    return this.#read(() => this.#lookups.ended(ids));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#commits.close();
    this.#siblings?.leave();
    this.#others?.close();
    this.#db.close();
  }

  #read<T>(apply: () => T): Promise<T> {
    return this.#commits.run("read", 1, apply);
  }

  #onOwnChange(changes: Changes): void {
    this.#siblings?.tell(changes);
    // Who settles knows of that end.
    this.#wake({ ...changes, end: changes.unheard });
  }

  #wake(changes: Changes): void {
    if (changes.jobs && this.#context.work) this.#context.wake("jobs");
    if (changes.cancel) this.#context.wake("cancel");
    if (changes.end) this.#context.wake("end");
  }
}
