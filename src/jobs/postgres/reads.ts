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
import { toMs, type Ground } from "./ground.ts";
import { timeOf, timeOfRow } from "./ids.ts";
import { isOursRow, states, type StoredJob } from "./stored.ts";
import { fromText, isId, toText } from "./text.ts";

/** What pg-boss knows of a job, and what its row of holdfast's says, where it has one. */
interface JobRow extends Row {
  readonly id: string;
  readonly name: string;
  readonly state: keyof typeof states;
  readonly data: StoredJob;
  /** How often it was claimed; of one without a row, that is how many attempts it had. */
  readonly claims: number;
  readonly claimed_at: number | null;
  readonly ended_at: number | null;
  /** Who claimed one without a row. */
  readonly claimer: string | null;
  readonly has_row: boolean;
  readonly key: string | null;
  readonly run_at: number | null;
  readonly expires_at: number | null;
  readonly token: number | null;
  readonly failures: number | null;
  readonly lapses: number | null;
  readonly worker: string | null;
  readonly started_at: number | null;
  readonly attempts: readonly string[] | null;
  readonly cancelling: string | null;
  readonly error: string | null;
  readonly result: string | null;
  readonly progress: string | null;
  readonly schedule_name: string | null;
}

/** The columns of a `JobRow`, of `n`, a name; `j`, a job of pg-boss's; and `r`, its row. */
const columns = (schema: string): string => `
  j.id, n.name, j.state, j.data, CASE WHEN j.started_on IS NULL THEN 0 ELSE j.retry_count + 1 END AS claims,
  ${toMs("j.started_on")} AS claimed_at, CASE WHEN j.state >= 'completed' THEN ${toMs("j.completed_on")} END AS ended_at,
  CASE WHEN r.id IS NULL THEN COALESCE(j.output ->> 'worker', (
    SELECT c.worker FROM ${schema}.holdfast_claim c
    WHERE j.state = 'active' AND c.at = j.started_on AND c.queue = j.name AND j.id = ANY(c.ids))) END AS claimer,
  r.id IS NOT NULL AS has_row, r.key, r.run_at, r.expires_at, r.token, r.failures, r.lapses, r.worker, r.started_at,
  r.attempts, r.cancelling, r.error, r.result, r.progress, r.schedule_name`;

const some = (json: string | null): unknown => (json === null ? undefined : JSON.parse(json));

const textOf = (text: string | null | undefined): string | undefined =>
  text === null || text === undefined ? undefined : fromText(text);

