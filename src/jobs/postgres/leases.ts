import type { Lease, LeaseState, Note, StoredStep } from "../engine.ts";
import type { Row } from "./database.ts";
import { grouped, leaseRuns, namesOf, type Ground } from "./ground.ts";
import { addRows } from "./rows.ts";
import { digest, isId, toText } from "./text.ts";

/** By id and token. */
export function leaseKey({ id, token }: Lease): string {
  return `${id}:${token}`;
}

/** How many lines of a job's log are kept. */
const keptLines = 200;

const keepNewest = `ON CONFLICT (id) DO UPDATE SET lines =
  (l.lines || excluded.lines)[greatest(1, cardinality(l.lines) + cardinality(excluded.lines) - ${keptLines - 1}):]`;

/** The rows `j` of pg-boss's table whose lease is given as `id:token` in $1, and runs. $2: their queues, $3: their ids. */
function held(schema: string): string {
  return `
    SELECT j.id, j.name, j.retry_count + 1 AS token FROM ${schema}.job j
    WHERE j.name = ANY($2::text[]) AND j.id = ANY($3::uuid[]) AND j.state = 'active' AND ${leaseRuns}
      AND (j.id::text || ':' || (j.retry_count + 1)::text) = ANY($1::text[])`;
}

async function fence(ground: Ground, leases: readonly Lease[]): Promise<[string[], string[], string[]]> {
  const known = leases.filter(({ id }) => isId(id));
  const names = await namesOf(ground, known);
  return [known.map(leaseKey), ground.queues.ofAll(names.values()), known.map(({ id }) => id)];
}

interface HeldRow extends Row {
  readonly id: string;
  readonly name: string;
  readonly token: number;
  readonly isCancelling: boolean;
}

/** What became of leases, without touching them. */
export async function checkLeases(ground: Ground, leases: readonly Lease[]): Promise<readonly LeaseState[]> {
  if (leases.length === 0) return [];
  const rows = await ground.database.query<HeldRow>(
    `SELECT h.*, r.cancelling IS NOT NULL AS "isCancelling"
     FROM (${held(ground.schema)}) h
       LEFT JOIN ${ground.schema}.holdfast_job r ON r.id = h.id AND r.id = ANY($3::uuid[])`,
    await fence(ground, leases),
  );
  return statesOf(ground, leases, rows);
}

/** Extends those that run. Their rows are locked when they are looked at: none ends before it is extended. */
export async function renewLeases(ground: Ground, leases: readonly Lease[]): Promise<readonly LeaseState[]> {
  if (leases.length === 0) return [];
  const values = await fence(ground, leases);
  const rows = await ground.database.transaction(async (tx) => {
    const found = await tx.query<HeldRow>(
      `WITH h AS MATERIALIZED (${held(ground.schema)} FOR UPDATE)
       SELECT h.*, r.cancelling IS NOT NULL AS "isCancelling"
       FROM h LEFT JOIN ${ground.schema}.holdfast_job r ON r.id = h.id AND r.id = ANY($3::uuid[])`,
      values,
    );
    for (const [queue, some] of grouped(found, ({ name }) => name)) {
      const attempts = some.map(({ id, token }) => ({ id, retryCount: token - 1 }));
      await tx.issue((options) => ground.boss.touch(queue, attempts, options));
    }
    return found;
  });
  return statesOf(ground, leases, rows);
}

function statesOf(
  { claimed }: Ground,
  leases: readonly Lease[],
  rows: readonly HeldRow[],
): readonly LeaseState[] {
  const found = new Map(rows.map((row) => [leaseKey(row), row]));
  return leases.map((lease) => {
    const row = found.get(leaseKey(lease));
    if (row === undefined) claimed.delete(lease.id);
    return row === undefined ? "lost" : row.isCancelling ? "cancel" : "held";
  });
}

/** Records a step, once. */
export async function recordStep(ground: Ground, lease: Lease, step: StoredStep): Promise<boolean> {
  if (!isId(lease.id)) return false;
  const rows = await ground.database.query(
    `WITH h AS MATERIALIZED (${held(ground.schema)} FOR UPDATE)
     INSERT INTO ${ground.schema}.holdfast_step (id, name, hash, value, at)
     SELECT h.id, $4, $5, $6, $7 FROM h ON CONFLICT DO NOTHING RETURNING id`,
    [...(await fence(ground, [lease])), toText(step.name), digest(step.name), step.value, step.at],
    true,
  );
  return rows.length > 0;
}

/** Notes what attempts say of themselves. */
export async function writeNotes(ground: Ground, notes: readonly Note[]): Promise<readonly boolean[]> {
  if (notes.length === 0) return [];
  const merged = [...grouped(notes, leaseKey).values()].flatMap((some) => {
    const [first] = some;
    if (first === undefined || !isId(first.id)) return [];
    const progress = some.findLast((note) => note.progress !== undefined)?.progress;
    return [
      {
        id: first.id,
        token: first.token,
        progress: progress === undefined ? undefined : JSON.stringify(progress),
        lines: some.flatMap(({ log = [] }) => log.map((line) => JSON.stringify(line))).slice(-keptLines),
      },
    ];
  });
  const values = await fence(ground, merged);
  const telling = merged.filter(({ progress }) => progress !== undefined).map(({ id }) => id);
  const rows = await ground.database.transaction(async (tx) => {
    const [, queues] = values;
    addRows(tx, ground, queues, telling);
    return tx.query<Row & { id: string; token: number }>(
      `WITH s AS (
         SELECT x.id, x.token, x.progress, ARRAY(SELECT json_array_elements_text(x.lines)) AS lines
         FROM json_to_recordset($4::text::json) AS x (id uuid, token int, progress text, lines json)
       ), h AS MATERIALIZED (${held(ground.schema)} FOR UPDATE),
       said AS (
         UPDATE ${ground.schema}.holdfast_job r SET progress = s.progress
         FROM h JOIN s USING (id, token) WHERE r.id = h.id AND r.id = ANY($3::uuid[]) AND s.progress IS NOT NULL
       ), logged AS (
         INSERT INTO ${ground.schema}.holdfast_log AS l (id, lines)
         SELECT h.id, s.lines FROM h JOIN s USING (id, token) WHERE cardinality(s.lines) > 0
         ${keepNewest}
       )
       SELECT id, token FROM h`,
      [...values, JSON.stringify(merged)],
    );
  });
  for (const id of telling) {
    const holding = ground.claimed.get(id);
    if (holding !== undefined) holding.isPlain = false;
  }
  const written = new Set(rows.map(leaseKey));
  return notes.map((note) => written.has(leaseKey(note)));
}

/** The statement that adds lines to the logs of jobs, whose fence was checked already. */
export function linesOf({ schema }: Ground, notes: readonly Note[]): [string, unknown[]] {
  const logs = notes.map(({ id, log = [] }) => ({
    id,
    lines: log.map((line) => JSON.stringify(line)).slice(-keptLines),
  }));
  return [
    `INSERT INTO ${schema}.holdfast_log AS l (id, lines)
     SELECT x.id, ARRAY(SELECT json_array_elements_text(x.lines))
     FROM json_to_recordset($1::text::json) AS x (id uuid, lines json)
     ${keepNewest}`,
    [JSON.stringify(logs)],
  ];
}
