import { given } from "../../core/given.ts";
import type { ClaimedJob, StoredSchedule, StoredStep } from "../engine.ts";
import { expiredInfo } from "../errors.ts";
import { attemptOf, lapsedTail } from "./attempts.ts";
import type { Row, Transaction, Within } from "./database.ts";
import type { BossClaim } from "./driver.ts";
import { failForGood } from "./end-queued.ts";
import { grouped, transactionNow, type Ground } from "./ground.ts";
import { timeOf } from "./ids.ts";
import { dropKeys } from "./keys.ts";
import { addRows, planRemoval } from "./rows.ts";
import { isOurs } from "./stored.ts";
import { fromText, toText } from "./text.ts";

/** What a claim has found. */
export interface Claimed {
  readonly jobs: readonly ClaimedJob[];
  /** In how many ms a rate lets the next one go. */
  readonly nextIn?: number;
  /** Something was ended on the way. */
  readonly hasEnded: boolean;
}

/** A job as pg-boss has given it, and what its row says. */
export interface Raw {
  readonly name: string;
  readonly claim: BossClaim;
  /** Null where it has none. */
  readonly row: ClaimedRow | null;
}

/** What was claimed, while the commit is under way. */
export interface Taken {
  readonly raw: Promise<readonly Raw[]>;
  readonly nextIn?: number;
}

export interface ClaimedRow extends Row {
  readonly id: string;
  readonly token: number;
  readonly key: string | null;
  readonly failures: number;
  readonly schedule: string | null;
  readonly isCancelling: boolean;
  readonly isLive: boolean;
  /** Null where it has none. */
  readonly steps: readonly StoredStep[] | null;
}

/** It may still begin. */
const isLive = `(r.expires_at IS NULL OR r.expires_at > ${transactionNow})`;

/**
 * Notes that `worker` runs jobs (`c`): of each in its row, and of those that have none, in one row for all. None
 * gets a row while it waits but in a transaction that ends it, so that none is overlooked.
 * Postgres is left no condition whose weight it could mistake: it would look at each row once for each. An attempt that
 * is still open here was ended by pg-boss's supervisor, which somebody else runs on this schema.
 */
const noteAll = (schema: string, worker: string): string => `
  told AS (
    UPDATE ${schema}.holdfast_job r SET
      token = CASE WHEN ${isLive} THEN c.token ELSE r.token END,
      worker = CASE WHEN ${isLive} THEN ${worker} ELSE r.worker END,
      started_at = CASE WHEN ${isLive} THEN ${transactionNow} ELSE r.started_at END,
      run_at = NULL, expiry = NULL,
      lapses = CASE WHEN r.worker IS NULL THEN r.lapses ELSE r.lapses + 1 END,
      attempts = CASE WHEN r.worker IS NULL THEN r.attempts ELSE
        r.attempts || ${attemptOf("r.token", "r.worker", "r.started_at", lapsedTail)} END
    FROM c WHERE r.id = c.id AND r.id = ANY(ARRAY(SELECT id FROM c))
    RETURNING ${told(schema)}
  ), noted AS (
    INSERT INTO ${schema}.holdfast_claim (at, queue, worker, ids)
    SELECT now(), c.name, ${worker}, array_agg(c.id) FROM c
    WHERE NOT EXISTS (SELECT 1 FROM told WHERE told.id = c.id) GROUP BY c.name
  )`;

/** What a worker is told of a job that has a row: of one that was begun before, with its steps. */
function told(schema: string): string {
  return `r.id, r.token, r.key, r.failures, r.schedule, r.cancelling IS NOT NULL AS "isCancelling", ${isLive} AS "isLive",
    CASE WHEN r.token > 1 THEN (
      SELECT json_agg(json_build_object('name', t.name, 'value', t.value, 'at', t.at) ORDER BY t.number)
      FROM ${schema}.holdfast_step t WHERE t.id = r.id) END AS steps`;
}

/** Notes who runs these. Answers with the rows of those that have one. */
export function noteEach(
  tx: Transaction,
  { schema, context, queues }: Ground,
  raw: readonly Raw[],
): Promise<ClaimedRow[]> {
  return tx.again<ClaimedRow>(
    `WITH c AS MATERIALIZED (SELECT * FROM unnest($2::uuid[], $3::text[], $4::int[]) AS c (id, name, token)),
     ${noteAll(schema, "$1::text")} SELECT * FROM told`,
    [
      toText(context.worker),
      raw.map(({ claim }) => claim.id),
      raw.map(({ name }) => queues.of(name)),
      raw.map(({ claim }) => claim.retryCount + 1),
    ],
  );
}

/**
 * Has a fetch of pg-boss's note, too, who runs what it finds. Refuses all, by a division by zero, where the name is
 * paused or its jobs have keys.
 */
export function notingFetch({ schema, context }: Ground, name: string): Within {
  return (fetch, values) => {
    const [worker, which] = [`$${values.length + 1}::text`, `$${values.length + 2}::text`];
    return [
      `WITH fetched AS (${fetch}
       ), c AS MATERIALIZED (SELECT id, name, "retryCount" + 1 AS token FROM fetched
       ), ${noteAll(schema, worker)}
       SELECT fetched.id, fetched.data, "retryCount", "heartbeatSeconds", to_json(told) AS row
       FROM fetched LEFT JOIN told ON told.id = fetched.id
       WHERE 1 = 1 / (CASE WHEN EXISTS (
         SELECT 1 FROM ${schema}.holdfast_name n WHERE n.name IN (${which}, '') AND (n.is_paused OR n.per_keys <> '{}')
       ) THEN 0 ELSE 1 END)`,
      [...values, toText(context.worker), toText(name)],
    ];
  };
}

