import { given } from "../../src/core/given.ts";
import type { ErrorInfo, Progress } from "../../src/core/index.ts";
import type { ClaimedJob, NewJob, StoredStep } from "../../src/jobs/engine.ts";
import type {
  JobAttempt,
  JobLogLine,
  JobNameStats,
  JobRecord,
  JobState,
  JobStats,
  JobSummary,
} from "../../src/jobs/record.ts";

/** A job as the reference engine keeps it. Plain data, so that a transaction can have a copy of all. */
export interface Row {
  readonly id: string;
  /** Its place in the order of enqueuing. */
  seq: number;
  readonly job: NewJob;
  state: JobState;
  readonly createdAt: number;
  runAt?: number;
  expiresAt?: number;
  startedAt?: number;
  endedAt?: number;
  attempt: number;
  failures: number;
  lapses: number;
  token: number;
  /** While it runs. `endsAt` on the clock of leases. */
  holder?: { readonly worker: string; readonly lease: number; endsAt: number };
  /** Why it was asked to stop, while it has not. */
  cancelled?: ErrorInfo;
  error?: ErrorInfo;
  progress?: Progress;
  result?: string;
  readonly attempts: JobAttempt[];
  readonly steps: StoredStep[];
  readonly log: JobLogLine[];
}

/** All that a store keeps. */
export interface State {
  /** In the order of enqueuing. */
  readonly rows: Map<string, Row>;
  readonly paused: Set<string>;
  isPaused: boolean;
  /** When jobs with a rate were claimed, by name. */
  readonly starts: Map<string, number[]>;
  seq: number;
  /** So that a transaction notices that others wrote meanwhile. */
  changes: number;
}

export function isEnded({ state }: Row): boolean {
  return state !== "queued" && state !== "running";
}

export function toClaimed(row: Row): ClaimedJob {
  const { name, input, priority, key, schedule } = row.job;
  const { id, token, createdAt, attempt, failures, steps } = row;
  return {
    ...structuredClone({ id, token, name, input, priority, createdAt, attempt, failures, steps }),
    isCancelling: row.cancelled !== undefined,
    ...given({ key, schedule }),
  };
}

export function toSummary(row: Row): JobSummary {
  const { name, key, concurrencyKey, priority, schedule } = row.job;
  const { id, state, createdAt, attempt, failures, lapses } = row;
  const { runAt, expiresAt, startedAt, endedAt, error, progress } = row;
  return structuredClone({
    ...{ id, name, state, priority, createdAt, attempt, failures, lapses },
    isCancelling: row.cancelled !== undefined,
    ...given({ key, concurrencyKey, runAt, expiresAt, startedAt, endedAt, error, progress }),
    ...given({ worker: row.holder?.worker, schedule: schedule?.name }),
  });
}

export function toRecord(row: Row): JobRecord {
  return {
    ...toSummary(row),
    input: JSON.parse(row.job.input),
    ...(row.result === undefined ? {} : { result: JSON.parse(row.result) as unknown }),
    attempts: structuredClone(row.attempts),
    steps: row.steps.map(({ name, value, at }) => ({ name, at, value: JSON.parse(value) as unknown })),
    log: structuredClone(row.log),
  };
}

export function toStats(state: State, isDue: (row: Row) => boolean): JobStats {
  const none = { queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };
  const total = { ...none, isPaused: state.isPaused };
  const names: Record<string, { -readonly [K in keyof JobNameStats]: JobNameStats[K] }> = {};
  for (const name of state.paused) names[name] = { ...none, isPaused: true };
  for (const row of state.rows.values()) {
    const own = (names[row.job.name] ??= { ...total, ...none });
    own[row.state]++;
    total[row.state]++;
    if (row.state === "queued" && isDue(row))
      own.oldestReadyAt = Math.min(own.oldestReadyAt ?? Infinity, row.createdAt);
  }
  return { ...total, names };
}
