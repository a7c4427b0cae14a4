import type { ClaimedJob, ClaimRequest, StoredSchedule, StoredStep } from "../engine.ts";
import { given } from "../../core/given.ts";
import { expiredInfo } from "../errors.ts";
import type { Row, Transaction } from "./database.ts";
import type { BossClaim } from "./driver.ts";
import { failForGood } from "./end-queued.ts";
import { grouped, wallNow, type Ground } from "./ground.ts";
import { dropKeys } from "./keys.ts";
import { takeRates, type Rates } from "./rates.ts";
import { fromText, toText } from "./text.ts";

/** What one look at the names has found. */
export interface Claimed {
  readonly jobs: readonly ClaimedJob[];
  /** In how many ms a rate lets the next one go. */
  readonly nextIn?: number;
  /** Something was ended on the way. */
  readonly hasEnded: boolean;
}

interface Room {
  readonly name: string;
  limit: number;
  readonly tiers: readonly number[];
}

interface Raw {
  readonly name: string;
  readonly claim: BossClaim;
}

/** What was claimed, while the commit is under way. */
interface Taken {
  readonly raw: readonly Raw[];
  readonly rows: Promise<readonly ClaimedRow[]>;
  readonly steps: Promise<readonly StepRow[]>;
  readonly nextIn?: number;
}

/** Something has to be known, or locked, before jobs of this name are claimed. */
class NeedsCare extends Error {}

/** Claims within one transaction. */
export async function claimJobs(ground: Ground, request: ClaimRequest): Promise<Claimed> {
  const { database, careful } = ground;
  const [only, ...others] = request.names;
  if (only !== undefined && others.length === 0 && only.rate === undefined && !careful.has(only.name)) {
    const most = Math.min(request.limit, only.limit);
    if (most <= 0) return { jobs: [], hasEnded: false };
    try {
      return await describe(
        ground,
        await database.transaction((tx) => claimAtOnce(tx, ground, only.name, most)),
      );
    } catch (error) {
      if (!needsCare(error)) throw error;
      // From now on it is looked first.
      careful.add(only.name);
    }
  }
  try {
    return await describe(ground, await database.transaction((tx) => claimIn(tx, ground, request, false)));
  } catch (error) {
    if (!needsCare(error)) throw error;
    // The first of its name with a key was stored in this very moment: again, with the lock.
    return describe(ground, await database.transaction((tx) => claimIn(tx, ground, request, true)));
  }
}

function needsCare(error: unknown): boolean {
  return error instanceof NeedsCare || (error instanceof Error && error.cause instanceof NeedsCare);
}

/** Fetches without waiting for what is known of the name: mostly, that is nothing. Where it is, all is taken back. */
async function claimAtOnce(tx: Transaction, ground: Ground, name: string, most: number): Promise<Taken> {
  const known = tx.keep(look(tx, ground, [name]));
  const fetched = await fetch(tx, ground, { name, tiers: [] }, most);
  if ((await known).some(({ isPaused, perKeys }) => isPaused || perKeys.length > 0)) throw new NeedsCare();
  return note(
    tx,
    ground,
    fetched.map((claim) => ({ name, claim })),
  );
}

async function claimIn(
  tx: Transaction,
  ground: Ground,
  request: ClaimRequest,
  isAllLocked: boolean,
): Promise<Taken> {
  const { rooms, rates } = await findRoom(tx, ground, request, isAllLocked);
  const raw: Raw[] = [];
  const share = await shares(tx, ground, request.limit, rooms);
  const ready = share === undefined ? Infinity : [...share.values()].reduce((sum, count) => sum + count, 0);
  const hasTiers = rooms.some(({ tiers }) => tiers.length > 0);
  let left = request.limit;
  // First each name's share of what is ready; then, where that was less than it seemed (others were faster, keys were
  // busy), whatever is there.
  for (let round = 0, before = -1; left > 0 && raw.length > before; round++) {
    before = raw.length;
    for (const room of rooms) {
      const most = Math.min(left, room.limit, round === 0 ? (share?.get(room.name) ?? Infinity) : Infinity);
      if (most <= 0) continue;
      const found = await fetch(tx, ground, room, most);
      for (const claim of found) raw.push({ name: room.name, claim });
      room.limit -= found.length;
      left -= found.length;
    }
    // Without keys another look finds no more than the first has found, but where others were faster.
    if (!hasTiers && (rooms.length === 1 || raw.length === ready || round > 0)) break;
  }
  rates.record(tx, ground, raw);
  return { ...note(tx, ground, raw), ...rates.nextIn() };
}

interface NameRow extends Row {
  readonly name: string;
  readonly isPaused: boolean;
  readonly perKeys: readonly number[];
}

/** What is known of names: of most, nothing. `` is all of them. */
function look(tx: Transaction, { schema }: Ground, names: readonly string[]): Promise<NameRow[]> {
  return tx.query<NameRow>(
    `SELECT name, is_paused AS "isPaused", per_keys AS "perKeys" FROM ${schema}.holdfast_name
     WHERE name = ANY($1::text[]) OR name = ''`,
    [names.map(toText)],
  );
}