/** What was claimed, once the commit is through. */
export async function describe(ground: Ground, taken: Taken): Promise<Claimed> {
  const raw = await taken.raw;
  await setLeases(ground, raw);
  const again = await openAgain(ground, raw);
  const jobs: ClaimedJob[] = [];
  const others: Raw[] = [];
  for (const one of raw) {
    const job = toClaimed(ground, one, one.row ?? again.get(one.claim.id));
    if (job === undefined) others.push(one);
    else jobs.push(job);
  }
  const hasEnded = others.length > 0 && (await endLater(ground, others));
  return {
    jobs: jobs.toSorted(byTurn),
    // What was in the way is away now.
    ...(hasEnded && jobs.length === 0 ? { nextIn: 0 } : given({ nextIn: taken.nextIn })),
    hasEnded,
  };
}

/** Undefined where it is not to be run. */
function toClaimed(
  ground: Ground,
  { name, claim }: Raw,
  row: ClaimedRow | undefined,
): ClaimedJob | undefined {
  const { id, data } = claim;
  if (!isOurs(data) || row?.isLive === false) return undefined;
  const { key = null, schedule = null, steps = null } = row ?? {};
  const isGrouped = data.concurrencyKey !== undefined;
  ground.claimed.set(id, { name, hasKey: key !== null, isGrouped, isPlain: row === undefined });
  const token = claim.retryCount + 1;
  return {
    id,
    token,
    name,
    input: data.input,
    ...(key === null ? {} : { key: fromText(key) }),
    priority: data.priority ?? 0,
    createdAt: timeOf(id),
    attempt: token,
    failures: row?.failures ?? 0,
    steps: (steps ?? []).map((step) => ({ ...step, name: fromText(step.name) })),
    ...(schedule === null ? {} : { schedule: JSON.parse(schedule) as StoredSchedule }),
    isCancelling: row?.isCancelling ?? false,
  };
}

/** What was claimed before and has no row, somebody else's supervisor has queued again: now there is more to say. */
async function openAgain(ground: Ground, raw: readonly Raw[]): Promise<ReadonlyMap<string, ClaimedRow>> {
  const { schema, queues, database } = ground;
  const again = raw.filter(
    ({ claim: { retryCount, data }, row }) => retryCount > 0 && row === null && isOurs(data),
  );
  if (again.length === 0) return new Map();
  const ids = again.map(({ claim }) => claim.id);
  const rows = await database.transaction(async (tx) => {
    addRows(tx, ground, queues.ofAll(again.map(({ name }) => name)), ids);
    return tx.query<ClaimedRow>(
      `SELECT ${told(schema)} FROM ${schema}.holdfast_job r WHERE r.id = ANY($1::uuid[])`,
      [ids],
    );
  });
  return new Map(rows.map((row) => [row.id, row]));
}

/** Ids sort as the jobs were enqueued. */
function byTurn(a: ClaimedJob, b: ClaimedJob): number {
  return b.priority - a.priority || (a.id < b.id ? -1 : 1);
}

/** What was claimed is told even where this fails: what is left then, lapses, and is mended. */
async function endLater(ground: Ground, others: readonly Raw[]): Promise<boolean> {
  try {
    return await ground.database.transaction((tx) => endOthers(tx, ground, others));
  } catch {
    return false;
  }
}

/** What pg-boss has given though its time is over: it fails. */
async function endOthers(tx: Transaction, ground: Ground, others: readonly Raw[]): Promise<boolean> {
  const { schema, queues } = ground;
  const ids = others.map(({ claim }) => claim.id);
  const expired = await tx.query<Row & { id: string; expiresAt: number }>(
    `SELECT id, expires_at AS "expiresAt" FROM ${schema}.holdfast_job WHERE id = ANY($1::uuid[])`,
    [ids],
  );
  const errors = expired.map(({ id, expiresAt }) => ({ id, error: JSON.stringify(expiredInfo(expiresAt)) }));
  const rows = await tx.query<Row & { id: string; key: string | null }>(
    `UPDATE ${schema}.holdfast_job r
     SET ended = 'failed', worker = NULL, error = s.error, run_at = NULL, expiry = NULL
     FROM json_to_recordset($1::text::json) AS s (id uuid, error text) WHERE r.id = s.id
     RETURNING r.id, r.key`,
    [JSON.stringify(errors)],
  );
  const nameOf = new Map(others.map(({ name, claim }) => [claim.id, name]));
  dropKeys(
    tx,
    ground,
    rows.map((row) => ({ ...row, name: nameOf.get(row.id) as string })),
  );
  // What is not holdfast's, somebody else has sent to this queue: it is not run, and not lost silently.
  for (const [name, some] of grouped(others, (one) => one.name))
    await failForGood(
      tx,
      ground,
      queues.of(name),
      some.map(({ claim }) => claim.id),
    );
  planRemoval(tx, ground, queues.ofAll(nameOf.values()), ids);
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
    [queues.ofAll(others.map(({ name }) => name)), others.map(({ claim }) => claim.id), leaseSeconds],
    true,
  );
}
