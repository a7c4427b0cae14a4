import type { ErrorInfo } from "../../core/index.ts";
import type { JobState } from "../record.ts";
import type { Row, Transaction } from "./database.ts";
import { endQueued } from "./end-queued.ts";
import { grouped, say, transactionNow, type Ground } from "./ground.ts";
import { keyHash } from "./keys.ts";
import { farRetryLimit } from "./queues.ts";
import { fromText, isId, toText } from "./text.ts";

interface Locked extends Row {
  readonly id: string;
  readonly name: string;
  readonly key: string | null;
  readonly ended: Exclude<JobState, "queued" | "running"> | null;
  readonly isRunning: boolean;
}

/** Locks a job: pg-boss's row first, as everywhere. */
async function lock(tx: Transaction, { schema }: Ground, id: string): Promise<Locked | undefined> {
  const [found] = await tx.query<Row & { queue: string }>(
    `SELECT queue FROM ${schema}.holdfast_job WHERE id = $1`,
    [id],
  );
  if (found === undefined) return undefined;
  await tx.query(`SELECT 1 FROM ${schema}.job WHERE name = $1 AND id = $2 FOR UPDATE`, [found.queue, id]);
  const [row] = await tx.query<Locked>(
    `SELECT id, name, key, ended, worker IS NOT NULL AS "isRunning" FROM ${schema}.holdfast_job
     WHERE id = $1 FOR UPDATE`,
    [id],
  );
  return row;
}

/** Asks a job to stop. */
export async function cancelJob(
  ground: Ground,
  id: string,
  reason: ErrorInfo,
): Promise<JobState | undefined> {
  if (!isId(id)) return undefined;
  return ground.database.transaction(async (tx) => {
    const job = await lock(tx, ground, id);
    if (job === undefined) return undefined;
    if (job.ended !== null) return job.ended;
    const error = JSON.stringify(reason);
    if (job.isRunning) {
      await tx.query(
        `UPDATE ${ground.schema}.holdfast_job SET cancelling = COALESCE(cancelling, $2) WHERE id = $1`,
        [id, error],
      );
      say(tx, ground, "cancel");
      return "running";
    }
    await endQueued(tx, ground, [{ id, name: fromText(job.name) }], "cancelled", () => error);
    say(tx, ground, "end");
    return "cancelled";
  });
}

/** Queues an ended job again. */
export async function retryJob(ground: Ground, id: string, fromStart: boolean): Promise<boolean | undefined> {
  const { schema, boss, queues } = ground;
  if (!isId(id)) return undefined;
  return ground.database.transaction(async (tx) => {
    const job = await lock(tx, ground, id);
    if (job === undefined) return undefined;
    if (job.ended !== "failed" && job.ended !== "cancelled") return false;
    if (job.key !== null) {
      const hash = keyHash(fromText(job.name), fromText(job.key));
      await tx.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", [hash]);
      const taken = await tx.query(
        `INSERT INTO ${schema}.holdfast_key (hash, id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id`,
        [hash, id],
      );
      if (taken.length === 0) return false;
    }
    const queue = queues.of(fromText(job.name));
    // Each of the two moves what it knows: what has failed, and what was cancelled.
    await tx.issue((options) => boss.retry(queue, [id], options));
    await tx.issue((options) => boss.resume(queue, [id], options));
    tx.send(`UPDATE ${schema}.job SET retry_limit = $3, start_after = now() WHERE name = $1 AND id = $2`, [
      queue,
      id,
      farRetryLimit,
    ]);
    tx.send(
      `UPDATE ${schema}.holdfast_job SET ended = NULL, ended_at = NULL, remove_at = NULL, run_at = NULL,
         expires_at = NULL, expiry = NULL, failures = 0, lapses = 0, cancelling = NULL, is_blocking = false WHERE id = $1`,
      [id],
    );
    if (fromStart) tx.send(`DELETE FROM ${schema}.holdfast_step WHERE id = $1`, [id]);
    say(tx, ground, "jobs");
    return true;
  });
}

/** Removes an ended job. */
export async function removeJob(ground: Ground, id: string): Promise<boolean | undefined> {
  if (!isId(id)) return undefined;
  return ground.database.transaction(async (tx) => {
    const job = await lock(tx, ground, id);
    if (job === undefined) return undefined;
    if (job.ended === null) return false;
    await forget(tx, ground, [job]);
    return true;
  });
}

/** Removes jobs that were kept for long enough. */
export async function sweepJobs(ground: Ground, limit: number): Promise<number> {
  return ground.database.transaction(async (tx) => {
    const rows = await tx.query<Row & { id: string; name: string }>(
      `SELECT id, name FROM ${ground.schema}.holdfast_job WHERE remove_at <= ${transactionNow}
       LIMIT $1 FOR UPDATE SKIP LOCKED`,
      [Math.min(limit, 2 ** 31 - 1)],
    );
    await forget(tx, ground, rows);
    return rows.length;
  });
}

async function forget(
  tx: Transaction,
  { schema, boss, queues }: Ground,
  jobs: readonly { readonly id: string; readonly name: string }[],
): Promise<void> {
  if (jobs.length === 0) return;
  for (const [name, some] of grouped(jobs, (job) => fromText(job.name))) {
    const ids = some.map(({ id }) => id);
    await tx.issue((options) => boss.deleteJob(queues.of(name), ids, options));
  }
  const ids = jobs.map(({ id }) => id);
  for (const table of ["holdfast_job", "holdfast_step", "holdfast_log"])
    tx.send(`DELETE FROM ${schema}.${table} WHERE id = ANY($1::uuid[])`, [ids]);
}

/** Stops or goes on with claims of a name; undefined: of all. */
export async function setPaused(ground: Ground, name: string | undefined, isPaused: boolean): Promise<void> {
  await ground.database.transaction(async (tx) => {
    await tx.query(
      `INSERT INTO ${ground.schema}.holdfast_name (name, is_paused) VALUES ($1, $2)
       ON CONFLICT (name) DO UPDATE SET is_paused = $2`,
      [name === undefined ? "" : toText(name), isPaused],
    );
    if (!isPaused) say(tx, ground, "jobs");
  });
}
