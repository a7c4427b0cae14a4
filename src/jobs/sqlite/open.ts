import { statSync } from "node:fs";
import { dirname } from "node:path";

import type { EngineContext } from "../engine.ts";
import { EngineError } from "../errors.ts";
import { type Database, loadDriver } from "./driver.ts";
import { isBusy, toEngineError } from "./failure.ts";
import { migrate, NEWEST_SCHEMA, schemaOf } from "./schema.ts";

/** What is opened, and how. */
export interface OpenOptions {
  readonly file: string;
  /** As it names itself. */
  readonly engine: string;
  readonly maxPages: number | undefined;
  readonly busyFor: number;
}

const PAUSE = 10;
/** A checkpoint each so many pages (of 4 KiB) of the log: a commit that does one takes some ms longer. */
const CHECKPOINT_PAGES = 2000;
/** To what the log is cut back after a checkpoint, in bytes: a burst must not keep the disk for ever. */
const MAX_LOG = 64 * 1024 * 1024;
/** Pages that the connection keeps in memory, in KiB (which SQLite wants negative). */
const CACHE = -32 * 1024;

/** Opens the file and makes its schema. Asks again for a while where another process holds the lock. */
export async function openDatabase(options: OpenOptions, { clock }: EngineContext): Promise<Database> {
  const { engine, busyFor } = options;
  const driver = loadDriver();
  if (driver === undefined)
    throw new EngineError("HF_ENGINE_UNAVAILABLE", engine, "this Node was built without node:sqlite");
  checkFolder(options);
  const since = clock.now();
  for (;;) {
    let db: Database | undefined;
    try {
      db = new driver.DatabaseSync(options.file);
      prepare(db, options, clock);
      return db;
    } catch (error) {
      db?.close();
      if (!isBusy(error) || clock.now() - since >= busyFor) throw toEngineError(engine, error);
    }
    await new Promise<void>((resolve) => {
      clock.later(PAUSE, resolve);
    });
  }
}

/** What SQLite has only "unable to open" for. */
function checkFolder({ file, engine }: OpenOptions): void {
  if (file === ":memory:") return;
  const folder = dirname(file);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new EngineError("HF_ENGINE_UNAVAILABLE", engine, `there is no folder ${folder}`);
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true)
    throw new EngineError("HF_ENGINE_UNAVAILABLE", engine, `${file} is a folder`);
}

function prepare(db: Database, { engine, maxPages }: OpenOptions, clock: EngineContext["clock"]): void {
  // To wait within SQLite would stop the event loop.
  db.exec("PRAGMA busy_timeout = 0");
  // Before anything is written: what is not ours stays as it is.
  let version = schemaOf(db, engine);
  db.exec("PRAGMA journal_mode = WAL");
  db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  db.exec(`PRAGMA journal_size_limit = ${MAX_LOG}`);
  db.exec(`PRAGMA cache_size = ${CACHE}`);
  db.exec("PRAGMA temp_store = MEMORY");
  if (maxPages !== undefined) db.exec(`PRAGMA max_page_count = ${Math.floor(maxPages)}`);
  if (version < NEWEST_SCHEMA) {
    db.exec("BEGIN IMMEDIATE");
    // Another process may have made it while this one waited for the lock.
    version = schemaOf(db, engine);
    migrate(db, version, clock.wall());
    db.exec("COMMIT");
  }
  endOldLeases(db, Math.floor(clock.now()));
}

/**
 * The monotonic clock begins anew with the machine. A lease that lies further ahead than it is long is from before that,
 * and its worker is gone: it ends now. Only an opening can meet such: no process outlives its machine.
 */
function endOldLeases(db: Database, now: number): void {
  const old = "phase = 6 AND lease_until - lease_ms > ?";
  if (db.prepare(`SELECT 1 FROM jobs WHERE ${old} LIMIT 1`).get(now) === undefined) return;
  db.prepare(`UPDATE jobs SET lease_until = ? WHERE ${old}`).run(now, now);
}
