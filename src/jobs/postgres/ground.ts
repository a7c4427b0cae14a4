import type { EngineContext, Lease } from "../engine.ts";
import type { Database, Row, Transaction } from "./database.ts";
import type { Boss } from "./driver.ts";
import type { Ids } from "./ids.ts";
import type { Queues } from "./queues.ts";
import { isOursRow } from "./stored.ts";
import { fromText, isId } from "./text.ts";

/** What all operations of one opening stand on. */
export interface Ground {
  /** Of the engine. */
  readonly name: string;
  readonly schema: string;
  /** How long a lease is, as pg-boss counts it. */
  readonly leaseSeconds: number;
  readonly context: EngineContext;
  readonly database: Database;
  /** A connection that is set up for claims. Undefined, where the pool is somebody else's: each claim says so itself. */
  readonly claims: Database | undefined;
  readonly boss: Boss;
  readonly queues: Queues;
  readonly ids: Ids;
  /** The channel of its notifications, and who says them. */
  readonly channel: string;
  readonly voice: string;
  /** The jobs that were claimed here. */
  readonly claimed: Map<string, Holding>;
  /** The names of jobs that were paused once, or have keys: what is known of them is read before they are claimed. */
  readonly careful: Set<string>;
}

/** What is known of a job that was claimed here. */
export interface Holding {
  /** pg-boss finds a job only by its queue and its id. */
  readonly name: string;
  readonly hasKey: boolean;
  /** It has a `concurrencyKey`. */
  readonly isGrouped: boolean;
  /** It has no row of holdfast's, as far as it is known here. */
  isPlain: boolean;
}

/** What was said: that jobs may be claimable, that one is to stop, that one has ended. */
export type Word = "jobs" | "cancel" | "end";

/** A moment of the database's as ms since the epoch. The wall clocks of workers are never asked. */
export function toMs(moment: string): string {
  return `floor(extract(epoch FROM ${moment}) * 1000)::float8`;
}

/** When the transaction began, which is when pg-boss has all of it happen. */
export const transactionNow = toMs("now()");

/** Whether the lease of a row `j` of pg-boss's table runs. Both are the database's clock. */
export const leaseRuns = "j.heartbeat_on + j.heartbeat_seconds * interval '1 second' > clock_timestamp()";

/** Tells the other openings, once this transaction is committed. */
export function say(tx: Transaction, { channel, voice }: Ground, word: Word): void {
  tx.send("SELECT pg_notify($1, $2)", [channel, `${word} ${voice}`]);
}

/** The names of jobs by their ids; those that were not claimed here are looked up. What does not exist is left out. */
export async function namesOf(
  { claimed, schema, database }: Ground,
  leases: readonly Pick<Lease, "id">[],
  from: Pick<Transaction, "query"> = database,
): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  const unknown: string[] = [];
  for (const { id } of leases) {
    const name = claimed.get(id)?.name;
    if (name !== undefined) names.set(id, name);
    else if (isId(id)) unknown.push(id);
  }
  if (unknown.length === 0) return names;
  const rows = await from.query<Row & { id: string; name: string }>(
    `SELECT j.id, n.name FROM ${schema}.holdfast_name n JOIN ${schema}.job j ON j.name = n.queue
     WHERE j.id = ANY($1::uuid[]) AND ${isOursRow}`,
    [unknown],
  );
  for (const { id, name } of rows) names.set(id, fromText(name));
  return names;
}

/** Things by what `of` says of them, in the order in which they came. */
export function grouped<T>(all: Iterable<T>, of: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const key = of(one);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return groups;
}
