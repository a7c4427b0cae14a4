import { EngineError } from "../errors.ts";
import type { Database } from "./database.ts";
import type { Boss } from "./driver.ts";

/** The version of the side tables; a change is a new entry in `migrations`. */
const migrations: readonly ((schema: string) => string)[] = [
  (s) => `
    -- Of jobs of which there is more to say than what they were enqueued with, and what pg-boss knows of all.
    CREATE TABLE ${s}.holdfast_job (
      id uuid PRIMARY KEY,
      queue text NOT NULL,
      key text,
      schedule text,
      schedule_name text,
      run_at float8,
      expires_at float8,
      -- expires_at, while it waits.
      expiry float8,
      token int NOT NULL DEFAULT 0,
      failures int NOT NULL DEFAULT 0,
      lapses int NOT NULL DEFAULT 0,
      worker text,
      started_at float8,
      attempts text[] NOT NULL DEFAULT '{}',
      cancelling text,
      waits_for uuid,
      is_blocking boolean NOT NULL DEFAULT false,
      ended text,
      error text,
      result text,
      progress text
    ) WITH (fillfactor = 50);
    CREATE INDEX holdfast_job_key ON ${s}.holdfast_job (md5(key), id) WHERE key IS NOT NULL;
    CREATE INDEX holdfast_job_schedule ON ${s}.holdfast_job (md5(schedule_name), id)
      WHERE schedule_name IS NOT NULL;
    CREATE INDEX holdfast_job_expiry ON ${s}.holdfast_job (expiry) WHERE expiry IS NOT NULL;
    CREATE INDEX holdfast_job_waits ON ${s}.holdfast_job (waits_for) WHERE waits_for IS NOT NULL;
    -- Who has claimed jobs that have no row above: one for all that a claim has found.
    CREATE TABLE ${s}.holdfast_claim (at timestamptz NOT NULL, queue text NOT NULL, worker text NOT NULL, ids uuid[] NOT NULL);
    CREATE INDEX holdfast_claim_at ON ${s}.holdfast_claim (at);
    -- When jobs that have ended are to be removed: one for all that end together, and are kept for as long.
    CREATE TABLE ${s}.holdfast_removal (
      number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at float8 NOT NULL, queue text NOT NULL, ids uuid[] NOT NULL);
    CREATE INDEX holdfast_removal_at ON ${s}.holdfast_removal (at);
    CREATE TABLE ${s}.holdfast_key (hash text PRIMARY KEY, id uuid NOT NULL);
    CREATE TABLE ${s}.holdfast_step (
      id uuid NOT NULL,
      number bigint GENERATED ALWAYS AS IDENTITY,
      name text NOT NULL,
      hash text NOT NULL,
      value text NOT NULL,
      at float8 NOT NULL,
      PRIMARY KEY (id, hash)
    );
    CREATE TABLE ${s}.holdfast_log (id uuid PRIMARY KEY, lines text[] NOT NULL);
    CREATE TABLE ${s}.holdfast_name (
      name text PRIMARY KEY,
      queue text,
      is_paused boolean NOT NULL DEFAULT false,
      per_keys int[] NOT NULL DEFAULT '{}'
    );
    CREATE TABLE ${s}.holdfast_start (name text NOT NULL, at timestamptz NOT NULL);
    CREATE INDEX holdfast_start_at ON ${s}.holdfast_start (name, at);
  `,
];

/**
 * Makes or migrates pg-boss's tables and the side tables, one process at a time. A schema that is newer than what this
 * process knows of either is left as it is.
 */
export async function migrate(
  database: Database,
  boss: Boss,
  { engine, schema, bossSchema }: { engine: string; schema: string; bossSchema: number },
): Promise<void> {
  await refuseNewer(database, engine, schema, bossSchema);
  // Held by a transaction around it all, on a connection of its own: it ends with that connection, whatever happens.
  await database.transaction(async (tx) => {
    await tx.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [`holdfast migrate ${schema}`]);
    await refuseNewer(database, engine, schema, bossSchema);
    await boss.start();
    await database.transaction(async (own) => {
      await own.query(`CREATE TABLE IF NOT EXISTS ${schema}.holdfast_version (version int NOT NULL)`);
      const [row] = await own.query<{ version: number }>(`SELECT version FROM ${schema}.holdfast_version`);
      const from = row?.version ?? 0;
      for (const migration of migrations.slice(from)) await own.query(migration(schema));
      // Each time: pg-boss's migrations may have made its table anew.
      await own.query(placeInLine(schema));
      if (row === undefined)
        await own.query(`INSERT INTO ${schema}.holdfast_version VALUES ($1)`, [migrations.length]);
      else if (from < migrations.length)
        await own.query(`UPDATE ${schema}.holdfast_version SET version = $1`, [migrations.length]);
    });
  });
}

async function refuseNewer(
  database: Database,
  engine: string,
  schema: string,
  bossSchema: number,
): Promise<void> {
  const tables = [
    ["holdfast_version", migrations.length, "holdfast"],
    ["version", bossSchema, "pg-boss"],
  ] as const;
  for (const [table, known, whose] of tables) {
    const [found] = await database.query<{ is: string | null }>("SELECT to_regclass($1) AS is", [
      `${schema}.${table}`,
    ]);
    if (found?.is === null || found === undefined) continue;
    const [row] = await database.query<{ version: number }>(`SELECT version FROM ${schema}.${table}`);
    if (row !== undefined && row.version > known)
      throw new EngineError(
        "HF_ENGINE_SCHEMA",
        engine,
        `its schema ${schema} is of version ${row.version} of ${whose}'s tables, and this process knows ${known}: update it`,
      );
  }
}

/**
 * pg-boss orders jobs by the moment of the transaction that stored them, which is one for all of a batch. Here it is the
 * moment of the row: the place of each job in the line, which it keeps when it comes back.
 */
function placeInLine(schema: string): string {
  return `
    CREATE OR REPLACE FUNCTION ${schema}.holdfast_place() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN NEW.created_on := clock_timestamp(); RETURN NEW; END $$;
    CREATE OR REPLACE TRIGGER holdfast_place BEFORE INSERT ON ${schema}.job
      FOR EACH ROW WHEN (NEW.state = 'created') EXECUTE FUNCTION ${schema}.holdfast_place()`;
}
