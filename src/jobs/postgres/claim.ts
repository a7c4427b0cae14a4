import type { ClaimRequest } from "../engine.ts";
import type { Row, Transaction, Within } from "./database.ts";
import type { BossClaim } from "./driver.ts";
import type { Ground } from "./ground.ts";
import { describe, noteEach, notingFetch, type Claimed, type Raw, type Taken } from "./note.ts";
import { takeRates, type Rates } from "./rates.ts";
import { fromText, toText } from "./text.ts";
import { isRefusal } from "./trouble.ts";

interface Room {
  readonly name: string;
  limit: number;
  readonly tiers: readonly number[];
}

/**
 * pg-boss has an index in the order in which jobs are due. Of a table that has just grown, Postgres does not know that
 * reading it from the front is less than sorting all of it; statistics come once a minute.
 */
const settings = ["enable_sort = off", "enable_bitmapscan = off"];

/** What makes a connection one for claims. */
export const claiming = settings.map((setting) => `SET ${setting}`).join("; ");

/** The beginning of a claim on any other. */
const begin = ["BEGIN", ...settings.map((setting) => `SET LOCAL ${setting}`)].join("; ");

/** Something has to be known, or locked, before jobs of this name are claimed. */
class NeedsCare extends Error {}

/** Claims within one transaction. */
export async function claimJobs(ground: Ground, request: ClaimRequest): Promise<Claimed> {
  const { careful } = ground;
  const [only, ...others] = request.names;
  if (only !== undefined && others.length === 0 && only.rate === undefined && !careful.has(only.name)) {
    const most = Math.min(request.limit, only.limit);
    if (most <= 0) return { jobs: [], hasEnded: false };
    try {
      return await describe(ground, await claimAtOnce(ground, only.name, most));
    } catch (error) {
      if (!needsCare(error)) throw error;
      // From now on it is looked first.
      careful.add(only.name);
    }
  }
  try {
    return await describe(ground, await claimWithCare(ground, request, false));
  } catch (error) {
    if (!needsCare(error)) throw error;
    // The first of its name with a key was stored in this very moment: again, with the lock.
    return describe(ground, await claimWithCare(ground, request, true));
  }
}

function needsCare(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return error instanceof NeedsCare || cause instanceof NeedsCare || isRefusal(cause);
}

/**
 * Fetches, and notes what was fetched, in one statement. Where the name is paused, or has keys, which need more than
 * that, it is refused, and with it all is taken back.
 */
function claimAtOnce(ground: Ground, name: string, most: number): Promise<Taken> {
  const { claims, database } = ground;
  const work = async (tx: Transaction): Promise<Taken> => {
    const { done } = await fetch<NotedClaim>(
      tx,
      ground,
      { name, tiers: [] },
      most,
      notingFetch(ground, name),
    );
    return { raw: tx.keep(done.then((found) => found.map((claim) => ({ name, claim, row: claim.row })))) };
  };
  return claims === undefined ? database.transaction(work, begin) : claims.single(work);
}

/** The same for whatever it is, in as many statements as that takes. */
function claimWithCare(ground: Ground, request: ClaimRequest, isAllLocked: boolean): Promise<Taken> {
  const { claims, database } = ground;
  const work = (tx: Transaction): Promise<Taken> => claimIn(tx, ground, request, isAllLocked);
  return claims === undefined ? database.transaction(work, begin) : claims.transaction(work);
}

type NotedClaim = BossClaim & Pick<Raw, "row">;

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
      const { done } = await fetch(tx, ground, room, most);
      const found = await done;
      // Those of a key need the lock.
      if (room.tiers.length === 0 && found.some(({ groupId }) => groupId !== null)) throw new NeedsCare();
      for (const claim of found) raw.push({ name: room.name, claim, row: null });
      room.limit -= found.length;
      left -= found.length;
    }
    // Without keys another look finds no more than the first has found, but where others were faster.
    if (!hasTiers && (rooms.length === 1 || raw.length === ready || round > 0)) break;
  }
  rates.record(tx, ground, raw);
  if (raw.length === 0) return { raw: Promise.resolve(raw), ...rates.nextIn() };
  const noted = tx.keep(
    noteEach(tx, ground, raw).then((found) => {
      const rows = new Map(found.map((row) => [row.id, row]));
      return raw.map((one) => ({ ...one, row: rows.get(one.claim.id) ?? null }));
    }),
  );
  return { raw: noted, ...rates.nextIn() };
}

interface NameRow extends Row {
  readonly name: string;
  readonly isPaused: boolean;
  readonly perKeys: readonly number[];
}

/** What is known of names: of most, nothing. `` is all of them. */
function look(tx: Transaction, { schema }: Ground, names: readonly string[]): Promise<NameRow[]> {
  return tx.again<NameRow>(
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

function fetch<C extends BossClaim = BossClaim>(
  tx: Transaction,
  ground: Ground,
  { name, tiers }: Pick<Room, "name" | "tiers">,
  most: number,
  within?: Within,
): Promise<{ readonly done: Promise<C[]> }> {
  return tx.issue(
    (options) =>
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
      }) as Promise<C[]>,
    within,
  );
}
