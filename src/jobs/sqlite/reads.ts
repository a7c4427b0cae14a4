import { given } from "../../core/given.ts";
import type { ErrorInfo } from "../../core/index.ts";
import type { Ended } from "../engine.ts";
import type { JobLogLine, JobNameStats, JobRecord, JobStats } from "../record.ts";
import type { Connection } from "./connection.ts";
import { rowOf, rowsOf, type Statement } from "./driver.ts";
import { seqOf } from "./leases.ts";
import { fromText, MAX_ATTEMPTS } from "./moves.ts";
import { endOf } from "./phases.ts";
import { type AttemptRow, rowAttempt, SUMMARY, type SummaryRow, toAttempt, toSummary } from "./rows.ts";

interface CountsRow {
  readonly name: string;
  readonly queued: number;
  readonly running: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
}

interface EndRow {
  readonly seq: number;
  readonly phase: number;
  readonly result: string | null;
  readonly error: string | null;
}

/** At most so many due jobs are looked at for the oldest one that could run. */
const MAX_DUE = 10_000;
/** And so many different priorities. */
const MAX_PRIORITIES = 1000;

/** What is asked of single jobs, and of all, without changing anything. */
export class Lookups {
  readonly #connection: Connection;
  readonly #job: Statement;
  readonly #attempts: Statement;
  readonly #steps: Statement;
  readonly #log: Statement;
  readonly #ends: Statement;
  readonly #counts: Statement;
  readonly #paused: Statement;
  readonly #firstReady: Statement;
  readonly #due: Statement;

  constructor(connection: Connection) {
    const { db } = connection;
    this.#connection = connection;
    this.#job = db.prepare(`SELECT ${SUMMARY}, input, result FROM jobs WHERE seq = ?`);
    this.#attempts = db.prepare(`
      SELECT attempt, worker, started_at, ended_at, end, error, awaiting FROM attempts WHERE seq = ? ORDER BY attempt`);
    this.#steps = db.prepare("SELECT name, at, value FROM steps WHERE seq = ? ORDER BY id");
    this.#log = db.prepare("SELECT at, attempt, text FROM logs WHERE seq = ? ORDER BY id");
    this.#ends = db.prepare(
      "SELECT seq, phase, result, error FROM jobs WHERE seq IN (SELECT value FROM json_each(?))",
    );
    this.#counts = db.prepare("SELECT name, queued, running, succeeded, failed, cancelled FROM counts");
    this.#paused = db.prepare("SELECT what FROM paused");
    this.#firstReady = db.prepare(`
      SELECT priority, created_at FROM jobs WHERE phase = 3 AND name = ? AND priority < ?
      ORDER BY priority DESC, seq LIMIT 1`);
    this.#due = db.prepare(`
      SELECT name, min(created_at) AS created_at
      FROM (SELECT name, created_at FROM jobs WHERE phase = 2 AND run_at <= ? ORDER BY run_at LIMIT ${MAX_DUE})
      GROUP BY name`);
  }

  get(id: string): JobRecord | undefined {
    const seq = seqOf(id);
    const row =
      seq === undefined
        ? undefined
        : rowOf<SummaryRow & { input: string; result: string | null }>(this.#job, seq);
    if (seq === undefined || row === undefined) return undefined;
    const attempts = rowsOf<AttemptRow>(this.#attempts, seq).map(toAttempt);
    const last = rowAttempt(row);
    if (last !== undefined && attempts.at(-1)?.attempt !== last.attempt) attempts.push(last);
    return given({
      ...toSummary(row),
      input: JSON.parse(row.input) as unknown,
      result: fromText<unknown>(row.result),
      attempts: attempts.slice(-MAX_ATTEMPTS),
      steps: rowsOf<{ name: string; at: number; value: string }>(this.#steps, seq).map(
        ({ name, at, value }) => ({ name, at, value: JSON.parse(value) as unknown }),
      ),
      log: rowsOf<JobLogLine>(this.#log, seq).map(({ at, attempt, text }) => ({
        at,
        attempt,
        text: JSON.parse(text) as string,
      })),
    }) as JobRecord;
  }

  ended(ids: readonly string[]): Ended[] {
    const seqs = JSON.stringify(ids.map((id) => seqOf(id) ?? 0));
    const rows = new Map(rowsOf<EndRow>(this.#ends, seqs).map((row) => [String(row.seq), row]));
    return ids.flatMap((id): Ended[] => {
      const row = rows.get(id);
      if (row === undefined) return [{ id }];
      const state = endOf(row.phase);
      if (state === undefined) return [];
      const error = state === "succeeded" ? undefined : fromText<ErrorInfo>(row.error);
      return [given({ id, state, result: row.result ?? undefined, error })];
    });
  }

  stats(): JobStats {
    this.#connection.writeCounts();
    const paused = new Set(rowsOf<{ what: string }>(this.#paused).map(({ what }) => what));
    const areAllPaused = paused.delete("*");
    const due = new Map(
      rowsOf<{ name: string; created_at: number }>(this.#due, this.#connection.wall).map((row) => [
        row.name,
        row.created_at,
      ]),
    );
    const names: Record<string, JobNameStats> = {};
    const all = { queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };
    for (const { name, ...counts } of rowsOf<CountsRow>(this.#counts)) {
      const isPaused = paused.delete(`=${name}`) || areAllPaused;
      if (!isPaused && Object.values(counts).every((count) => count === 0)) continue;
      for (const state of Object.keys(all) as (keyof typeof all)[]) all[state] += counts[state];
      const oldestReadyAt =
        isPaused || counts.queued === 0 ? undefined : this.#oldestReady(name, due.get(name));
      names[name] = given({ ...counts, isPaused, oldestReadyAt });
    }
    const none = { queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0, isPaused: true };
    for (const what of paused) names[what.slice(1)] = none;
    return { ...all, isPaused: areAllPaused, names };
  }

  /** In each priority the first is the oldest: there are few priorities, and may be a million jobs. */
  #oldestReady(name: string, oldestDue = Infinity): number | undefined {
    let oldest = oldestDue;
    let below = Infinity;
    for (let seen = 0; seen < MAX_PRIORITIES; seen++) {
      const first = rowOf<{ priority: number; created_at: number }>(this.#firstReady, name, below);
      if (first === undefined) break;
      oldest = Math.min(oldest, first.created_at);
      below = first.priority;
    }
    return oldest === Infinity ? undefined : oldest;
  }
}
