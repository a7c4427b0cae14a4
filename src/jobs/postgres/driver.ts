import { createRequire } from "node:module";

import { EngineError } from "../errors.ts";

/** What runs a statement: a client of `pg`, or anything with such a method. */
export interface PgQueryable {
  /** It takes statements before those ahead of them are answered. */
  readonly pipeline?: boolean;
  /** Runs a statement. */
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/** How `pg` is to read an answer. */
export interface PgTypes {
  getTypeParser(): (text: string) => unknown;
}

/** A client that pipelines is one of `pg`, which prepares a statement that has a name. */
export interface PgPreparing {
  query(statement: {
    readonly name: string;
    readonly text: string;
    readonly values: unknown[];
    readonly types: PgTypes | undefined;
  }): Promise<{ rows: unknown[] }>;
  /** Where it writes to. */
  readonly connection?: { readonly stream?: { cork?(): void; uncork?(): void } };
}

/** The part of a pool's client that is used. */
export interface PgClient extends PgQueryable {
  /** Gives it back to its pool, or ends it. */
  release(destroy?: Error | boolean): void;
  /** Listens. */
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  /** Listens no more. */
  removeListener(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** The part of `pg.Pool` that is used. */
export interface PgPool {
  /** Lends a connection. */
  connect(): Promise<PgClient>;
}

/** A pool that this engine has made, and ends. */
export interface OwnPool extends PgPool {
  end(): Promise<void>;
  on(event: "error", listener: (error: unknown) => void): unknown;
  on(event: "connect", listener: (client: PgQueryable) => void): unknown;
}

/** What pg-boss asks of whoever runs its statements. */
export interface BossExecutor {
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/** By what pg-boss fences: the attempt that a claim began. */
interface BossAttempt {
  readonly id: string;
  readonly retryCount: number;
}

/** A job as pg-boss takes it. Times are ISO strings, lengths seconds. */
export interface BossJob {
  readonly id: string;
  readonly data: object;
  readonly priority?: number;
  readonly startAfter?: string;
  readonly group?: { readonly id: string; readonly tier: string };
}

/** A job as pg-boss claims it. */
export interface BossClaim extends BossAttempt {
  readonly data: unknown;
  readonly heartbeatSeconds: number | null;
  readonly groupId: string | null;
}

interface With {
  readonly db: BossExecutor;
}

/** The part of pg-boss that is used. */
export interface Boss {
  start(): Promise<unknown>;
  stop(options: { close: boolean; graceful: boolean }): Promise<void>;
  on(event: "error" | "warning", listener: (what: unknown) => void): unknown;
  createQueue(name: string, options: object): Promise<void>;
  insert(name: string, jobs: readonly BossJob[], options: With): Promise<unknown>;
  fetch(
    name: string,
    options: With & {
      batchSize: number;
      groupConcurrency?: { default: number; tiers: Record<string, number> };
    },
  ): Promise<BossClaim[]>;
  complete(name: string, jobs: readonly BossAttempt[], data: object | null, options: With): Promise<unknown>;
  fail(
    name: string,
    jobs: readonly BossAttempt[] | readonly string[],
    data: null,
    options: With,
  ): Promise<unknown>;
  cancel(name: string, jobs: readonly BossAttempt[] | readonly string[], options: With): Promise<unknown>;
  touch(name: string, jobs: readonly BossAttempt[], options: With): Promise<unknown>;
  retry(name: string, ids: readonly string[], options: With): Promise<unknown>;
  resume(name: string, ids: readonly string[], options: With): Promise<unknown>;
  deleteJob(name: string, ids: readonly string[], options: With): Promise<unknown>;
}

/** The two packages that this engine stands on, and the newest schema that this pg-boss knows. */
export interface Drivers {
  makeBoss(options: object): Boss;
  makePool(options: object): OwnPool;
  readonly bossSchema: number;
}

// Not as a literal: the compiler would read pg-boss's declarations, in which names are missing (12.38).
const bossPackage: string = "pg-boss";

/** Loads pg-boss and pg, which are optional peers. Rejects with `HF_ENGINE_UNAVAILABLE` where one is not installed. */
export async function loadDrivers(engine: string): Promise<Drivers> {
  try {
    const { PgBoss } = (await import(bossPackage)) as { PgBoss: new (options: object) => Boss };
    const pg = (await import("pg")) as unknown as {
      default: { Pool: new (options: object) => OwnPool };
    };
    const { pgboss } = createRequire(import.meta.url)("pg-boss/package.json") as {
      pgboss: { schema: number };
    };
    return {
      makeBoss: (options) => new PgBoss(options),
      makePool: (options) => new pg.default.Pool(options),
      bossSchema: pgboss.schema,
    };
  } catch (cause) {
    throw new EngineError(
      "HF_ENGINE_UNAVAILABLE",
      engine,
      "it stands on pg-boss 12.38 or newer and on pg, which could not be loaded: npm install pg-boss pg",
      cause,
    );
  }
}
