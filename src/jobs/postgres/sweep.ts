import type { Row, Transaction } from "./database.ts";
import { transactionNow, type Ground } from "./ground.ts";
import { removeAt } from "./rows.ts";

/** How many plans of removals are looked at together, and how many notes of claims. */
const some = 200;
const manyClaims = 20_000;

interface Removal extends Row {
  readonly number: string;
  readonly queue: string;
  readonly ids: readonly string[];
}

/** Removes jobs that were kept for long enough, and what was noted of claims of which nothing runs any more. */
export async function sweepJobs(ground: Ground, limit: number): Promise<number> {
  const { database, schema } = ground;
  while ((await dropClaims(ground)) === manyClaims);
  return database.transaction(async (tx) => {
    let count = 0;
    while (count < limit) {
      const removals = await tx.query<Removal>(
        `SELECT number, queue, ids FROM ${schema}.holdfast_removal WHERE at <= ${transactionNow}
         ORDER BY at LIMIT $1 FOR UPDATE SKIP LOCKED`,
        [some],
      );
      if (removals.length === 0) break;
      count += await remove(tx, ground, removals, limit - count);
    }
    return count;
  });
}

/** Those of the last minute are left alone, of which most still run. */
async function dropClaims({ database, schema }: Ground): Promise<number> {
  const [row] = await database.query<Row & { count: number }>(
    `WITH dropped AS (
       DELETE FROM ${schema}.holdfast_claim WHERE ctid = ANY(ARRAY(
         SELECT c.ctid FROM ${schema}.holdfast_claim c
         WHERE c.at < now() - interval '1 minute' AND NOT EXISTS (
           SELECT 1 FROM ${schema}.job j WHERE j.name = c.queue AND j.id = ANY(c.ids) AND j.state IN ('retry', 'active'))
         LIMIT $1))
       RETURNING 1)
     SELECT count(*)::int AS count FROM dropped`,
    [manyClaims],
  );
  return row?.count ?? 0;
}

/** Those of the jobs that are due: another end may have followed since. What is more than `most` stays planned. */
async function remove(
  tx: Transaction,
  ground: Ground,
  removals: readonly Removal[],
  most: number,
): Promise<number> {
  const { schema } = ground;
  const byQueue = new Map<string, string[]>();
  const done: string[] = [];
  let left = most;
  for (const { number, queue, ids } of removals) {
    if (left <= 0) break;
    const taken = ids.slice(0, left);
    left -= taken.length;
    byQueue.set(queue, [...(byQueue.get(queue) ?? []), ...taken]);
    if (taken.length === ids.length) done.push(number);
    else
      tx.send(`UPDATE ${schema}.holdfast_removal SET ids = $2 WHERE number = $1`, [
        number,
        ids.slice(taken.length),
      ]);
  }
  tx.send(`DELETE FROM ${schema}.holdfast_removal WHERE number = ANY($1::bigint[])`, [done]);
  let count = 0;
  for (const [queue, ids] of byQueue) {
    const due = await tx.query<Row & { id: string }>(
      `SELECT j.id FROM ${schema}.job j WHERE j.name = $1 AND j.id = ANY($2::uuid[]) AND j.state >= 'completed'
         AND ${removeAt} <= ${transactionNow} FOR UPDATE`,
      [queue, ids],
    );
    count += due.length;
    await forget(
      tx,
      ground,
      queue,
      due.map(({ id }) => id),
    );
  }
  return count;
}

/** Removes all that is known of jobs, whose rows are locked. */
export async function forget(
  tx: Transaction,
  { schema, boss }: Ground,
  queue: string,
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return;
  await tx.issue((options) => boss.deleteJob(queue, ids, options));
  for (const table of ["holdfast_job", "holdfast_step", "holdfast_log"])
    tx.send(`DELETE FROM ${schema}.${table} WHERE id = ANY($1::uuid[])`, [ids]);
}
