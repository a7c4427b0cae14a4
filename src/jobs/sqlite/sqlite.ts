import { realpathSync } from "node:fs";
import { resolve } from "node:path";

import { badOption, toCount, toMs, toName } from "../../core/duration.ts";
import type { Duration } from "../../core/index.ts";
import type { Engine } from "../engine.ts";
import { toEngineError } from "./failure.ts";
import { openDatabase } from "./open.ts";
import { SqliteStore } from "./store.ts";

/** Options of `sqlite`. */
export interface SqliteOptions {
  /**
   * What an acknowledgement means. `full`: what was acknowledged survives a loss of power. `normal`: it survives the
   * death of the process, `kill -9` included; a loss of power may take back the newest moments, and leaves the file
   * whole. Leases and notes are kept as with `normal` either way: a claim that a loss of power takes back was that of a
   * process that died of it, too.
   * @default "full"
   */
  readonly durability?: "full" | "normal";
  /**
   * How large the file may grow, in pages of 4 KiB. What finds no room rejects with `HF_ENGINE_FULL`.
   * @default as large as the disk lets it
   */
  readonly maxPages?: number;
  /**
   * How long to ask for the lock of the file, where another process holds it. What does not get it rejects with
   * `HF_ENGINE_BUSY`.
   * @default "10s"
   */
  readonly busyFor?: Duration;
}

/** Below that, a slow disk would end leases. */
const MIN_LEASE = 100;

/**
 * Keeps jobs in a SQLite file, with what Node brings along: no server, nothing to install. Any number of processes of
 * one machine may open it; a network file system will not do. `:memory:` keeps them in this process alone. Throws
 * `RangeError` for an option that cannot be.
 *
 * It cannot take part in a transaction of yours (`capabilities.transactions` is false): it writes through a connection
 * of its own, as only so all that is begun in one turn can share one commit.
 *
 * @example
 * const queue = await openQueue({ scope: app, engine: sqlite("jobs.db"), jobs: [deliver] });
 */
export function sqlite(file: string, options: SqliteOptions = {}): Engine {
  const isInMemory = toName(file, "file") === ":memory:";
  const path = isInMemory ? file : resolve(file);
  const name = `sqlite ${path}`;
  const { durability = "full", maxPages } = options;
  if (durability !== "full" && durability !== "normal")
    throw badOption("durability", durability, '"full" or "normal"');
  const busyFor = toMs(options.busyFor ?? "10s", "busyFor");
  if (maxPages !== undefined) toCount(maxPages, "maxPages", 1);
  return {
    name,
    capabilities: {
      transactions: false,
      concurrencyKeys: true,
      rates: true,
      replace: true,
      ordered: true,
      minLease: MIN_LEASE,
    },
    async open(context) {
      const db = await openDatabase({ file: path, engine: name, busyFor, maxPages }, context);
      try {
        const real = isInMemory ? undefined : realpathSync(path);
        const isDurable = durability === "full" && !isInMemory;
        return new SqliteStore(db, { engine: name, file: real, isDurable, busyFor }, context);
      } catch (error) {
        db.close();
        throw toEngineError(name, error);
      }
    },
  };
}
