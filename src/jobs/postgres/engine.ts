import { randomBytes } from "node:crypto";

import { badOption, toCount } from "../../core/duration.ts";
import type { Engine, EngineCapabilities, EngineContext, JobStore } from "../engine.ts";
import { EngineError } from "../errors.ts";
import { claiming } from "./claim.ts";
import { Database } from "./database.ts";
import { loadDrivers, type Boss, type Drivers, type OwnPool, type PgPool } from "./driver.ts";
import type { Ground } from "./ground.ts";
import { Ids } from "./ids.ts";
import { Queues } from "./queues.ts";
import { migrate } from "./schema.ts";
import { Signals } from "./signals.ts";
import { PostgresStore } from "./store.ts";
import { digest } from "./text.ts";
import { toEngineError } from "./trouble.ts";

/** Where jobs are kept. Give one of `connectionString` and `pool`. */
export interface PostgresOptions {
  /** As `pg` takes it: `postgres://user@host/database`. */
  readonly connectionString?: string;
  /**
   * A `pg.Pool` of your own, which is not ended. One of its connections is used to listen, so that a connection that
   * goes through a pooler in transaction mode will not do.
   */
  readonly pool?: PgPool;
  /**
   * The schema of the database that holds pg-boss's tables and holdfast's: lower-case letters, digits and `_`.
   * @default "holdfast"
   */
  readonly schema?: string;
  /**
   * How many connections are open at most, where no pool was given; one of them listens, and one claims.
   * @default 8
   */
  readonly connections?: number;
  /**
   * What `pg` is given besides, for a pool that is made here: `ssl`, `password` and the like.
   * @default {}
   */
  readonly pg?: Readonly<Record<string, unknown>>;
}

/** pg-boss counts leases in seconds, and takes none below ten. */
const minLease = 10_000;

const capabilities: EngineCapabilities = {
  transactions: true,
  concurrencyKeys: true,
  rates: true,
  replace: true,
  ordered: false,
  minLease,
};

/**
 * Keeps jobs in Postgres, in a queue of pg-boss's. It needs the packages `pg-boss` and `pg`, which are loaded when a
 * queue is opened.
 *
 * ```ts
 * const queue = await openQueue({ scope: app, engine: postgres("postgres://localhost/courier"), jobs: [deliver] });
 * ```
 *
 * Leases and delays are measured by the clock of the database server alone: a worker whose clock jumps neither loses
 * nor prolongs a lease. If the server's own clock jumps ahead, leases end early by as much, and are lost, not shared:
 * what then runs twice is still fenced. Throws `RangeError` for an option that cannot be.
 */
export function postgres(options: string | PostgresOptions): Engine {
  const {
    connectionString,
    pool,
    schema = "holdfast",
    connections = 8,
    pg = {},
  }: PostgresOptions = typeof options === "string" ? { connectionString: options } : (options ?? {});
  if ((connectionString === undefined) === (pool === undefined))
    // Never what was given: there may be a password in it.
    throw badOption(
      "connectionString",
      connectionString && "given with a pool",
      "a connection string, or a pool in place of it",
    );
  if (!/^[a-z_][a-z0-9_]{0,40}$/.test(schema))
    throw badOption("schema", schema, "lower-case letters, digits and _, at most 41");
  // One listens, and one starts while another ends.
  toCount(connections, "connections", 3);
  const name = `postgres ${connectionString === undefined ? "pool" : placeOf(connectionString)} ${schema}`;
  const makePool = (drivers: Drivers, max: number): OwnPool => {
    const made = drivers.makePool({
      connectionString,
      max,
      // Statements of one transaction go out together, without waiting for each other's answers.
      pipeline: true,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      connectionTimeoutMillis: 10_000,
      application_name: "holdfast",
      ...pg,
    });
    // A connection that breaks while it is idle is replaced by the pool; nobody waits for it.
    made.on("error", () => undefined);
    return made;
  };
  return {
    name,
    capabilities,
    open: (context) => open({ name, schema, pool, connections, makePool }, context),
  };
}

interface Opening {
  readonly name: string;
  readonly schema: string;
  readonly pool: PgPool | undefined;
  readonly connections: number;
  makePool(drivers: Drivers, max: number): OwnPool;
}

async function open(
  { name, schema, pool: given, connections, makePool }: Opening,
  context: EngineContext,
): Promise<JobStore> {
  if (context.lease < minLease)
    throw new EngineError(
      "HF_ENGINE_CANNOT",
      name,
      `a lease is ${minLease} ms or more, not ${context.lease}`,
    );
  const drivers = await loadDrivers(name);
  const own = given === undefined ? makePool(drivers, connections - 1) : undefined;
  const claimer = given === undefined ? makePool(drivers, 1) : undefined;
  // It goes ahead of whatever is asked. Where it fails, claims take longer.
  claimer?.on("connect", (client) => void client.query(claiming).catch(() => undefined));
  const pool = (given ?? own) as PgPool;
  const database = new Database(pool, name);
  const voice = randomBytes(6).toString("hex");
  const channel = `holdfast_${digest(schema).slice(0, 24)}`;
  const signals = new Signals(pool, channel, voice, context);
  const boss = makeBoss(drivers, database, schema, (error) => signals.trouble(error));
  const release = async (): Promise<void> => {
    await boss.stop({ close: false, graceful: false });
    await Promise.all([own?.end(), claimer?.end()]);
  };
  try {
    await migrate(database, boss, { engine: name, schema, bossSchema: drivers.bossSchema });
    const ids = new Ids(() => context.clock.now());
    await signals.start((ms, asked, answered) => ids.sync(ms, asked, answered));
    const leaseSeconds = Math.ceil(context.lease / 1000);
    const ground: Ground = {
      name,
      schema,
      leaseSeconds,
      context,
      database,
      claims: claimer && new Database(claimer, name),
      boss,
      queues: new Queues(database, schema, boss, leaseSeconds),
      ids,
      channel,
      voice,
      claimed: new Map(),
      careful: new Set(),
    };
    return new PostgresStore(ground, signals, release);
  } catch (error) {
    signals.close();
    await release();
    throw toEngineError(name, error);
  }
}

/** A pg-boss that does nothing by itself but to finish what its migrations have begun. */
function makeBoss(
  drivers: Drivers,
  database: Database,
  schema: string,
  trouble: (error: unknown) => void,
): Boss {
  const boss = drivers.makeBoss({
    db: { executeSql: (text: string, values?: unknown[]) => database.run(text, values) },
    schema,
    // Leases are swept by holdfast, with its tables in the same transaction, and records are removed by it.
    supervise: false,
    schedule: false,
    registerInstance: false,
    persistWarnings: false,
  });
  boss.on("error", trouble);
  boss.on("warning", () => undefined);
  return boss;
}

/** Where it is, without who asks and with which password. */
function placeOf(connectionString: string): string {
  try {
    const { host, pathname } = new URL(connectionString);
    return `${host}${pathname}`;
  } catch {
    // Such as `dbname=courier password=…`: nothing of it is safe to show.
    return "server";
  }
}
