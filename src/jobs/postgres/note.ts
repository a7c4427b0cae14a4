import { given } from "../../core/given.ts";
import type { ClaimedJob, StoredSchedule, StoredStep } from "../engine.ts";
import { expiredInfo } from "../errors.ts";
import type { Row, Transaction } from "./database.ts";
import type { BossClaim } from "./driver.ts";
import { failForGood } from "./end-queued.ts";
import { grouped, transactionNow, wallNow, type Ground } from "./ground.ts";
import { dropKeys } from "./keys.ts";
import { fromText, toText } from "./text.ts";

/** What a claim has found. */
export interface Claimed {
  readonly jobs: readonly ClaimedJob[];
  /** In how many ms a rate lets the next one go. */
  readonly nextIn?: number;
  /** Something was ended on the way. */
  readonly hasEnded: boolean;
}

/** A job as pg-boss has given it. */
export interface Raw {
  readonly name: string;
  readonly claim: BossClaim;
}

/** What was claimed, while the commit is under way. */
export interface Taken {
  readonly raw: Promise<readonly Raw[]>;
  readonly rows: Promise<readonly ClaimedRow[]>;
  readonly nextIn?: number;
}

export interface ClaimedRow extends Row {
  readonly id: string;
  readonly token: number;
  readonly input: string;
  readonly key: string | null;
  readonly priority: number;
  readonly createdAt: number;
  readonly failures: number;
  readonly schedule: string | null;
  readonly isCancelling: boolean;
  readonly isLive: boolean;
  /** Null where it has none. */
  readonly steps: readonly StoredStep[] | null;
}

/** It has not ended, and may still begin. */
const isLive = `(r.ended IS NULL AND (r.expires_at IS NULL OR r.expires_at > ${transactionNow}))`;

/**
 * Notes who runs jobs (`c`, of ids and tokens). Postgres is left no condition whose weight it could mistake: it would
 * look at each row once for each. An attempt that is still open here was ended by pg-boss's supervisor, which somebody
 * else runs on this schema.
 */
const noted = `
  token = CASE WHEN ${isLive} THEN c.token ELSE r.token END,
  worker = CASE WHEN ${isLive} THEN $2 ELSE r.worker END,
  started_at = CASE WHEN ${isLive} THEN ${wallNow} ELSE r.started_at END,
  run_at = NULL, expiry = NULL,
  lapses = CASE WHEN r.worker IS NULL THEN r.lapses ELSE r.lapses + 1 END,
  attempts = CASE WHEN r.worker IS NULL THEN r.attempts ELSE r.attempts || (
    '{"attempt":' || r.token || ',"worker":' || to_json(r.worker) || ',"startedAt":' || r.started_at::bigint ||
    ',"endedAt":' || ${wallNow}::bigint || ',"end":"lapsed"}') END`;

/** What a worker is told of a job: of one that was begun before, with its steps. */
const told = (
  schema: string,
): string => `r.id, r.token, r.input, r.key, r.priority, r.created_at AS "createdAt", r.failures, r.schedule,
  r.cancelling IS NOT NULL AS "isCancelling", ${isLive} AS "isLive",
  CASE WHEN r.token > 1 THEN (
    SELECT json_agg(json_build_object('name', t.name, 'value', t.value, 'at', t.at) ORDER BY t.number)
    FROM ${schema}.holdfast_step t WHERE t.id = r.id) END AS steps`;

/** Notes who runs these. */
export function noteEach(
  tx: Transaction,
  { schema, context }: Ground,
  raw: readonly Raw[],
): Promise<ClaimedRow[]> {
  return tx.again<ClaimedRow>(
    `UPDATE ${schema}.holdfast_job r SET ${noted}
     FROM unnest($1::uuid[], $3::int[]) AS c (id, token) WHERE r.id = c.id AND r.id = ANY($1::uuid[])
     RETURNING ${told(schema)}`,
    [raw.map(({ claim }) => claim.id), toText(context.worker), raw.map(({ claim }) => claim.retryCount + 1)],
  );
}

/**
 * Notes who runs what this transaction has fetched of a name. Refuses, by a division by zero, where the name is paused
 * or one of its jobs has a key.
 */
export function noteFetched(
  tx: Transaction,
  { schema, context, queues }: Ground,
  name: string,
): Promise<ClaimedRow[]> {
  return tx.again<ClaimedRow>(
    `WITH c AS MATERIALIZED (
       SELECT j.id, j.retry_count + 1 AS token, j.group_id FROM ${schema}.job j
       WHERE j.name = $1 AND j.state = 'active' AND j.started_on = now() AND j.xmin = pg_current_xact_id()::xid
     ), refused AS (
       SELECT 1 FROM ${schema}.holdfast_name n WHERE n.name IN ($3, '') AND (n.is_paused OR n.per_keys <> '{}')
       UNION ALL SELECT 1 FROM c WHERE group_id IS NOT NULL
     )
     UPDATE ${schema}.holdfast_job r SET ${noted}
     FROM c WHERE r.id = c.id
     RETURNING ${told(schema)}, 1 / (CASE WHEN EXISTS (SELECT 1 FROM refused) THEN 0 ELSE 1 END)`,
    [queues.of(name), toText(context.worker), toText(name)],
  );
}

