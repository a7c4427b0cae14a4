import type { ErrorInfo } from "../../core/index.ts";
import type { JobState } from "../record.ts";
import type { Row, Transaction } from "./database.ts";
import { endQueued } from "./end-queued.ts";
import { namesOf, say, type Ground } from "./ground.ts";
import { keyHash } from "./keys.ts";
import { farRetryLimit } from "./queues.ts";
import { addRows, lockJobs } from "./rows.ts";
import { states } from "./stored.ts";
import { forget } from "./sweep.ts";
import { fromText, isId, toText } from "./text.ts";

interface LockedRow extends Row {
  readonly id: string;
  readonly key: string | null;
  readonly state: keyof typeof states;
}

type Locked = LockedRow & { readonly name: string };

/** Locks a job. One that has not ended, and is to end, has a row of holdfast's then. */
async function lock(
  tx: Transaction,
  ground: Ground,
  id: string,
  isEnding: boolean,
): Promise<Locked | undefined> {
  const { schema, queues } = ground;
  const name = (await namesOf(ground, [{ id }], tx)).get(id);
  if (name === undefined) return undefined;
  const queue = queues.of(name);
  if (isEnding) addRows(tx, ground, [queue], [id], true);
  else lockJobs(tx, ground, [queue], [id]);
  const [row] = await tx.query<LockedRow>(
    `SELECT j.id, j.state, r.key FROM ${schema}.job j LEFT JOIN ${schema}.holdfast_job r ON r.id = j.id
     WHERE j.name = $1 AND j.id = $2`,
    [queue, id],
  );
  return row && { ...row, name };
}

/** Asks a job to stop. */
export async function cancelJob(
  ground: Ground,
  id: string,
  reason: ErrorInfo,
): Promise<JobState | undefined> {
  if (!isId(id)) return undefined;
  return ground.database.transaction(async (tx) => {
    const job = await lock(tx, ground, id, true);
    if (job === undefined) return undefined;
    const state = states[job.state];
    if (state !== "queued" && state !== "running") return state;
    const error = JSON.stringify(reason);
    if (state === "running") {
      await tx.query(
        `UPDATE ${ground.schema}.holdfast_job SET cancelling = COALESCE(cancelling, $2) WHERE id = $1`,
        [id, error],
      );
      say(tx, ground, "cancel");
      return "running";
    }
    await endQueued(tx, ground, [job], "cancelled", () => error);
    say(tx, ground, "end");
    return "cancelled";
  });
}

/** Queues an ended job again. */
export async function retryJob(ground: Ground, id: string, fromStart: boolean): Promise<boolean | undefined> {
  const { schema, boss, queues } = ground;
  if (!isId(id)) return undefined;
  return ground.database.transaction(async (tx) => {
    const job = await lock(tx, ground, id, false);
    if (job === undefined) return undefined;
    if (job.state !== "failed" && job.state !== "cancelled") return false;
    if (job.key !== null) {
      const hash = keyHash(job.name, fromText(job.key));
      await tx.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", [hash]);
      const taken = await tx.query(
        `INSERT INTO ${schema}.holdfast_key (hash, id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id`,
        [hash, id],
      );
      if (taken.length === 0) return false;
    }
    const queue = queues.of(job.name);
    // Each of the two moves what it knows: what has failed, and what was cancelled.
    await tx.issue((options) => boss.retry(queue, [id], options));
    await tx.issue((options) => boss.resume(queue, [id], options));
    tx.send(`UPDATE ${schema}.job SET retry_limit = $3, start_after = now() WHERE name = $1 AND id = $2`, [
      queue,
      id,
      farRetryLimit,
    ]);
    tx.send(
      `UPDATE ${schema}.holdfast_job SET ended = NULL, run_at = NULL, expires_at = NULL, expiry = NULL,
         failures = 0, lapses = 0, cancelling = NULL, is_blocking = false WHERE id = $1`,
      [id],
    );
    if (fromStart) tx.send(`DELETE FROM ${schema}.holdfast_step WHERE id = $1`, [id]);
    say(tx, ground, "jobs");
    return true;
  });
}

/** Removes an ended job. */
export async function removeJob(ground: Ground, id: string): Promise<boolean | undefined> {
  const { queues } = ground;
  if (!isId(id)) return undefined;
  return ground.database.transaction(async (tx) => {
    const job = await lock(tx, ground, id, false);
    if (job === undefined) return undefined;
    const state = states[job.state];
    if (state === "queued" || state === "running") return false;
    await forget(tx, ground, queues.of(job.name), [id]);
    return true;
  });
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