function toSummary(row: JobRow): JobSummary {
  const { data } = row;
  const state = states[row.state];
  return given({
    id: row.id,
    name: fromText(row.name),
    state,
    key: textOf(row.key),
    concurrencyKey: textOf(data.concurrencyKey),
    priority: data.priority ?? 0,
    createdAt: timeOf(row.id),
    runAt:
      (row.has_row ? row.run_at : state === "queued" && row.claims === 0 ? data.runAt : null) ?? undefined,
    expiresAt: row.expires_at ?? undefined,
    startedAt: (row.has_row ? row.started_at : row.claimed_at) ?? undefined,
    endedAt: row.ended_at ?? undefined,
    attempt: row.token ?? row.claims,
    failures: row.failures ?? 0,
    lapses: row.lapses ?? 0,
    isCancelling: state === "running" && row.cancelling !== null,
    worker: state === "running" ? textOf(row.has_row ? row.worker : row.claimer) : undefined,
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
    `SELECT ${columns(schema)}, (SELECT lines FROM ${schema}.holdfast_log l WHERE l.id = j.id) AS log,
       ARRAY(SELECT json_build_object('name', name, 'value', value, 'at', at) FROM ${schema}.holdfast_step s
             WHERE s.id = j.id ORDER BY number) AS steps
     FROM ${schema}.holdfast_name n JOIN ${schema}.job j ON j.name = n.queue LEFT JOIN ${schema}.holdfast_job r ON r.id = j.id
     WHERE j.id = $1 AND ${isOursRow}`,
    [id],
  );
  if (row === undefined) return undefined;
  return {
    ...toSummary(row),
    input: JSON.parse(row.data.input) as unknown,
    ...(row.result === null ? {} : { result: JSON.parse(row.result) as unknown }),
    attempts: attemptsOf(row).slice(-50),
    steps: row.steps.map(({ name, value, at }) => ({
      name: fromText(name),
      at,
      value: JSON.parse(value) as unknown,
    })),
    log: (row.log ?? []).map((line) => JSON.parse(line) as JobLogLine),
  };
}

function attemptsOf(row: JobRow): JobAttempt[] {
  const attempts = (row.attempts ?? []).map((text) => {
    const attempt = JSON.parse(text) as JobAttempt;
    return { ...attempt, worker: fromText(attempt.worker) };
  });
  const worker = row.has_row ? row.worker : row.claimer;
  if (worker === null) return attempts;
  const startedAt = (row.has_row ? row.started_at : row.claimed_at) ?? 0;
  const last = { attempt: row.token ?? row.claims, worker: fromText(worker), startedAt };
  const { ended_at: endedAt } = row;
  // Of one without a row all is told by that it has succeeded.
  return [...attempts, endedAt === null ? last : { ...last, endedAt, end: "succeeded" }];
}

/** A page of jobs. Ids sort as the jobs were enqueued, and a page starts behind one, whether or not it still exists. */
export async function listJobs(
  { database, schema }: Ground,
  { name, state, key, schedule, limit, after }: JobQuery & { readonly limit: number },
): Promise<JobPage> {
  const values: unknown[] = [limit + 1];
  const conditions = [isOursRow];
  const where = (condition: (value: string) => string, value: string | undefined): void => {
    if (value === undefined) return;
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  where((value) => `n.name = ${value}`, name === undefined ? undefined : toText(name));
  where(
    (value) => `md5(r.key) = md5(${value}) AND r.key = ${value}`,
    key === undefined ? undefined : toText(key),
  );
  where(
    (value) => `md5(r.schedule_name) = md5(${value}) AND r.schedule_name = ${value}`,
    schedule === undefined ? undefined : toText(schedule),
  );
  where((value) => `j.id < ${value}::uuid`, after === undefined ? undefined : isId(after) ? after : firstId);
  if (state !== undefined) {
    const those = Object.entries(states).flatMap(([theirs, ours]) => (ours === state ? [`'${theirs}'`] : []));
    conditions.push(`j.state IN (${those.join(", ")})`);
  }
  const newest = `${conditions.join(" AND ")} ORDER BY j.id DESC LIMIT $1`;
  const isOfRows = key !== undefined || schedule !== undefined;
  const rows = await database.query<JobRow>(
    isOfRows
      ? `SELECT ${columns(schema)} FROM ${schema}.holdfast_job r JOIN ${schema}.job j ON j.name = r.queue AND j.id = r.id
           JOIN ${schema}.holdfast_name n ON n.queue = r.queue WHERE ${newest}`
      : // The newest of each queue first: an index has their order, and one of all queues there is not.
        `SELECT ${columns(schema)} FROM ${schema}.holdfast_name n
           CROSS JOIN LATERAL (SELECT * FROM ${schema}.job j WHERE j.name = n.queue
             AND ${newest}) j
           LEFT JOIN ${schema}.holdfast_job r ON r.id = j.id ORDER BY j.id DESC LIMIT $1`,
    values,
  );
  const jobs = rows.slice(0, limit).map(toSummary);
  const last = jobs.at(-1);
  return { jobs, ...(rows.length > limit && last !== undefined ? { next: last.id } : {}) };
}

/** Behind which there is nothing. */
const firstId = "00000000-0000-0000-0000-000000000000";

/** Counts, by name and altogether. */
export async function countJobs({ database, schema }: Ground): Promise<JobStats> {
  const rows = await database.query<
    Row & Omit<JobNameStats, "oldestReadyAt"> & { name: string; oldestReadyAt: number | null }
  >(
    `SELECT n.name, n.is_paused AS "isPaused", j.*
     FROM ${schema}.holdfast_name n CROSS JOIN LATERAL (
       SELECT count(*) FILTER (WHERE j.state < 'active')::int AS queued,
         count(*) FILTER (WHERE j.state = 'active')::int AS running,
         count(*) FILTER (WHERE j.state = 'completed')::int AS succeeded,
         count(*) FILTER (WHERE j.state = 'failed')::int AS failed,
         count(*) FILTER (WHERE j.state = 'cancelled')::int AS cancelled,
         min(${timeOfRow}) FILTER (WHERE j.state < 'active' AND j.start_after <= clock_timestamp()) AS "oldestReadyAt"
       FROM ${schema}.job j WHERE j.name = n.queue AND ${isOursRow}) j
     WHERE n.is_paused OR queued + running + succeeded + failed + cancelled > 0`,
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
  const rows = await database.query<Pick<JobRow, "id" | "state" | "result" | "error">>(
    `SELECT j.id, j.state, r.result, r.error
     FROM ${schema}.holdfast_name n JOIN ${schema}.job j ON j.name = n.queue LEFT JOIN ${schema}.holdfast_job r ON r.id = j.id
     WHERE j.id = ANY($1::uuid[]) AND ${isOursRow}`,
    [ids.filter(isId)],
  );
  const found = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id): Ended[] => {
    const row = found.get(id);
    if (row === undefined) return [{ id }];
    const state = states[row.state];
    if (state === "queued" || state === "running") return [];
    const error = some(row.error) as Ended["error"];
    return [
      {
        id,
        state,
        ...(row.result === null ? {} : { result: row.result }),
        ...(state === "succeeded" || error === undefined ? {} : { error }),
      },
    ];
  });
}
