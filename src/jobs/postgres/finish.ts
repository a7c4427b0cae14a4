import type { Settlement } from "../engine.ts";
import { attemptOf, longer } from "./attempts.ts";
import type { Row, Transaction } from "./database.ts";
import { failForGood } from "./end-queued.ts";
import { grouped, leaseRuns, type Ground } from "./ground.ts";
import { dropKeys } from "./keys.ts";
import { addRows, planRemoval } from "./rows.ts";
import { lapsesOfRow } from "./stored.ts";

/** The end of an attempt. */
export interface Finish {
  readonly id: string;
  readonly token: number;
  readonly end: Settlement["end"] | "lapsed";
  /** JSON, as all below but for `runAt`. */
  readonly result?: string;
  readonly error?: string;
  readonly runAt?: number;
  readonly awaiting?: string;
  readonly progress?: string;
}

/** What became of one. */
export interface Finished {
  readonly id: string;
  readonly token: number;
  readonly name: string;
  readonly ended: "succeeded" | "failed" | "cancelled" | undefined;
  /** Another may be claimable now, besides itself: one of its concurrencyKey, or the one that replaces it. */
  readonly isFreeing: boolean;
}

interface FinishedRow extends Row {
  readonly id: string;
  readonly token: number;
  readonly queue: string;
  readonly key: string | null;
  readonly ended: Finished["ended"] | null;
  readonly runAt: number | null;
  readonly isBlocking: boolean;
  readonly isGrouped: boolean;
}

/** What the job ends as; null where it is queued again. What was asked to stop is not. */
const endOf = `CASE
  WHEN s."end" IN ('succeeded', 'failed', 'cancelled') THEN s."end"
  WHEN r.cancelling IS NOT NULL THEN 'cancelled'
  WHEN s."end" = 'lapsed' AND r.lapses + 1 > held.max_lapses THEN 'failed'
END`;

/**
 * Ends attempts whose lease runs, or (`lapsed`) whose lease has ended: those of the newest claim alone. pg-boss's row
 * is locked and looked at first; what it ends as is told to pg-boss in the same transaction.
 */
export async function finish(
  tx: Transaction,
  ground: Ground,
  all: readonly Finish[],
  names: Iterable<string>,
): Promise<readonly Finished[]> {
  if (all.length === 0) return [];
  const { schema } = ground;
  const nameOf = new Map([...names].map((name) => [ground.queues.of(name), name]));
  const queues = [...nameOf.keys()];
  const ids = all.map(({ id }) => id);
  addRows(tx, ground, queues, ids);
  const found = await tx.again<FinishedRow>(update(schema, all[0]?.end === "lapsed"), [
    JSON.stringify(all.map(toInput)),
    queues,
    ids,
  ]);
  const rows = found.map((row) => ({ ...row, name: nameOf.get(row.queue) as string }));
  for (const [name, some] of grouped(rows, (row) => row.name)) await tellBoss(tx, ground, name, some);
  const over = rows.filter((row) => row.ended !== null);
  dropKeys(tx, ground, over);
  planRemoval(
    tx,
    ground,
    queues,
    over.map(({ id }) => id),
  );
  await letGo(
    tx,
    ground,
    over.filter(({ isBlocking }) => isBlocking).map(({ id }) => id),
  );
  return rows.map(({ id, token, name, ended, isGrouped, isBlocking }) => ({
    id,
    token,
    name,
    ended: ended ?? undefined,
    isFreeing: isGrouped || (ended !== null && isBlocking),
  }));
}

