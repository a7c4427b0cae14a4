import type { Lease, LeaseState, Note, StoredStep } from "../engine.ts";
import type { JobLogLine } from "../record.ts";
import type { Connection } from "./connection.ts";
import { rowOf, type Statement } from "./driver.ts";
import { toText } from "./moves.ts";

/** How many lines are kept of a job. */
const MAX_LINES = 200;

/**
 * What shows that a job is still whose lease it is: it runs, this is the newest claim, and the lease has not ended.
 *
 * Leases are kept in ms of the machine's monotonic clock, which all its processes read alike, and which begins anew when
 * the machine does. A lease from before then either lies further ahead than it is long, and then it is dead; or it does
 * not, and then it ends within its length, like any other. Parameters: seq, token, now, now.
 */
export const ALIVE =
  "seq = ? AND attempt = ? AND phase = 6 AND lease_until > ? AND lease_until - lease_ms <= ?";

/** The number of a job; undefined where the id is none of ours. */
export function seqOf(id: string): number | undefined {
  return /^[1-9]\d{0,14}$/.test(id) ? Number(id) : undefined;
}

/** What those may do who hold a lease, while they run. */
export class Leases {
  readonly #connection: Connection;
  readonly #renew: Statement;
  readonly #check: Statement;
  readonly #addStep: Statement;
  readonly #setProgress: Statement;
  readonly #addLine: Statement;
  readonly #trimLog: Statement;

  constructor(connection: Connection) {
    const { db } = connection;
    this.#connection = connection;
    this.#renew = db.prepare(`UPDATE jobs SET lease_until = ?, lease_ms = ? WHERE seq = ?`);
    this.#check = db.prepare(`SELECT cancel IS NOT NULL AS cancelling FROM jobs WHERE ${ALIVE}`);
    this.#addStep = db.prepare(
      "INSERT INTO steps (seq, name, at, value) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    );
    this.#setProgress = db.prepare("UPDATE jobs SET progress = ? WHERE seq = ?");
    this.#addLine = db.prepare("INSERT INTO logs (seq, at, attempt, text) VALUES (?, ?, ?, ?)");
    this.#trimLog = db.prepare(`
      DELETE FROM logs WHERE seq = ?
        AND id <= (SELECT id FROM logs WHERE seq = ? ORDER BY id DESC LIMIT 1 OFFSET ${MAX_LINES})`);
  }

  renew(leases: readonly Lease[]): LeaseState[] {
    const { now, lease } = this.#connection;
    return leases.map((held) => {
      const row = this.#find(held);
      if (row !== undefined) this.#renew.run(now + lease, lease, Number(held.id));
      return this.#stateOf(row);
    });
  }

  check(leases: readonly Lease[]): LeaseState[] {
    return leases.map((lease) => this.#stateOf(this.#find(lease)));
  }

  recordStep(lease: Lease, { name, value, at }: StoredStep): boolean {
    if (this.#find(lease) === undefined) return false;
    return Number(this.#addStep.run(Number(lease.id), name, Math.floor(at), value).changes) > 0;
  }

  note(notes: readonly Note[]): boolean[] {
    return notes.map((note) => {
      if (this.#find(note) === undefined) return false;
      this.write(Number(note.id), note);
      return true;
    });
  }

  /** Writes what a job says of itself; that it may is known. */
  write(seq: number, { progress, log = [] }: Omit<Note, keyof Lease>): void {
    if (progress !== undefined) this.#setProgress.run(toText(progress), seq);
    if (log.length === 0) return;
    const lines: readonly JobLogLine[] = log.slice(-MAX_LINES);
    // As JSON: a line may be cut within a character, and SQLite's text holds whole ones only.
    for (const { at, attempt, text } of lines)
      this.#addLine.run(seq, Math.floor(at), attempt, JSON.stringify(text));
    this.#trimLog.run(seq, seq);
  }

  #find({ id, token }: Lease): { cancelling: number } | undefined {
    const { now } = this.#connection;
    return rowOf(this.#check, seqOf(id) ?? 0, token, now, now);
  }

  #stateOf(row: { cancelling: number } | undefined): LeaseState {
    if (row === undefined) return "lost";
    return row.cancelling === 1 ? "cancel" : "held";
  }
}
