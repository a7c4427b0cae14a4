import type { Enqueued, NewJob } from "../engine.ts";
import { EngineError } from "../errors.ts";
import { Transaction } from "./database.ts";
import type { PgQueryable } from "./driver.ts";
import { store } from "./enqueue.ts";
import type { Ground } from "./ground.ts";
import { toEngineError } from "./trouble.ts";

/**
 * Stores jobs in a transaction of the user's: with a client of `pg`, or an executor as pg-boss knows it. A savepoint
 * takes back what was stored of a batch that is refused, and leaves the user's transaction as usable as it was.
 */
export async function storeWith(
  client: unknown,
  ground: Ground,
  jobs: readonly NewJob[],
): Promise<readonly Enqueued[]> {
  const queryable = toQueryable(client, ground.name);
  const tx = new Transaction(queryable);
  let isInside = false;
  try {
    await queryable.query("SAVEPOINT holdfast");
    isInside = true;
    const stored = await store(tx, ground, jobs);
    await tx.settled();
    await queryable.query("RELEASE SAVEPOINT holdfast");
    return stored;
  } catch (error) {
    await tx.quiet();
    if (isInside) await takeBack(queryable);
    if (error instanceof Error && "code" in error && String(error.code).startsWith("HF_")) throw error;
    throw toEngineError(ground.name, error);
  }
}

async function takeBack(queryable: PgQueryable): Promise<void> {
  try {
    await queryable.query("ROLLBACK TO SAVEPOINT holdfast");
  } catch {
    // The connection is gone, and the transaction with it: the caller is told by the first error.
  }
}

function toQueryable(client: unknown, engine: string): PgQueryable {
  const { query, executeSql } = (client ?? {}) as { query?: unknown; executeSql?: unknown };
  if (typeof query === "function") return client as PgQueryable;
  if (typeof executeSql === "function") {
    const executor = client as { executeSql: PgQueryable["query"] };
    return { query: (text, values) => executor.executeSql(text, values) };
  }
  throw new EngineError(
    "HF_ENGINE_CANNOT",
    engine,
    "client has neither query() of pg nor executeSql() of pg-boss: give what runs statements within your transaction",
  );
}