/** What ends attempts: which are given in $1, their queues and ids in $2 and $3. */
function update(schema: string, isLapse: boolean): string {
  return `WITH s AS (
       SELECT * FROM json_to_recordset($1::text::json) AS x (
         id uuid, token int, "end" text, result text, error text, run_at float8, tail text, progress text)
     ), held AS MATERIALIZED (
       SELECT j.id, j.retry_count + 1 AS token, ${lapsesOfRow} AS max_lapses,
         j.group_id IS NOT NULL AS is_grouped FROM ${schema}.job j
       WHERE j.name = ANY($2::text[]) AND j.id = ANY($3::uuid[]) AND j.state = 'active'
         AND ${isLapse ? "NOT " : ""}(${leaseRuns})
     )
     UPDATE ${schema}.holdfast_job r SET
       worker = NULL,
       run_at = CASE WHEN s."end" IN ('again', 'slept') AND ${endOf} IS NULL THEN s.run_at END,
       expiry = CASE WHEN ${endOf} IS NULL THEN r.expires_at END,
       failures = r.failures + (s."end" IN ('again', 'failed'))::int,
       lapses = r.lapses + (s."end" = 'lapsed')::int,
       attempts = ${longer("r.attempts", attemptOf("r.token", "r.worker", "r.started_at", "s.tail"))},
       ended = ${endOf},
       error = CASE
         WHEN ${endOf} = 'cancelled'
           THEN COALESCE(CASE WHEN s."end" = 'cancelled' THEN s.error END, r.cancelling, s.error)
         WHEN s."end" IN ('again', 'failed') OR ${endOf} = 'failed' THEN COALESCE(s.error, r.error)
         ELSE r.error END,
       result = CASE WHEN s."end" = 'succeeded' THEN s.result END,
       progress = COALESCE(s.progress, r.progress),
       cancelling = CASE WHEN ${endOf} IS NULL THEN r.cancelling END
     FROM s JOIN held USING (id, token)
     WHERE r.id = held.id AND r.id = ANY($3::uuid[]) AND r.token = held.token AND r.worker IS NOT NULL
     RETURNING r.id, r.token, r.queue, r.key, r.ended, r.run_at AS "runAt", r.is_blocking AS "isBlocking",
       held.is_grouped AS "isGrouped"`;
}

function toInput(one: Finish): object {
  const { id, token, end, result, error, runAt, progress } = one;
  return { id, token, end, result, error, run_at: runAt, tail: toTail(one), progress };
}

/** How the JSON of an attempt goes on after when it ended. */
function toTail({ end, error, awaiting }: Finish): string {
  const parts = [
    `,"end":${JSON.stringify(end === "again" ? "failed" : end)}`,
    error === undefined ? "" : `,"error":${error}`,
    awaiting === undefined ? "" : `,"awaiting":${awaiting}`,
    "}",
  ];
  return parts.join("");
}

async function tellBoss(
  tx: Transaction,
  ground: Ground,
  name: string,
  rows: readonly FinishedRow[],
): Promise<void> {
  const { boss, queues, schema } = ground;
  const queue = queues.of(name);
  const attempts = (some: readonly FinishedRow[]) =>
    some.map(({ id, token }) => ({ id, retryCount: token - 1 }));
  for (const [end, some] of grouped(rows, (row) => row.ended ?? "again")) {
    if (end === "succeeded") await tx.issue((options) => boss.complete(queue, attempts(some), null, options));
    else if (end === "cancelled") await tx.issue((options) => boss.cancel(queue, attempts(some), options));
    else if (end === "failed")
      await failForGood(
        tx,
        ground,
        queue,
        some.map(({ id }) => id),
      );
    else {
      // pg-boss has no release: to it, each is a failure with retries left, whose delay is none.
      await tx.issue((options) => boss.fail(queue, attempts(some), null, options));
      const late = some.flatMap(({ id, runAt }) => (runAt === null ? [] : [{ id, at: runAt / 1000 }]));
      if (late.length > 0)
        tx.send(
          `UPDATE ${schema}.job j SET start_after = to_timestamp(s.at)
           FROM json_to_recordset($2::text::json) AS s (id uuid, at float8) WHERE j.name = $1 AND j.id = s.id`,
          [queue, JSON.stringify(late)],
        );
    }
  }
}

/** Lets those be claimed that waited for the end of these. */
async function letGo(tx: Transaction, { schema }: Ground, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await tx.query(
    `WITH free AS (
       UPDATE ${schema}.holdfast_job SET waits_for = NULL WHERE waits_for = ANY($1::uuid[]) AND ended IS NULL
       RETURNING id, queue, run_at)
     UPDATE ${schema}.job j SET start_after = CASE WHEN run_at IS NULL THEN now() ELSE to_timestamp(run_at / 1000) END
     FROM free WHERE j.name = free.queue AND j.id = free.id AND j.state < 'active'`,
    [ids],
  );
}
