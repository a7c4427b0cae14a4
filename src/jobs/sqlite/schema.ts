import { EngineError } from "../errors.ts";
import { type Database, rowOf } from "./driver.ts";

/** Marks the file as ours, for `file(1)` and for us: "HFJ1". */
const APPLICATION_ID = 0x48464a31;

/**
 * What made the schema what it is, one after another; each runs once, in a transaction. What has been released is never
 * changed: a change is a new one at the end.
 *
 * A job is one row, which its success writes three times: at its enqueue, its claim, its end. So what every job has
 * stands in the row, the running attempt included; what only some have stands in tables of their own. The columns that a
 * claim and an end write are filled from the start with what is as long: a row that does not grow is written in its
 * place, and one that grows, in a page that is full, costs several times as much. The indexes hold
 * only those jobs that they are for, so that a claim costs the same whether a thousand jobs have ended or a million.
 * `phase` is explained in phases.ts.
 */
const migrations: readonly string[] = [
  `
  CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY,
    phase INTEGER NOT NULL,
    name TEXT NOT NULL,
    priority REAL NOT NULL,
    created_at INTEGER NOT NULL,      -- ms since the epoch, as all that ends in _at
    run_at INTEGER,                   -- only while it is delayed
    expires_at INTEGER,
    key TEXT,
    replaced INTEGER NOT NULL DEFAULT 0, -- a newer job has its key, and waits for its end
    behind INTEGER,                   -- the job whose end it waits for
    ckey TEXT,                        -- concurrency key
    most INTEGER,                     -- how many of that key may run at once
    max_lapses INTEGER NOT NULL,
    keep_ok INTEGER,                  -- ms; absent: for ever
    keep_bad INTEGER,
    schedule TEXT,
    cron TEXT,
    zone TEXT,
    attempt INTEGER NOT NULL DEFAULT 0, -- how many have begun; is the token of the newest claim, too
    failures INTEGER NOT NULL DEFAULT 0,
    lapses INTEGER NOT NULL DEFAULT 0,
    worker TEXT NOT NULL,             -- of the newest attempt; before the first: who stored it
    started_at INTEGER NOT NULL,      -- of the newest attempt; before the first: when it was stored
    lease_until INTEGER NOT NULL,     -- ms on the monotonic clock of the machine; of no meaning where it does not run
    lease_ms INTEGER NOT NULL,        -- how long that lease was when it was given
    cancel TEXT,                      -- JSON: why it is asked to stop
    ended_at INTEGER NOT NULL,        -- of no meaning where it has not ended
    gone_at INTEGER,                  -- the same: when it may be removed; absent: never
    error TEXT,                       -- JSON
    progress TEXT,                    -- JSON
    result TEXT,                      -- JSON
    input TEXT NOT NULL               -- JSON; last, as it may be long
  ) STRICT;
  CREATE INDEX jobs_ready ON jobs (name, priority DESC, seq) WHERE phase = 3;
  CREATE INDEX jobs_delayed ON jobs (run_at) WHERE phase = 2;
  CREATE INDEX jobs_behind ON jobs (behind) WHERE phase = 5;
  CREATE INDEX jobs_running ON jobs (lease_until) WHERE phase = 6;
  CREATE INDEX jobs_keyed ON jobs (name, ckey, phase, priority DESC, seq) WHERE ckey IS NOT NULL AND phase IN (3, 4);
  CREATE UNIQUE INDEX jobs_unique ON jobs (name, key) WHERE key IS NOT NULL AND phase < 7 AND replaced = 0;
  CREATE INDEX jobs_expiring ON jobs (expires_at) WHERE expires_at IS NOT NULL AND phase < 6;
  CREATE INDEX jobs_gone ON jobs (gone_at) WHERE phase > 6 AND gone_at IS NOT NULL;
  CREATE INDEX jobs_bad ON jobs (phase, seq) WHERE phase > 7;
  CREATE INDEX jobs_by_key ON jobs (key, seq) WHERE key IS NOT NULL;
  CREATE INDEX jobs_by_schedule ON jobs (schedule, seq) WHERE schedule IS NOT NULL;

  -- Attempts that ended otherwise than well. One that succeeded is the last, and stands in the row of its job.
  CREATE TABLE attempts (
    seq INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    worker TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    end TEXT NOT NULL,
    error TEXT,
    awaiting TEXT,
    PRIMARY KEY (seq, attempt)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE steps (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, value TEXT NOT NULL) STRICT;
  CREATE UNIQUE INDEX steps_unique ON steps (seq, name);
  CREATE TABLE logs (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, at INTEGER NOT NULL, attempt INTEGER NOT NULL, text TEXT NOT NULL) STRICT; -- text: JSON
  CREATE INDEX logs_by_job ON logs (seq, id);

  -- Concurrency keys that have unfinished jobs. taken: of these, how many are ready or running.
  CREATE TABLE places (
    name TEXT NOT NULL,
    ckey TEXT NOT NULL,
    open INTEGER NOT NULL,
    taken INTEGER NOT NULL,
    most INTEGER NOT NULL,
    PRIMARY KEY (name, ckey)
  ) STRICT, WITHOUT ROWID;
  -- Claims of names that have a rate; ms on the monotonic clock.
  CREATE TABLE starts (name TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
  CREATE INDEX starts_by_name ON starts (name, at);
  -- '=name', or '*' for all.
  CREATE TABLE paused (what TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  CREATE TABLE counts (
    name TEXT PRIMARY KEY,
    queued INTEGER NOT NULL,
    running INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    cancelled INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  -- The next job's seq: never used twice, though the newest job be removed.
  CREATE TABLE sequence (next INTEGER NOT NULL) STRICT;
  INSERT INTO sequence VALUES (1);
  `,
];

/** The newest schema that this holdfast knows. */
export const NEWEST_SCHEMA = migrations.length;

/**
 * The schema of a file: 0 where it is empty.
 *
 * @throws EngineError where the file is somebody else's, or newer than this holdfast. Nothing has been written then.
 */
export function schemaOf(db: Database, engine: string): number {
  const mark = rowOf<{ application_id: number }>(db.prepare("PRAGMA application_id"))?.application_id;
  const tables = rowOf<{ n: number }>(db.prepare("SELECT count(*) AS n FROM sqlite_schema"))?.n ?? 0;
  if (tables === 0) return 0;
  if (mark !== APPLICATION_ID)
    throw new EngineError(
      "HF_ENGINE_SCHEMA",
      engine,
      "the database has tables, and none of holdfast's: give jobs a file of their own. It was left as it is",
    );
  const version = rowOf<{ v: number }>(db.prepare("SELECT max(version) AS v FROM schema"))?.v ?? 0;
  if (version > NEWEST_SCHEMA)
    throw new EngineError(
      "HF_ENGINE_SCHEMA",
      engine,
      `its schema has version ${version}, and this holdfast knows ${NEWEST_SCHEMA}: update holdfast. It was left as it is`,
    );
  return version;
}

/** Makes the schema, or what it lacks. To be called within a transaction. */
export function migrate(db: Database, from: number, wall: number): void {
  if (from === 0) {
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    db.exec("CREATE TABLE schema (version INTEGER PRIMARY KEY, made_at INTEGER NOT NULL) STRICT");
  }
  const made = db.prepare("INSERT INTO schema (version, made_at) VALUES (?, ?)");
  for (const [at, sql] of migrations.entries()) {
    if (at < from) continue;
    db.exec(sql);
    made.run(at + 1, wall);
  }
}