/** The names that may be claimed, and how many of each. What needs it is locked until the commit. */
async function findRoom(
  tx: Transaction,
  ground: Ground,
  { names }: ClaimRequest,
  isAllLocked: boolean,
): Promise<{ rooms: Room[]; rates: Rates }> {
  const { schema, queues } = ground;
  const asked = names.map(({ name }) => name);
  const rows = await look(tx, ground, asked);
  const known = new Map(rows.map((row) => [fromText(row.name), row]));
  if (known.get("")?.isPaused === true) return { rooms: [], rates: takeNone };
  const open = names.filter(({ name }) => known.get(name)?.isPaused !== true);
  const tiersOf = (name: string): readonly number[] => known.get(name)?.perKeys ?? [];
  const locked = open.filter(
    ({ name, rate }) => isAllLocked || rate !== undefined || tiersOf(name).length > 0,
  );
  if (locked.length > 0)
    await tx.query("SELECT pg_advisory_xact_lock(hashtextextended(name, 2)) FROM unnest($1::text[]) name", [
      locked.map(({ name }) => `${schema} ${queues.of(name)}`).toSorted(),
    ]);
  const rates = await takeRates(tx, schema, open);
  const rooms = open.map(({ name, limit }) => ({
    name,
    limit: Math.min(limit, rates.allowed(name)),
    tiers: isAllLocked && tiersOf(name).length === 0 ? [1] : tiersOf(name),
  }));
  return { rooms: rooms.filter(({ limit }) => limit > 0), rates };
}

const takeNone: Rates = { allowed: () => 0, record: () => undefined, nextIn: () => ({}) };

/** How many of each name are among the first ones of all. Undefined where there is but one name. */
async function shares(
  tx: Transaction,
  { schema, queues }: Ground,
  limit: number,
  rooms: readonly Room[],
): Promise<Map<string, number> | undefined> {
  if (rooms.length < 2) return undefined;
  const rows = await tx.query<Row & { at: number; count: number }>(
    `SELECT at, count(*)::int AS count FROM (
       SELECT n.at FROM unnest($1::text[], $2::int[]) WITH ORDINALITY AS n (name, most, at) CROSS JOIN LATERAL (
         SELECT j.priority, j.id FROM ${schema}.job j
         WHERE j.name = n.name AND j.state < 'active' AND NOT j.blocked AND j.start_after <= now()
         ORDER BY j.priority DESC, j.created_on LIMIT n.most) j
       ORDER BY j.priority DESC, j.id LIMIT $3) first
     GROUP BY at`,
    [rooms.map(({ name }) => queues.of(name)), rooms.map((room) => Math.min(room.limit, limit)), limit],
  );
  const share = new Map(rooms.map(({ name }) => [name, 0]));
  for (const { at, count } of rows) {
    const room = rooms[Number(at) - 1];
    if (room !== undefined) share.set(room.name, count);
  }
  return share;
}

async function fetch(
  tx: Transaction,
  ground: Ground,
  { name, tiers }: Pick<Room, "name" | "tiers">,
  most: number,
): Promise<BossClaim[]> {
  const { done } = await tx.issue((options) =>
    ground.boss.fetch(ground.queues.of(name), {
      ...options,
      batchSize: most,
      ...(tiers.length === 0
        ? {}
        : {
            groupConcurrency: {
              default: Math.min(...tiers),
              tiers: Object.fromEntries(tiers.map((tier) => [String(tier), tier])),
            },
          }),
    }),
  );
  const found = await done;
  if (tiers.length === 0 && found.some(({ groupId }) => groupId !== null)) throw new NeedsCare();
  return found;
}

interface ClaimedRow extends Row {
  readonly id: string;
  readonly token: number;
  readonly input: string;
  readonly key: string | null;
  readonly priority: number;
  readonly createdAt: number;
  readonly failures: number;
  readonly schedule: string | null;
  readonly isCancelling: boolean;
  readonly expiresAt: number | null;
}

