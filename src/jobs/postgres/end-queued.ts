import type { Row, Transaction } from "./database.ts";
import { grouped, type Ground } from "./ground.ts";
import { dropKeys } from "./keys.ts";
import { addRows, planRemoval } from "./rows.ts";

/** Ends jobs that nobody runs. Answers with those that it has ended: what runs, or has ended, is left alone. */
export async function endQueued(
  tx: Transaction,
  ground: Ground,
  jobs: readonly { readonly id: string; readonly name: string }[],
  ended: "failed" | "cancelled",
  errorOf: (id: string) => string,
): Promise<readonly string[]> {
  const { schema, boss, queues } = ground;
  if (jobs.length === 0) return [];
  const names = queues.ofAll(jobs.map(({ name }) => name));
  const ids = jobs.map(({ id }) => id);
  addRows(tx, ground, names, ids, true);
  const rows = await tx.query<Row & { id: string; key: string | null }>(
    `UPDATE ${schema}.holdfast_job r
     SET ended = $2, error = s.error, cancelling = NULL, run_at = NULL, expiry = NULL, waits_for = NULL
     FROM json_to_recordset($1::text::json) AS s (id uuid, error text)
       JOIN ${schema}.job j ON j.name = ANY($3::text[]) AND j.id = s.id
     WHERE r.id = s.id AND r.id = ANY($4::uuid[]) AND r.worker IS NULL AND r.ended IS NULL AND j.state < 'active'
     RETURNING r.id, r.key`,
    [JSON.stringify(jobs.map(({ id }) => ({ id, error: errorOf(id) }))), ended, names, ids],
  );
  const nameOf = new Map(jobs.map(({ id, name }) => [id, name]));
  const over = rows.map((row) => ({ ...row, name: nameOf.get(row.id) as string }));
  for (const [name, some] of grouped(over, (row) => row.name)) {
    const queue = queues.of(name);
    const of = some.map(({ id }) => id);
    if (ended === "failed") await failForGood(tx, ground, queue, of);
    else await tx.issue((options) => boss.cancel(queue, of, options));
  }
  dropKeys(tx, ground, over);
  planRemoval(
    tx,
    ground,
    names,
    rows.map(({ id }) => id),
  );
  return rows.map(({ id }) => id);
}

/** pg-boss fails a job for good when its retries are used up, and holdfast has put their limit out of reach. */
export async function failForGood(
  tx: Transaction,
  { schema, boss }: Ground,
  queue: string,
  ids: readonly string[],
): Promise<void> {
  tx.send(`UPDATE ${schema}.job SET retry_limit = retry_count WHERE name = $1 AND id = ANY($2::uuid[])`, [
    queue,
    ids,
  ]);
  // The rows are locked, and their fence was checked when they were.
  await tx.issue((options) => boss.fail(queue, ids, null, options));
}
