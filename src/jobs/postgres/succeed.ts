import type { Settlement } from "../engine.ts";
import { attemptOf, longer } from "./attempts.ts";
import type { Transaction } from "./database.ts";
import type { PgTypes } from "./driver.ts";
import { grouped, leaseRuns, toMs, type Ground, type Holding } from "./ground.ts";
import { removeAt } from "./rows.ts";
import { toText } from "./text.ts";

/** An attempt that has succeeded, and what is known of its job. */
export interface Success {
  readonly settlement: Settlement;
  readonly holding: Holding;
}

/** pg-boss answers with every id, which is not looked at, and takes long to parse. */
const unread: PgTypes = { getTypeParser: () => (text) => text };

/**
 * Ends attempts that have all succeeded, of jobs without keys. That is told to pg-boss, and mostly it is all there is to
 * say. Where one may not be ended, so may none, and a division by zero takes all back: then they are looked at first.
 */
export async function succeedAll(tx: Transaction, ground: Ground, all: readonly Success[]): Promise<void> {
  const { boss, queues, context } = ground;
  for (const [name, some] of grouped(all, ({ holding }) => holding.name)) {
    const attempts = some.map(({ settlement: { id, token } }) => ({ id, retryCount: token - 1 }));
    const output = { worker: toText(context.worker) };
    await tx.issue((options) => boss.complete(queues.of(name), attempts, output, options), undefined, unread);
  }
  const told = all.flatMap(({ settlement: { id, result, progress }, holding }) =>
    holding.isPlain && result === undefined && progress === undefined
      ? []
      : [{ id, result, progress: progress && JSON.stringify(progress) }],
  );
  void tx.keep(
    tx.again(statement(ground.schema), [
      queues.ofAll(all.map(({ holding }) => holding.name)),
      all.length,
      JSON.stringify(told),
      told.length,
      toText(context.worker),
    ]),
  );
}

/**
 * What this transaction has ended of the queues $1 (pg-boss has an index by ends) has to be all $2 of them, while their
 * leases ran. $3, which are $4, have said something, or have a row: it is written there, which the others must not have.
 */
function statement(schema: string): string {
  const attempt = attemptOf("done.token", "$5::text", "done.started_at", `',"end":"succeeded"}'`);
  return `
    WITH done AS MATERIALIZED (
      SELECT j.id, j.name, j.retry_count + 1 AS token, ${toMs("j.started_on")} AS started_at, ${removeAt} AS remove_at
      FROM ${schema}.job j
      WHERE j.name = ANY($1::text[]) AND j.completed_on = now() AND j.state = 'completed'
        AND j.xmin = pg_current_xact_id_if_assigned()::xid AND ${leaseRuns}
    ), told AS MATERIALIZED (
      SELECT * FROM json_to_recordset($3::text::json) AS told (id uuid, result text, progress text)
    ), written AS (
      INSERT INTO ${schema}.holdfast_job AS r (id, queue, token, started_at, attempts, ended, result, progress)
      SELECT id, done.name, done.token, done.started_at, ARRAY[${attempt}], 'succeeded', told.result, told.progress
      FROM done JOIN told USING (id)
      ON CONFLICT (id) DO UPDATE SET
        worker = NULL, cancelling = NULL, attempts = ${longer("r.attempts", "excluded.attempts")},
        ended = 'succeeded', result = excluded.result, progress = COALESCE(excluded.progress, r.progress)
      RETURNING 1
    ), removal AS (
      INSERT INTO ${schema}.holdfast_removal (at, queue, ids)
      SELECT remove_at, name, array_agg(id) FROM done WHERE remove_at IS NOT NULL GROUP BY remove_at, name
    )
    SELECT 1 / (CASE WHEN (SELECT count(*) FROM done) = $2 AND (SELECT count(*) FROM written) = $4 AND NOT EXISTS (
      SELECT 1 FROM ${schema}.holdfast_job r
      WHERE r.id = ANY(ARRAY(SELECT id FROM done WHERE $4 = 0 OR id NOT IN (SELECT id FROM told)))
    ) THEN 1 ELSE 0 END)`;
}
