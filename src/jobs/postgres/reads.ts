import { given } from "../../core/given.ts";
import type { Ended } from "../engine.ts";
import type {
  JobAttempt,
  JobLogLine,
  JobNameStats,
  JobPage,
  JobQuery,
  JobRecord,
  JobStats,
  JobSummary,
} from "../record.ts";
import type { Row } from "./database.ts";
import { wallNow, type Ground } from "./ground.ts";
import { fromText, isId, toText } from "./text.ts";

interface JobRow extends Row {
  readonly id: string;
  readonly name: string;
  readonly input: string;
  readonly key: string | null;
  readonly concurrency_key: string | null;
  readonly priority: number;
  readonly created_at: number;
  readonly run_at: number | null;
  readonly expires_at: number | null;
  readonly token: number;
  readonly failures: number;
  readonly lapses: number;
  readonly worker: string | null;
  readonly started_at: number | null;
  readonly attempts: string[];
  readonly cancelling: string | null;
  readonly ended: "succeeded" | "failed" | "cancelled" | null;
  readonly ended_at: number | null;
  readonly error: string | null;
  readonly result: string | null;
  readonly progress: string | null;
  readonly schedule_name: string | null;
}

const some = (json: string | null): unknown => (json === null ? undefined : JSON.parse(json));

const textOf = (text: string | null): string | undefined => (text === null ? undefined : fromText(text));

function toSummary(row: JobRow): JobSummary {
  return given({
    id: row.id,
    name: fromText(row.name),
    state: row.ended ?? (row.worker === null ? ("queued" as const) : ("running" as const)),
    key: textOf(row.key),
    concurrencyKey: textOf(row.concurrency_key),
    priority: row.priority,
    createdAt: row.created_at,
    runAt: row.run_at ?? undefined,
    expiresAt: row.expires_at ?? undefined,
    startedAt: row.started_at ?? undefined,
    endedAt: row.ended_at ?? undefined,
    attempt: row.token,
    failures: row.failures,
    lapses: row.lapses,
    isCancelling: row.cancelling !== null && row.ended === null,
    worker: textOf(row.worker),
    error: some(row.error) as JobSummary["error"],
    progress: some(row.progress) as JobSummary["progress"],
    schedule: textOf(row.schedule_name),
  });
}

/** One job, all of it. */
export async function getJob({ database, schema }: Ground, id: string): Promise<JobRecord | undefined> {
  if (!isId(id)) return undefined;
  const [row] = await database.query<
    JobRow & { steps: { name: string; value: string; at: number }[]; log: string[] | null }
  >(
    `SELECT r.*, (SELECT lines FROM ${schema}.holdfast_log l WHERE l.id = r.id) AS log,
       ARRAY(SELECT json_build_object('name', name, 'value', value, 'at', at) FROM ${schema}.holdfast_step s
             WHERE s.id = r.id ORDER BY number) AS steps
     FROM ${schema}.holdfast_job r WHERE r.id = $1`,
    [id],
  );
  if (row === undefined) return undefined;
  const attempts = row.attempts.map((text) => {
    const attempt = JSON.parse(text) as JobAttempt;
    return { ...attempt, worker: fromText(attempt.worker) };
  });
  if (row.worker !== null)
    attempts.push({ attempt: row.token, worker: fromText(row.worker), startedAt: row.started_at ?? 0 });
  return {
    ...toSummary(row),
    input: JSON.parse(row.input) as unknown,
    ...(row.result === null ? {} : { result: JSON.parse(row.result) as unknown }),
    attempts: attempts.slice(-50),
    steps: row.steps.map(({ name, value, at }) => ({
      name: fromText(name),
      at,
      value: JSON.parse(value) as unknown,
    })),
    log: (row.log ?? []).map((line) => JSON.parse(line) as JobLogLine),
  };
}