/** What was claimed, once the commit is through. */
export async function describe(ground: Ground, taken: Taken): Promise<Claimed> {
  const raw = await taken.raw;
  const nameOf = new Map(raw.map(({ name, claim }) => [claim.id, name]));
  const rows = (await taken.rows).filter((row) => row.isLive);
  await setLeases(ground, raw);
  const jobs = rows.map((row): ClaimedJob => {
    const name = nameOf.get(row.id) as string;
    ground.claimed.set(row.id, { name, hasKey: row.key !== null });
    return {
      id: row.id,
      token: row.token,
      name,
      input: row.input,
      ...(row.key === null ? {} : { key: fromText(row.key) }),
      priority: row.priority,
      createdAt: row.createdAt,
      attempt: row.token,
      failures: row.failures,
      steps: (row.steps ?? []).map((step) => ({
        name: fromText(step.name),
        value: step.value,
        at: step.at,
      })),
      ...(row.schedule === null ? {} : { schedule: JSON.parse(row.schedule) as StoredSchedule }),
      isCancelling: row.isCancelling,
    };
  });
  const hasEnded = rows.length < nameOf.size && (await endLater(ground, nameOf, rows));
  return {
    jobs: jobs.toSorted(byTurn),
    // What was in the way is away now.
    ...(hasEnded && jobs.length === 0 ? { nextIn: 0 } : given({ nextIn: taken.nextIn })),
    hasEnded,
  };
}

/** Ids sort as the jobs were enqueued. */
function byTurn(a: ClaimedJob, b: ClaimedJob): number {
  return b.priority - a.priority || (a.id < b.id ? -1 : 1);
}

/** What was claimed is told even where this fails: what is left then, lapses, and is mended. */
async function endLater(
  ground: Ground,
  nameOf: ReadonlyMap<string, string>,
  rows: readonly ClaimedRow[],
): Promise<boolean> {
  try {
    return await ground.database.transaction((tx) => endOthers(tx, ground, nameOf, rows));
  } catch {
    return false;
  }
}

/** What pg-boss has given though its time is over: it fails. */
async function endOthers(
  tx: Transaction,
  ground: Ground,
  nameOf: ReadonlyMap<string, string>,
  taken: readonly { readonly id: string }[],
): Promise<boolean> {
  const { schema, queues } = ground;
  const rest = new Map(nameOf);
  for (const { id } of taken) rest.delete(id);
  const ids = [...rest.keys()];
  const expired = await tx.query<Row & { id: string; expiresAt: number }>(
    `SELECT id, expires_at AS "expiresAt" FROM ${schema}.holdfast_job
     WHERE id = ANY($1::uuid[]) AND ended IS NULL`,
    [ids],
  );
  const errors = expired.map(({ id, expiresAt }) => ({ id, error: JSON.stringify(expiredInfo(expiresAt)) }));
  const rows = await tx.query<Row & { id: string; name: string; key: string | null }>(
    `UPDATE ${schema}.holdfast_job r
     SET ended = 'failed', worker = NULL, ended_at = ${wallNow}, error = s.error, run_at = NULL, expiry = NULL, remove_at = ${wallNow} + keep_failed
     FROM json_to_recordset($1::text::json) AS s (id uuid, error text) WHERE r.id = s.id
     RETURNING r.id, r.name, r.key`,
    [JSON.stringify(errors)],
  );
  dropKeys(tx, ground, rows);
  // What the side tables do not know, somebody else has sent to this queue: it is not run, and not lost silently.
  for (const [name, some] of grouped(ids, (id) => rest.get(id) as string))
    await failForGood(tx, ground, queues.of(name), some);
  return rows.length > 0;
}

/** Who has enqueued a job may have had another length of a lease in mind. */
async function setLeases(
  { database, schema, queues, leaseSeconds }: Ground,
  raw: readonly Raw[],
): Promise<void> {
  const others = raw.filter(({ claim }) => claim.heartbeatSeconds !== leaseSeconds);
  if (others.length === 0) return;
  await database.query(
    `UPDATE ${schema}.job SET heartbeat_seconds = $3 WHERE name = ANY($1::text[]) AND id = ANY($2::uuid[])`,
    [
      [...new Set(others.map(({ name }) => queues.of(name)))],
      others.map(({ claim }) => claim.id),
      leaseSeconds,
    ],
    true,
  );
}
