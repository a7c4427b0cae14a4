import { expiredInfo, lapsedInfo } from "../errors.ts";
import type { Row, Transaction } from "./database.ts";
import { endQueued } from "./end-queued.ts";
import { finish } from "./finish.ts";
import { grouped, leaseRuns, transactionNow, type Ground } from "./ground.ts";
import { fromText } from "./text.ts";

/** How many are put right at once; the rest comes next. */
const most = 500;

/**
 * Puts right what a claim meets on its way: leases that have ended, what has expired. Of the names that are asked for.
 * pg-boss's own supervisor, which would do the first without holdfast's tables, is off. Undefined where there was nothing to do.
 */
export async function mend(
  ground: Ground,
  names: readonly string[],
): Promise<{ readonly hasEnded: boolean } | undefined> {
  const { schema, queues, database } = ground;
  const of = names.map((name) => queues.of(name));
  const [found] = await database.query<Row & { lapsed: boolean; expired: boolean }>(
    `SELECT
       EXISTS (SELECT 1 FROM ${schema}.job j WHERE j.name = ANY($1::text[]) AND j.state = 'active' AND NOT (${leaseRuns}))
         AS lapsed,
       EXISTS (${expired(schema)}) AS expired`,
    [of],
  );
  if (found === undefined || (!found.lapsed && !found.expired)) return undefined;
  return database.transaction(async (tx) => {
    const lapsed = await endLapsed(tx, ground, of);
    const gone = await endExpired(tx, ground, of);
    return { hasEnded: lapsed || gone };
  });
}

function expired(schema: string): string {
  return `
    SELECT id, name, expires_at AS "expiresAt" FROM ${schema}.holdfast_job
    WHERE expiry <= ${transactionNow} AND queue = ANY($1::text[]) LIMIT ${most}`;
}

async function endLapsed(tx: Transaction, ground: Ground, queues: readonly string[]): Promise<boolean> {
  const { schema } = ground;
  const rows = await tx.query<
    Row & { id: string; name: string; queue: string; token: number; worker: string | null }
  >(
    `SELECT j.id, r.name, j.name AS queue, j.retry_count + 1 AS token, r.worker
     FROM ${schema}.job j JOIN ${schema}.holdfast_job r ON r.id = j.id
     WHERE j.name = ANY($1::text[]) AND j.state = 'active' AND NOT (${leaseRuns})
     LIMIT ${most} FOR UPDATE OF j SKIP LOCKED`,
    [queues],
  );
  // What only pg-boss holds to be running, its claimer has not come to note: a process that died, or is not holdfast's.
  const bare = rows.filter(({ worker }) => worker === null);
  for (const [queue, some] of grouped(bare, (row) => row.queue)) {
    const attempts = some.map(({ id, token }) => ({ id, retryCount: token - 1 }));
    await tx.issue((options) => ground.boss.fail(queue, attempts, null, options));
  }
  const noted = rows.filter(({ worker }) => worker !== null);
  const all = noted.map(({ id, token, worker }) => ({
    id,
    token,
    end: "lapsed" as const,
    error: JSON.stringify(lapsedInfo(fromText(worker ?? ""))),
  }));
  const finished = await finish(tx, ground, all, new Set(noted.map(({ name }) => fromText(name))));
  return finished.some(({ ended }) => ended !== undefined);
}

async function endExpired(tx: Transaction, ground: Ground, queues: readonly string[]): Promise<boolean> {
  const rows = await tx.query<Row & { id: string; name: string; expiresAt: number }>(expired(ground.schema), [
    queues,
  ]);
  const at = new Map(rows.map(({ id, expiresAt }) => [id, expiresAt]));
  const jobs = rows.map(({ id, name }) => ({ id, name: fromText(name) }));
  const ended = await endQueued(tx, ground, jobs, "failed", (id) =>
    JSON.stringify(expiredInfo(at.get(id) ?? 0)),
  );
  return ended.length > 0;
}