/** A page of jobs. Ids sort as the jobs were enqueued, and a page starts behind one, whether or not it still exists. */
export async function listJobs(
  { database, schema }: Ground,
  { name, state, key, schedule, limit, after }: JobQuery & { readonly limit: number },
): Promise<JobPage> {
  const values: unknown[] = [limit + 1];
  const conditions = ["true"];
  const where = (condition: (value: string) => string, value: string | undefined): void => {
    if (value === undefined) return;
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  where((value) => `name = ${value}`, name === undefined ? undefined : toText(name));
  where(
    (value) => `md5(key) = md5(${value}) AND key = ${value}`,
    key === undefined ? undefined : toText(key),
  );
  where(
    (value) => `md5(schedule_name) = md5(${value}) AND schedule_name = ${value}`,
    schedule === undefined ? undefined : toText(schedule),
  );
  where((value) => `id < ${value}::uuid`, after === undefined ? undefined : isId(after) ? after : firstId);
  if (state === "queued") conditions.push("ended IS NULL AND worker IS NULL");
  else if (state === "running") conditions.push("ended IS NULL AND worker IS NOT NULL");
  else if (state !== undefined) conditions.push(`ended = '${ends[state]}'`);
  // Mostly few among many: pg-boss has an index of them.
  if (state === "failed")
    conditions.push(`id IN (SELECT j.id FROM ${schema}.job j
      WHERE j.state = 'failed' AND j.name IN (SELECT queue.name FROM ${schema}.queue))`);
  const rows = await database.query<JobRow>(
    `SELECT * FROM ${schema}.holdfast_job WHERE ${conditions.join(" AND ")} ORDER BY id DESC LIMIT $1`,
    values,
  );
  const jobs = rows.slice(0, limit).map(toSummary);
  const last = jobs.at(-1);
  return { jobs, ...(rows.length > limit && last !== undefined ? { next: last.id } : {}) };
}

/** Behind which there is nothing. */
const firstId = "00000000-0000-0000-0000-000000000000";
const ends = { succeeded: "succeeded", failed: "failed", cancelled: "cancelled" } as const;

/** Counts, by name and altogether. */
export async function countJobs({ database, schema }: Ground): Promise<JobStats> {
  const rows = await database.query<
    Row & Omit<JobNameStats, "oldestReadyAt"> & { name: string; oldestReadyAt: number | null }
  >(
    `SELECT name, COALESCE(queued, 0)::int AS queued, COALESCE(running, 0)::int AS running,
       COALESCE(succeeded, 0)::int AS succeeded, COALESCE(failed, 0)::int AS failed,
       COALESCE(cancelled, 0)::int AS cancelled, COALESCE(is_paused, false) AS "isPaused", "oldestReadyAt"
     FROM (
       SELECT name,
         count(*) FILTER (WHERE ended IS NULL AND worker IS NULL) AS queued,
         count(*) FILTER (WHERE worker IS NOT NULL) AS running,
         count(*) FILTER (WHERE ended = 'succeeded') AS succeeded,
         count(*) FILTER (WHERE ended = 'failed') AS failed,
         count(*) FILTER (WHERE ended = 'cancelled') AS cancelled,
         min(created_at) FILTER (WHERE ended IS NULL AND worker IS NULL AND waits_for IS NULL
           AND (run_at IS NULL OR run_at <= ${wallNow})) AS "oldestReadyAt"
       FROM ${schema}.holdfast_job GROUP BY name) j
     FULL JOIN (SELECT name, is_paused FROM ${schema}.holdfast_name WHERE is_paused) n USING (name)`,
  );
  const isPaused = rows.some((row) => row.name === "");
  const total = { queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };
  const names: [string, JobNameStats][] = [];
  for (const row of rows) {
    if (row.name === "") continue;
    for (const state of ["queued", "running", "succeeded", "failed", "cancelled"] as const)
      total[state] += row[state];
    const { name, oldestReadyAt, ...counts } = row;
    const isNamePaused = isPaused || counts.isPaused;
    names.push([
      fromText(name),
      {
        ...counts,
        isPaused: isNamePaused,
        ...(isNamePaused || oldestReadyAt === null ? {} : { oldestReadyAt }),
      },
    ]);
  }
  return { ...total, isPaused, names: Object.fromEntries(names) };
}

/** Of these, those that have ended or are unknown. */
export async function endedOf(
  { database, schema }: Ground,
  ids: readonly string[],
): Promise<readonly Ended[]> {
  if (ids.length === 0) return [];
  const rows = await database.query<Row & Pick<JobRow, "id" | "ended" | "result" | "error">>(
    `SELECT id, ended, result, error FROM ${schema}.holdfast_job WHERE id = ANY($1::uuid[])`,
    [ids.filter(isId)],
  );
  const found = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id): Ended[] => {
    const row = found.get(id);
    if (row === undefined) return [{ id }];
    if (row.ended === null) return [];
    const error = some(row.error) as Ended["error"];
    return [
      {
        id,
        state: row.ended,
        ...(row.result === null ? {} : { result: row.result }),
        ...(row.ended === "succeeded" || error === undefined ? {} : { error }),
      },
    ];
  });
}
