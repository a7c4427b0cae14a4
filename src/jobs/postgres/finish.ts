import type { Settlement } from "../engine.ts";
import type { Row, Transaction } from "./database.ts";
import { failForGood } from "./end-queued.ts";
import { grouped, leaseRuns, transactionNow, wallNow, type Ground } from "./ground.ts";
import { dropKeys } from "./keys.ts";
import { fromText } from "./text.ts";

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
  readonly name: string;
  readonly key: string | null;
  readonly ended: Finished["ended"] | null;
  readonly runAt: number | null;
  readonly isBlocking: boolean;
  readonly isKeyed: boolean;
}

/** How many attempts are kept. */
const keptAttempts = 50;

/** What the job ends as; null where it is queued again. What was asked to stop is not. */
const ended = `CASE
  WHEN s."end" IN ('succeeded', 'failed', 'cancelled') THEN s."end"
  WHEN r.cancelling IS NOT NULL THEN 'cancelled'
  WHEN s."end" = 'lapsed' AND r.lapses + 1 > r.max_lapses THEN 'failed'
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
  const { given, update } = statement(ground.schema, all[0]?.end === "lapsed");
  const rows = await tx.again<FinishedRow>(
    `WITH ${given} ${update}
     RETURNING r.id, r.token, r.name, r.key, r.ended, r.run_at AS "runAt", r.is_blocking AS "isBlocking",
       r.concurrency_key IS NOT NULL AS "isKeyed"`,
    toValues(ground, all, names),
  );
  for (const [name, some] of grouped(rows, (row) => fromText(row.name)))
    await tellBoss(tx, ground, name, some);
  const over = rows.filter((row) => row.ended !== null);
  dropKeys(tx, ground, over);
  await letGo(
    tx,
    ground,
    over.filter(({ isBlocking }) => isBlocking).map(({ id }) => id),
  );
  return rows.map((row) => ({
    id: row.id,
    token: row.token,
    name: fromText(row.name),
    ended: row.ended ?? undefined,
    isFreeing: row.isKeyed || (row.ended !== null && row.isBlocking),
  }));
}

/**
 * The same for attempts that all succeed, of jobs without keys: what pg-boss is to be told is known beforehand, so that
 * all is sent together. Where one is refused, so are all, by a division by zero.
 */
export async function succeedAll(
  tx: Transaction,
  ground: Ground,
  all: readonly (Finish & { readonly name: string })[],
): Promise<{ readonly done: Promise<readonly SucceededRow[]> }> {
  const { boss, queues, schema } = ground;
  const done = tx.keep(
    tx.again<SucceededRow>(
      `WITH held AS MATERIALIZED (${held(schema, "$1", "$2")}), done AS (
         UPDATE ${schema}.holdfast_job r SET
           worker = NULL, cancelling = NULL, attempts = ${longer("s.tail", transactionNow)},
           ended = 'succeeded', ended_at = ${transactionNow}, remove_at = ${transactionNow} + r.keep_succeeded,
           result = s.result, progress = COALESCE(s.progress, r.progress)
         FROM unnest($2::uuid[], $3::int[], $4::text[], $5::text[], $6::text[]) AS s (id, token, tail, result, progress)
           JOIN held USING (id, token)
         WHERE r.id = held.id AND r.token = held.token AND r.worker IS NOT NULL
         RETURNING r.concurrency_key IS NOT NULL AS is_keyed)
       SELECT bool_or(is_keyed) AS "isFreeing", 1 / (CASE WHEN count(*) = $7 THEN 1 ELSE 0 END) AS all FROM done`,
      [
        [...new Set(all.map(({ name }) => queues.of(name)))],
        all.map(({ id }) => id),
        all.map(({ token }) => token),
        all.map(toTail),
        all.map(({ result }) => result),
        all.map(({ progress }) => progress),
        all.length,
      ],
    ),
  );
  for (const [name, some] of grouped(all, (one) => one.name)) {
    const attempts = some.map(({ id, token }) => ({ id, retryCount: token - 1 }));
    await tx.issue((options) => boss.complete(queues.of(name), attempts, null, options));
  }
  return { done };
}

/** Whether one of them may have made another claimable. */
export interface SucceededRow extends Row {
  readonly isFreeing: boolean;
}

function toValues({ queues }: Ground, all: readonly Finish[], names: Iterable<string>): unknown[] {
  return [
    JSON.stringify(all.map(toInput)),
    [...new Set([...names].map((name) => queues.of(name)))],
    all.map(({ id }) => id),
  ];
}

/** The rows of pg-boss's that are held under leases which run, or have ended; locked. */
function held(schema: string, queues: string, ids: string, isLapse = false): string {
  return `SELECT j.id, j.retry_count + 1 AS token FROM ${schema}.job j
    WHERE j.name = ANY(${queues}::text[]) AND j.id = ANY(${ids}::uuid[]) AND j.state = 'active'
      AND ${isLapse ? "NOT " : ""}(${leaseRuns})
    FOR UPDATE`;
}

/** The attempts of a job, with the one that ends: the newest of them. */
function longer(tail: string, now: string): string {
  return `(r.attempts || (
    '{"attempt":' || r.token || ',"worker":' || to_json(r.worker) || ',"startedAt":' || r.started_at::bigint ||
    ',"endedAt":' || (${now})::bigint || ${tail}))[greatest(1, cardinality(r.attempts) - ${keptAttempts - 2}):]`;
}

/** What ends attempts: what is given, and what is made of it. */

function statement(schema: string, isLapse: boolean): { readonly given: string; readonly update: string } {
  const given = `s AS (
       SELECT * FROM json_to_recordset($1::text::json) AS x (
         id uuid, token int, "end" text, result text, error text, run_at float8, tail text, progress text)
     ), held AS MATERIALIZED (
       ${held(schema, "$2", "$3", isLapse)}
     ), m AS (SELECT ${wallNow} AS now)`;
  const update = `UPDATE ${schema}.holdfast_job r SET
       worker = NULL,
       run_at = CASE WHEN s."end" IN ('again', 'slept') AND ${ended} IS NULL THEN s.run_at END,
       expiry = CASE WHEN ${ended} IS NULL THEN r.expires_at END,
       failures = r.failures + (s."end" IN ('again', 'failed'))::int,
       lapses = r.lapses + (s."end" = 'lapsed')::int,
       attempts = ${longer("s.tail", "m.now")},
       ended = ${ended},
       ended_at = CASE WHEN ${ended} IS NOT NULL THEN m.now END,
       remove_at = CASE ${ended} WHEN 'succeeded' THEN m.now + r.keep_succeeded
         WHEN 'failed' THEN m.now + r.keep_failed WHEN 'cancelled' THEN m.now + r.keep_failed END,
       error = CASE
         WHEN ${ended} = 'cancelled'
           THEN COALESCE(CASE WHEN s."end" = 'cancelled' THEN s.error END, r.cancelling, s.error)
         WHEN s."end" IN ('again', 'failed') OR ${ended} = 'failed' THEN COALESCE(s.error, r.error)
         ELSE r.error END,
       result = CASE WHEN s."end" = 'succeeded' THEN s.result END,
       progress = COALESCE(s.progress, r.progress),
       cancelling = CASE WHEN ${ended} IS NULL THEN r.cancelling END
     FROM s JOIN held USING (id, token), m
     WHERE r.id = held.id AND r.token = held.token AND r.worker IS NOT NULL`;
  return { given, update };
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
