import type { Enqueued, NewJob } from "../engine.ts";
import { JobKeyConflictError, replacedInfo } from "../errors.ts";
import type { Row, Transaction } from "./database.ts";
import type { BossJob } from "./driver.ts";
import { endQueued } from "./end-queued.ts";
import { grouped, say, type Ground } from "./ground.ts";
import { keyHash } from "./keys.ts";
import { lockJobs } from "./rows.ts";
import { toData } from "./stored.ts";
import { digest, toText } from "./text.ts";

/** A job that is new, with what it waits for: the end of the one that it replaces. */
interface Fresh {
  readonly id: string;
  readonly job: NewJob;
  readonly waitsFor?: string;
}

/** When what waits for another's end would be due, were it not let go then. */
const never = "9999-12-31T00:00:00.000Z";

/** Stores jobs within a transaction. The queues of their names are there already. */
export async function store(
  tx: Transaction,
  ground: Ground,
  jobs: readonly NewJob[],
): Promise<readonly Enqueued[]> {
  const answers: Enqueued[] = [];
  let fresh: Fresh[] = [];
  let taken = new Set<string>();
  const flush = async (): Promise<void> => {
    await insert(tx, ground, fresh);
    fresh = [];
    taken = new Set();
  };
  const holders = await takeKeys(tx, ground, jobs);
  for (const job of jobs) {
    const id = ground.ids.next();
    if (job.key === undefined) {
      fresh.push({ id, job });
      answers.push({ id, isNew: true });
      continue;
    }
    const hash = keyHash(job.name, job.key);
    // What an earlier one of this batch has stored under the key has to be there before it is looked at.
    if (taken.has(hash)) await flush();
    taken.add(hash);
    const holder = holders.get(hash);
    const isFree = holder === undefined;
    const isToEnd = job.onConflict === "replace";
    const found = isFree ? undefined : await holderOf(tx, ground, job.name, holder, isToEnd);
    if (found === undefined) {
      await setKey(tx, ground, hash, id, isFree);
      fresh.push({ id, job });
      answers.push({ id, isNew: true });
    } else if (job.onConflict === "reject") throw new JobKeyConflictError(job.name, job.key, found.id);
    else if (!isToEnd) {
      answers.push({ id: found.id, isNew: false });
      continue;
    } else {
      const waitsFor = await replace(tx, ground, job.name, found, job.key);
      await setKey(tx, ground, hash, id, false);
      fresh.push({ id, job, ...(waitsFor === undefined ? {} : { waitsFor }) });
      answers.push({ id, isNew: true });
    }
    holders.set(hash, id);
  }
  await flush();
  return answers;
}

/**
 * Who holds the keys, after having waited for who is about to take or to leave one. Keys that nobody held are taken
 * from here on, in an order that is the same for all, so that no two wait for each other.
 */
async function takeKeys(
  tx: Transaction,
  { schema }: Ground,
  jobs: readonly NewJob[],
): Promise<Map<string, string>> {
  const hashes = new Set<string>();
  for (const { name, key } of jobs) if (key !== undefined) hashes.add(keyHash(name, key));
  const holders = new Map<string, string>();
  if (hashes.size === 0) return holders;
  const sorted = [...hashes].toSorted();
  // Serialises who asks for a key, which a unique index alone does not where the holder is just about to end.
  await tx.query("SELECT pg_advisory_xact_lock(hashtextextended(hash, 1)) FROM unnest($1::text[]) hash", [
    sorted,
  ]);
  const rows = await tx.query<Row & { hash: string; id: string }>(
    `SELECT hash, id FROM ${schema}.holdfast_key WHERE hash = ANY($1::text[])`,
    [sorted],
  );
  for (const { hash, id } of rows) holders.set(hash, id);
  return holders;
}

interface Holder extends Row {
  readonly id: string;
  readonly isRunning: boolean;
  readonly waitsFor: string | null;
}

/** The unfinished job that holds a key; undefined where it has ended. Locked, where it is to be replaced. */
async function holderOf(
  tx: Transaction,
  ground: Ground,
  name: string,
  id: string,
  isLocked: boolean,
): Promise<Holder | undefined> {
  const { schema, queues } = ground;
  const look = `
    SELECT id, worker IS NOT NULL AS "isRunning", waits_for AS "waitsFor"
    FROM ${schema}.holdfast_job WHERE id = $1 AND ended IS NULL`;
  const [found] = await tx.query<Holder>(look, [id]);
  if (found === undefined || !isLocked) return found;
  lockJobs(tx, ground, [queues.of(name)], [id]);
  const [locked] = await tx.query<Holder>(`${look} FOR UPDATE`, [id]);
  return locked;
}

async function setKey(
  tx: Transaction,
  { schema }: Ground,
  hash: string,
  id: string,
  isFree: boolean,
): Promise<void> {
  if (isFree) tx.send(`INSERT INTO ${schema}.holdfast_key (hash, id) VALUES ($1, $2)`, [hash, id]);
  else
    await tx.query(
      `INSERT INTO ${schema}.holdfast_key (hash, id) VALUES ($1, $2) ON CONFLICT (hash) DO UPDATE SET id = $2`,
      [hash, id],
    );
}

