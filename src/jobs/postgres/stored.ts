import type { NewJob } from "../engine.ts";
import type { JobState } from "../record.ts";
import { toText } from "./text.ts";

/** What a job was enqueued with, and what never changes: pg-boss's `data` of it. */
export interface StoredJob {
  /** Marks it as holdfast's, in this shape. */
  readonly holdfast: 1;
  /** JSON. */
  readonly input: string;
  /** Absent: ten. */
  readonly lapses?: number;
  /** How long it is kept, in ms, after it has succeeded, or ended otherwise. Null: for ever. Absent: as is usual. */
  readonly keep?: readonly [number | null, number | null];
  /** Absent: 0. pg-boss knows whole numbers only. */
  readonly priority?: number;
  readonly runAt?: number;
  readonly concurrencyKey?: string;
}

/**
 * What most jobs have is left out, since every write of a job writes all of it. Jobs are stored that way: what is usual
 * here has to stay so, whatever the defaults of definitions become.
 */
const usual = { lapses: 10, succeeded: 86_400_000, failed: 30 * 86_400_000 };

export function toData({ input, maxLapses, keep, priority, runAt, concurrencyKey }: NewJob): StoredJob {
  return {
    holdfast: 1,
    input,
    // JSON has no Infinity.
    ...(maxLapses === usual.lapses ? {} : { lapses: Math.min(maxLapses, Number.MAX_SAFE_INTEGER) }),
    ...(keep.succeeded === usual.succeeded && keep.failed === usual.failed
      ? {}
      : { keep: [orNull(keep.succeeded), orNull(keep.failed)] as const }),
    ...(priority === 0 ? {} : { priority }),
    ...(runAt === undefined ? {} : { runAt }),
    ...(concurrencyKey === undefined ? {} : { concurrencyKey: toText(concurrencyKey) }),
  };
}

function orNull(ms: number): number | null {
  return ms === Infinity ? null : ms;
}

/** Whether a job of pg-boss's was stored by holdfast, and not by somebody else in the same queue. */
export function isOurs(data: unknown): data is StoredJob {
  return typeof data === "object" && data !== null && "holdfast" in data;
}

/** The same of a row `j` of pg-boss's table. */
export const isOursRow = "j.data -> 'holdfast' IS NOT NULL";

/** After how many lapses such a row fails. */
export const lapsesOfRow = `COALESCE((j.data ->> 'lapses')::float8, ${usual.lapses})`;

/** How long such a row, which has ended, is kept, in ms. Null: for ever. */
export const keepOfRow = `
  CASE WHEN j.data -> 'keep' IS NOT NULL THEN (j.data -> 'keep' ->> (CASE WHEN j.state = 'completed' THEN 0 ELSE 1 END))::float8
    WHEN j.state = 'completed' THEN ${usual.succeeded} ELSE ${usual.failed} END`;

/** What pg-boss calls the states of jobs. */
export const states = {
  created: "queued",
  retry: "queued",
  active: "running",
  completed: "succeeded",
  cancelled: "cancelled",
  failed: "failed",
} as const satisfies Record<string, JobState>;
