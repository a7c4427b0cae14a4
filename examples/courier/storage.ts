import { mkdir } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Duration } from "holdfast";
import type { Engine } from "holdfast/jobs";
import { sqlite } from "holdfast/jobs/sqlite";

import { SqliteStore } from "./store-sqlite.ts";
import type { Store } from "./store.ts";

/** Where courier keeps what must not be lost: in a folder of this machine, or in a Postgres. */
export type Place = { readonly data: string } | { readonly database: string };

/** What keeps it. */
export interface Storage {
  /** Of the deliveries. */
  readonly engine: Engine;
  /**
   * How long a delivery belongs to a courier that does not say that it lives. Short: after a kill -9, those that were
   * in flight wait for so long.
   */
  readonly lease: Duration;
  /** Of everything else. */
  readonly store: Store;
  /** For people; no secrets in it. */
  readonly where: string;
}

export async function openStorage(place: Place): Promise<Storage> {
  if ("database" in place) return openPostgres(place.database);
  await mkdir(place.data, { recursive: true });
  return {
    engine: sqlite(join(place.data, "jobs.db")),
    lease: "5s",
    store: new SqliteStore(join(place.data, "courier.db")),
    where: relative(process.cwd(), place.data) || ".",
  };
}

/** Loaded only here: nobody needs pg and pg-boss who has no database. */
async function openPostgres(database: string): Promise<Storage> {
  const { postgres } = await import("holdfast/jobs/postgres");
  const { PostgresStore } = await import("./store-postgres.ts");
  const { host, pathname } = new URL(database);
  return {
    engine: postgres(database),
    // The shortest that it can keep.
    lease: "10s",
    store: await PostgresStore.open(database),
    where: `Postgres at ${host}${pathname}`,
  };
}