/** Asks the other to stop. Answers with whose end the new one has to wait for. */
async function replace(
  tx: Transaction,
  ground: Ground,
  name: string,
  other: Holder,
  key: string,
): Promise<string | undefined> {
  const reason = JSON.stringify(replacedInfo(key));
  if (!other.isRunning) {
    await endQueued(tx, ground, [{ id: other.id, name }], "cancelled", () => reason);
    return other.waitsFor ?? undefined;
  }
  await tx.query(
    `UPDATE ${ground.schema}.holdfast_job SET cancelling = COALESCE(cancelling, $2), is_blocking = true WHERE id = $1`,
    [other.id, reason],
  );
  say(tx, ground, "cancel");
  return other.id;
}

async function insert(tx: Transaction, ground: Ground, fresh: readonly Fresh[]): Promise<void> {
  if (fresh.length === 0) return;
  for (const [name, some] of grouped(fresh, ({ job }) => job.name)) {
    await noteLimits(tx, ground, name, some);
    const jobs = some.map(toBossJob);
    await tx.issue((options) => ground.boss.insert(ground.queues.of(name), jobs, options));
  }
  addKnownRows(tx, ground, fresh);
  // Who listens hears of it with the commit.
  say(tx, ground, "jobs");
}

/** Gives those a row of holdfast's of which there is more to say from the start. */
function addKnownRows(tx: Transaction, { schema, queues }: Ground, fresh: readonly Fresh[]): void {
  const rows = fresh
    .filter(
      ({ job, waitsFor }) =>
        job.key !== undefined ||
        job.schedule !== undefined ||
        job.expiresAt !== undefined ||
        waitsFor !== undefined,
    )
    .map(({ id, job, waitsFor }) => ({
      id,
      queue: queues.of(job.name),
      key: job.key === undefined ? undefined : toText(job.key),
      schedule: job.schedule === undefined ? undefined : JSON.stringify(job.schedule),
      schedule_name: job.schedule === undefined ? undefined : toText(job.schedule.name),
      run_at: job.runAt,
      expires_at: job.expiresAt,
      expiry: job.expiresAt,
      waits_for: waitsFor,
    }));
  if (rows.length === 0) return;
  const columns = "id, queue, key, schedule, schedule_name, run_at, expires_at, expiry, waits_for";
  tx.send(
    `INSERT INTO ${schema}.holdfast_job (${columns})
     SELECT ${columns} FROM json_to_recordset($1::text::json) AS x (
       id uuid, queue text, key text, schedule text, schedule_name text, run_at float8, expires_at float8, expiry float8,
       waits_for uuid)`,
    [JSON.stringify(rows)],
  );
}

function toBossJob({ id, job, waitsFor }: Fresh): BossJob {
  const startAfter =
    waitsFor !== undefined ? never : job.runAt === undefined ? undefined : toMoment(job.runAt);
  return {
    id,
    data: toData(job),
    ...(job.priority === 0 ? {} : { priority: Math.max(-int32, Math.min(int32, Math.trunc(job.priority))) }),
    ...(startAfter === undefined ? {} : { startAfter }),
    ...(job.concurrencyKey === undefined
      ? {}
      : { group: { id: groupOf(job.concurrencyKey), tier: String(perKeyOf(job)) } }),
  };
}

const int32 = 2 ** 31 - 1;

function toMoment(ms: number): string {
  return ms >= Date.parse(never) ? never : new Date(Math.max(ms, 0)).toISOString();
}

/** pg-boss's name for what shares a bound. It must not be empty, and stands in an index. */
function groupOf(concurrencyKey: string): string {
  const text = toText(concurrencyKey);
  return text.length <= 200 ? `=${text}` : `#${digest(text)}`;
}

function perKeyOf({ concurrencyPerKey = 1 }: NewJob): number {
  return Math.max(1, Math.min(int32, Math.floor(concurrencyPerKey)));
}

/**
 * A bound is pg-boss's *tier* of a job. Which tiers a name has is kept, for whoever claims. Where it has several, the
 * newest decides for all of its key: the others are given its tier.
 */
async function noteLimits(
  tx: Transaction,
  { schema, queues }: Ground,
  name: string,
  fresh: readonly Fresh[],
): Promise<void> {
  const tiers = new Map<string, number>();
  for (const { job } of fresh)
    if (job.concurrencyKey !== undefined) tiers.set(groupOf(job.concurrencyKey), perKeyOf(job));
  if (tiers.size === 0) return;
  const look = `SELECT per_keys AS "perKeys" FROM ${schema}.holdfast_name WHERE name = $1`;
  const [row] = await tx.query<Row & { perKeys: number[] }>(look, [toText(name)]);
  const known = new Set(row?.perKeys);
  const size = known.size;
  for (const tier of tiers.values()) known.add(tier);
  if (known.size > size)
    await tx.query(
      `INSERT INTO ${schema}.holdfast_name AS n (name, per_keys) VALUES ($1, $2)
       ON CONFLICT (name) DO UPDATE SET per_keys = ARRAY(SELECT DISTINCT unnest(n.per_keys || $2))`,
      [toText(name), [...known]],
    );
  if (known.size < 2) return;
  for (const [group, tier] of tiers)
    tx.send(
      `UPDATE ${schema}.job SET group_tier = $3
       WHERE name = $1 AND group_id = $2 AND state < 'completed' AND group_tier <> $3`,
      [queues.of(name), group, String(tier)],
    );
}
