import { given } from "../../core/given.ts";
import type { ErrorInfo, Progress, WaitingLine } from "../../core/index.ts";
import type { AttemptEnd, JobAttempt, JobSummary } from "../record.ts";
import { fromText } from "./moves.ts";
import { RUNNING, stateOf, SUCCEEDED } from "./phases.ts";

/** A row of `jobs`, as far as it is listed. Columns: `SUMMARY`. */
export interface SummaryRow {
  readonly seq: number;
  readonly phase: number;
  readonly name: string;
  readonly priority: number;
  readonly created_at: number;
  readonly run_at: number | null;
  readonly expires_at: number | null;
  readonly key: string | null;
  readonly ckey: string | null;
  readonly schedule: string | null;
  readonly attempt: number;
  readonly failures: number;
  readonly lapses: number;
  readonly worker: string;
  readonly started_at: number;
  readonly cancel: string | null;
  readonly ended_at: number;
  readonly error: string | null;
  readonly progress: string | null;
}

export const SUMMARY = `seq, phase, name, priority, created_at, run_at, expires_at, key, ckey, schedule, attempt, failures,
  lapses, worker, started_at, cancel, ended_at, error, progress`;

export interface AttemptRow {
  readonly attempt: number;
  readonly worker: string;
  readonly started_at: number;
  readonly ended_at: number;
  readonly end: AttemptEnd;
  readonly error: string | null;
  readonly awaiting: string | null;
}

export function toSummary(row: SummaryRow): JobSummary {
  return given({
    id: String(row.seq),
    name: row.name,
    state: stateOf(row.phase),
    key: row.key ?? undefined,
    concurrencyKey: row.ckey ?? undefined,
    priority: row.priority,
    createdAt: row.created_at,
    runAt: row.run_at ?? undefined,
    expiresAt: row.expires_at ?? undefined,
    startedAt: row.attempt > 0 ? row.started_at : undefined,
    endedAt: row.phase > RUNNING ? row.ended_at : undefined,
    attempt: row.attempt,
    failures: row.failures,
    lapses: row.lapses,
    isCancelling: row.phase === RUNNING && row.cancel !== null,
    worker: row.phase === RUNNING ? row.worker : undefined,
    error: fromText<ErrorInfo>(row.error),
    progress: fromText<Progress>(row.progress),
    schedule: row.schedule ?? undefined,
  });
}

/** The attempt that stands in the row of its job: the one that runs, or the one that succeeded. */
export function rowAttempt(row: SummaryRow): JobAttempt | undefined {
  const { attempt, worker, started_at, ended_at, phase } = row;
  if (phase === RUNNING) return { attempt, worker, startedAt: started_at };
  if (phase !== SUCCEEDED) return undefined;
  return { attempt, worker, startedAt: started_at, endedAt: ended_at, end: "succeeded" };
}

export function toAttempt(row: AttemptRow): JobAttempt {
  return given({
    attempt: row.attempt,
    worker: row.worker,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    end: row.end,
    error: fromText<ErrorInfo>(row.error),
    awaiting: fromText<readonly WaitingLine[]>(row.awaiting),
  });
}
