import type { JobPage, JobQuery, JobState } from "../record.ts";
import type { Connection } from "./connection.ts";
import { rowOf, rowsOf } from "./driver.ts";
import { seqOf } from "./leases.ts";
import { SUMMARY, type SummaryRow, toSummary } from "./rows.ts";

type Query = JobQuery & { readonly limit: number };

const phases: Readonly<Record<JobState, string>> = {
  queued: "phase < 6",
  running: "phase = 6",
  succeeded: "phase = 7",
  failed: "phase > 7 AND phase = 8",
  cancelled: "phase > 7 AND phase = 9",
};

/** How many rows are looked at in one go: a rare name among millions must not hold the event loop. */
const CHUNK = 10_000;

/** How far a listing has come. */
interface Progress {
  readonly rows: SummaryRow[];
  /** Below which it goes on. */
  before: number;
  isDone: boolean;
}

/**
 * Lists jobs, newest first. Where an index serves what is asked, it is one statement; else the table is walked from its
 * newest end, some thousand rows in each turn, which needs no index that every enqueue would pay for.
 */
export async function listJobs(
  query: Query,
  connection: Connection,
  read: <T>(apply: () => T) => Promise<T>,
): Promise<JobPage> {
  const after = query.after === undefined ? Number.MAX_SAFE_INTEGER : (seqOf(query.after) ?? 0);
  const progress: Progress = { rows: [], before: after, isDone: false };
  // One more than asked for shows whether there is a next page.
  while (!progress.isDone) await read(() => look(query, connection, progress));
  const page = progress.rows.slice(0, query.limit);
  const jobs = page.map(toSummary);
  const last = page.at(-1);
  return progress.rows.length > page.length && last !== undefined
    ? { jobs, next: String(last.seq) }
    : { jobs };
}

function look(query: Query, { db }: Connection, progress: Progress): void {
  const { name, state, key, schedule, limit } = query;
  const narrow: string[] = [];
  const values: (string | number)[] = [];
  const where = (condition: string, ...its: (string | number)[]): void => {
    narrow.push(condition);
    values.push(...its);
  };
  if (key !== undefined) where("key IS NOT NULL AND key = ?", key);
  if (schedule !== undefined) where("schedule IS NOT NULL AND schedule = ?", schedule);
  if (state !== undefined) where(phases[state]);
  const isIndexed = narrow.length > 0 && state !== "queued" && state !== "succeeded";
  let from = 0;
  if (key === undefined && schedule === undefined && state !== "running") {
    // The seq of the last row of this chunk.
    const source = isIndexed && state !== undefined ? `WHERE ${phases[state]} AND seq < ?` : "WHERE seq < ?";
    from =
      rowOf<{ seq: number }>(
        db.prepare(`SELECT seq FROM jobs ${source} ORDER BY seq DESC LIMIT 1 OFFSET ${CHUNK - 1}`),
        progress.before,
      )?.seq ?? 0;
  }
  if (name !== undefined) where("name = ?", name);
  where("seq < ? AND seq >= ?", progress.before, from);
  const missing = limit + 1 - progress.rows.length;
  const found = rowsOf<SummaryRow>(
    db.prepare(
      `SELECT ${SUMMARY} FROM jobs ${state === "running" && key === undefined && schedule === undefined ? "INDEXED BY jobs_running" : ""} WHERE ${narrow.join(" AND ")} ORDER BY seq DESC LIMIT ${missing}`,
    ),
    ...values,
  );
  progress.rows.push(...found);
  progress.before = from;
  progress.isDone = from <= 1 || progress.rows.length > limit;
}