/** Notes in the side tables who runs them, and asks there what they are; the commit need not wait for the answers. */
function note(tx: Transaction, ground: Ground, raw: readonly Raw[]): Taken {
  if (raw.length === 0) return { raw, rows: Promise.resolve([]), steps: Promise.resolve([]) };
  const { schema, context, leaseSeconds, queues } = ground;
  const ids = raw.map(({ claim }) => claim.id);
  // Who has enqueued it may have had another length of a lease in mind.
  if (raw.some(({ claim }) => claim.heartbeatSeconds !== leaseSeconds))
    tx.send(
      `UPDATE ${schema}.job SET heartbeat_seconds = $3 WHERE name = ANY($1::text[]) AND id = ANY($2::uuid[])`,
      [[...new Set(raw.map(({ name }) => queues.of(name)))], ids, leaseSeconds],
    );
  // An attempt that is still open here was ended by pg-boss's supervisor, which somebody else runs on this schema.
  const rows = tx.query<ClaimedRow>(
    `UPDATE ${schema}.holdfast_job r SET
       token = c.token, worker = $3, started_at = ${wallNow}, run_at = NULL,
       lapses = CASE WHEN r.worker IS NULL THEN r.lapses ELSE r.lapses + 1 END,
       attempts = CASE WHEN r.worker IS NULL THEN r.attempts ELSE r.attempts || (
         '{"attempt":' || r.token || ',"worker":' || to_json(r.worker) || ',"startedAt":' || r.started_at::bigint ||
         ',"endedAt":' || ${wallNow}::bigint || ',"end":"lapsed"}') END
     FROM unnest($1::uuid[], $2::int[]) AS c (id, token)
     WHERE r.id = c.id AND r.ended IS NULL AND (r.expires_at IS NULL OR r.expires_at > ${wallNow})
     RETURNING r.id, r.token, r.input, r.key, r.priority, r.created_at AS "createdAt", r.failures, r.schedule,
       r.cancelling IS NOT NULL AS "isCancelling"`,
    [ids, raw.map(({ claim }) => claim.retryCount + 1), toText(context.worker)],
  );
  const again = raw.filter(({ claim }) => claim.retryCount > 0).map(({ claim }) => claim.id);
  const steps =
    again.length === 0
      ? Promise.resolve([])
      : tx.query<StepRow>(
          `SELECT id, name, value, at FROM ${schema}.holdfast_step WHERE id = ANY($1::uuid[]) ORDER BY number`,
          [again],
        );
  return { raw, rows: tx.keep(rows), steps: tx.keep(steps) };
}

interface StepRow extends Row, StoredStep {
  readonly id: string;
}

/** What was claimed, once the commit is through. */
async function describe(ground: Ground, taken: Taken): Promise<Claimed> {
  const nameOf = new Map(taken.raw.map(({ name, claim }) => [claim.id, name]));
  const rows = await taken.rows;
  const steps = grouped(await taken.steps, ({ id }) => id);
  const jobs = rows.map((row): ClaimedJob => {
    const name = nameOf.get(row.id) as string;
    ground.claimed.set(row.id, name);
    return {
      id: row.id,
      token: row.token,
      name,
      input: row.input,
      ...(row.key === null ? {} : { key: fromText(row.key) }),
      priority: row.priority,
      createdAt: row.createdAt,
      attempt: row.token,
      failures: row.failures,
      steps: (steps.get(row.id) ?? []).map((step) => ({
        name: fromText(step.name),
        value: step.value,
        at: step.at,
      })),
      ...(row.schedule === null ? {} : { schedule: JSON.parse(row.schedule) as StoredSchedule }),
      isCancelling: row.isCancelling,
    };
  });
  const hasEnded =
    rows.length < nameOf.size &&
    (await ground.database.transaction((tx) => endOthers(tx, ground, nameOf, rows)));
  return {
    jobs: jobs.toSorted(byTurn),
    // What was in the way is away now.
    ...(hasEnded && jobs.length === 0 ? { nextIn: 0 } : given({ nextIn: taken.nextIn })),
    hasEnded,
  };
}

/** Ids sort as the jobs were enqueued. */
function byTurn(a: ClaimedJob, b: ClaimedJob): number {
  return b.priority - a.priority || (a.id < b.id ? -1 : 1);
}

/** What pg-boss has given though its time is over: it fails. */
async function endOthers(
  tx: Transaction,
  ground: Ground,
  nameOf: ReadonlyMap<string, string>,
  taken: readonly { readonly id: string }[],
): Promise<boolean> {
  const { schema, queues } = ground;
  const rest = new Map(nameOf);
  for (const { id } of taken) rest.delete(id);
  const ids = [...rest.keys()];
  const expired = await tx.query<Row & { id: string; expiresAt: number }>(
    `SELECT id, expires_at AS "expiresAt" FROM ${schema}.holdfast_job
     WHERE id = ANY($1::uuid[]) AND ended IS NULL`,
    [ids],
  );
  const errors = expired.map(({ id, expiresAt }) => ({ id, error: JSON.stringify(expiredInfo(expiresAt)) }));
  const rows = await tx.query<Row & { id: string; name: string; key: string | null }>(
    `UPDATE ${schema}.holdfast_job r
     SET ended = 'failed', worker = NULL, ended_at = ${wallNow}, error = s.error, run_at = NULL, remove_at = ${wallNow} + keep_failed
     FROM json_to_recordset($1::text::json) AS s (id uuid, error text) WHERE r.id = s.id
     RETURNING r.id, r.name, r.key`,
    [JSON.stringify(errors)],
  );
  dropKeys(tx, ground, rows);
  // What the side tables do not know, somebody else has sent to this queue: it is not run, and not lost silently.
  for (const [name, some] of grouped(ids, (id) => rest.get(id) as string))
    await failForGood(tx, ground, queues.of(name), some);
  return rows.length > 0;
}
