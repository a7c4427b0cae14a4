import { expiredInfo, lapsedInfo } from "../errors.ts";
import type { Row, Transaction } from "./database.ts";
import { endQueued } from "./end-queued.ts";
import { finish } from "./finish.ts";
import { grouped, leaseRuns, transactionNow, type Ground } from "./ground.ts";
import { addRows } from "./rows.ts";
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
  const nameOf = new Map(names.map((name) => [queues.of(name), name]));
  const [found] = await database.query<Row & { lapsed: boolean; expired: boolean }>(
    `SELECT
       EXISTS (SELECT 1 FROM ${schema}.job j WHERE j.name = ANY($1::text[]) AND j.state = 'active' AND NOT (${leaseRuns}))
         AS lapsed,
       EXISTS (${expired(schema)}) AS expired`,
    [[...nameOf.keys()]],
  );
  if (found === undefined || (!found.lapsed && !found.expired)) return undefined;
  return database.transaction(async (tx) => {
    const lapsed = await endLapsed(tx, ground, nameOf);
    const gone = await endExpired(tx, ground, nameOf);
    return { hasEnded: lapsed || gone };
  });
}

function expired(schema: string): string {
  return `
    SELECT id, queue, expires_at AS "expiresAt" FROM ${schema}.holdfast_job
    WHERE expiry <= ${transactionNow} AND queue = ANY($1::text[]) LIMIT ${most}`;
}

async function endLapsed(
  tx: Transaction,
  ground: Ground,
  nameOf: ReadonlyMap<string, string>,
): Promise<boolean> {
  const { schema } = ground;
  const queues = [...nameOf.keys()];
  const lapsed = await tx.query<Row & { id: string; queue: string; token: number }>(
    `SELECT j.id, j.name AS queue, j.retry_count + 1 AS token FROM ${schema}.job j
     WHERE j.name = ANY($1::text[]) AND j.state = 'active' AND NOT (${leaseRuns})
     LIMIT ${most} FOR UPDATE OF j SKIP LOCKED`,
    [queues],
  );
  const ids = lapsed.map(({ id }) => id);
  addRows(tx, ground, queues, ids);
  const rows = await tx.query<Row & { id: string; worker: string }>(
    `SELECT id, worker FROM ${schema}.holdfast_job WHERE id = ANY($1::uuid[]) AND worker IS NOT NULL`,
    [ids],
  );
  const workerOf = new Map(rows.map(({ id, worker }) => [id, fromText(worker)]));
  // What only pg-boss holds to be running, was not claimed by a worker of holdfast's.
  const foreign = lapsed.filter(({ id }) => !workerOf.has(id));
  for (const [queue, some] of grouped(foreign, (row) => row.queue)) {
    const attempts = some.map(({ id, token }) => ({ id, retryCount: token - 1 }));
    await tx.issue((options) => ground.boss.fail(queue, attempts, null, options));
  }
  const all = lapsed.flatMap(({ id, token }) => {
    const worker = workerOf.get(id);
    return worker === undefined
      ? []
      : [{ id, token, end: "lapsed" as const, error: JSON.stringify(lapsedInfo(worker)) }];
  });
  const finished = await finish(tx, ground, all, nameOf.values());
  return finished.some(({ ended }) => ended !== undefined);
}

async function endExpired(
  tx: Transaction,
  ground: Ground,
  nameOf: ReadonlyMap<string, string>,
): Promise<boolean> {
  const rows = await tx.query<Row & { id: string; queue: string; expiresAt: number }>(
    expired(ground.schema),
    [[...nameOf.keys()]],
  );
  const at = new Map(rows.map(({ id, expiresAt }) => [id, expiresAt]));
  const jobs = rows.map(({ id, queue }) => ({ id, name: nameOf.get(queue) as string }));
  const ended = await endQueued(tx, ground, jobs, "failed", (id) =>
    JSON.stringify(expiredInfo(at.get(id) ?? 0)),
  );
  return ended.length > 0;
}
