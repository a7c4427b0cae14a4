import type { ClaimName } from "../engine.ts";
import type { Row, Transaction } from "./database.ts";
import type { Ground } from "./ground.ts";
import { toText } from "./text.ts";

/** What the rates of the names of one claim still allow. */
export interface Rates {
  allowed(name: string): number;
  /** Notes what was claimed. */
  record(tx: Transaction, ground: Ground, claimed: readonly { readonly name: string }[]): void;
  /** In how many ms one of those that were used up allows another. */
  nextIn(): { readonly nextIn?: number };
}

/** Between the note and the moment when a job's worker hears of it lies a commit. */
const slack = 25;

/** Reads them, under the lock of their names. A window is measured by the database's clock. */
export async function takeRates(
  tx: Transaction,
  schema: string,
  names: readonly ClaimName[],
): Promise<Rates> {
  const rated = new Map(
    names.flatMap(({ name, rate }) => (rate === undefined ? [] : [[name, rate] as const])),
  );
  const allowed = new Map<string, number>();
  let nextIn = Infinity;
  for (const [name, { count, per }] of rated) {
    const rows = await tx.query<Row & { ago: number }>(
      `SELECT (extract(epoch FROM clock_timestamp() - at) * 1000)::float8 AS ago FROM ${schema}.holdfast_start
       WHERE name = $1 AND at > clock_timestamp() - $2 * interval '1 millisecond' ORDER BY at DESC LIMIT $3`,
      [toText(name), per + slack, count],
    );
    const free = count - rows.length;
    allowed.set(name, free);
    const oldest = rows.at(-1);
    if (free <= 0 && oldest !== undefined) nextIn = Math.min(nextIn, Math.max(1, per + slack - oldest.ago));
  }
  return {
    allowed: (name) => allowed.get(name) ?? Infinity,
    record: (inTx, ground, claimed) => {
      const started = claimed.map(({ name }) => name).filter((name) => rated.has(name));
      if (started.length === 0) return;
      inTx.send(
        `INSERT INTO ${ground.schema}.holdfast_start (name, at) SELECT name, clock_timestamp() FROM unnest($1::text[]) name`,
        [started.map(toText)],
      );
      for (const name of new Set(started)) {
        const rate = rated.get(name);
        if (rate === undefined) continue;
        inTx.send(
          `DELETE FROM ${ground.schema}.holdfast_start
           WHERE name = $1 AND at < clock_timestamp() - $2 * interval '1 millisecond'`,
          [toText(name), rate.per + slack],
        );
        if (started.filter((one) => one === name).length >= (allowed.get(name) ?? Infinity))
          nextIn = Math.min(nextIn, rate.per + slack);
      }
    },
    nextIn: () => (nextIn === Infinity ? {} : { nextIn: Math.ceil(nextIn) }),
  };
}
