import { attemptOf, lapsedTail } from "./attempts.ts";
import type { Transaction } from "./database.ts";
import { toMs, type Ground } from "./ground.ts";
import { isOursRow, keepOfRow } from "./stored.ts";

/** Locks jobs. Whoever changes a row of holdfast's locks pg-boss's of the same job first. */
export function lockJobs(
  tx: Transaction,
  { schema }: Ground,
  queues: readonly string[],
  ids: readonly string[],
): void {
  tx.send(`SELECT 1 FROM ${schema}.job WHERE name = ANY($1::text[]) AND id = ANY($2::uuid[]) FOR UPDATE`, [
    queues,
    ids,
  ]);
}

/**
 * Locks jobs, and gives those that run a row of holdfast's, where they have none: there is more to be said of them. What
 * is known from their claims is written there. `isEnding`: also those that wait, which this transaction then ends: a
 * claim that looks at the same moment has to find them as they were.
 */
export function addRows(
  tx: Transaction,
  ground: Ground,
  queues: readonly string[],
  ids: readonly string[],
  isEnding = false,
): void {
  if (ids.length === 0) return;
  const { schema } = ground;
  // By itself: what is read next has to see what those have written who were waited for.
  lockJobs(tx, ground, queues, ids);
  const claims = `FROM ${schema}.holdfast_claim c WHERE c.queue = j.name AND j.id = ANY(c.ids)`;
  // A claim whose end nobody has told: somebody else's supervisor has ended it, and pg-boss goes on counting.
  const lapsed = `${claims} AND (j.state <> 'active' OR c.at < j.started_on)`;
  const isFirst = "j.state = 'created' OR (j.state = 'active' AND j.retry_count = 0)";
  tx.send(
    `INSERT INTO ${schema}.holdfast_job (id, queue, run_at, token, worker, started_at, lapses, attempts)
     SELECT j.id, j.name,
       CASE WHEN j.started_on IS NULL THEN (j.data ->> 'runAt')::float8 END,
       CASE WHEN j.started_on IS NULL THEN 0 ELSE j.retry_count + 1 END,
       CASE WHEN j.state = 'active' THEN (SELECT c.worker ${claims} AND c.at = j.started_on) END,
       ${toMs("j.started_on")},
       CASE WHEN ${isFirst} THEN 0 ELSE (SELECT count(*) ${lapsed}) END,
       CASE WHEN ${isFirst} THEN '{}' ELSE ARRAY(
         SELECT ${attemptOf("row_number() OVER (ORDER BY c.at)", "c.worker", toMs("c.at"), lapsedTail)}
         ${lapsed} ORDER BY c.at) END
     FROM ${schema}.job j
     WHERE j.name = ANY($1::text[]) AND j.id = ANY($2::uuid[]) AND j.state ${isEnding ? "<=" : "="} 'active' AND ${isOursRow}
       AND NOT EXISTS (SELECT 1 FROM ${schema}.holdfast_job r WHERE r.id = j.id)
     ON CONFLICT DO NOTHING`,
    [queues, ids],
  );
}

/** Plans when jobs that have ended are removed. */
export function planRemoval(
  tx: Transaction,
  { schema }: Ground,
  queues: readonly string[],
  ids: readonly string[],
): void {
  if (ids.length === 0) return;
  tx.send(
    `INSERT INTO ${schema}.holdfast_removal (at, queue, ids)
     SELECT at, name, array_agg(id) FROM (
       SELECT j.name, j.id, ${removeAt} AS at FROM ${schema}.job j
       WHERE j.name = ANY($1::text[]) AND j.id = ANY($2::uuid[]) AND j.state >= 'completed' AND ${isOursRow}) over
     WHERE at IS NOT NULL GROUP BY at, name`,
    [queues, ids],
  );
}

/** When a row `j` of pg-boss's, which has ended, is to be removed; null: never. */
export const removeAt = `${toMs("j.completed_on")} + ${keepOfRow}`;
