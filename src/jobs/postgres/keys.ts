import type { Transaction } from "./database.ts";
import type { Ground } from "./ground.ts";
import { digest, fromText } from "./text.ts";

/** Gives back the keys of jobs that have ended, where they still hold them. */
export function dropKeys(
  tx: Transaction,
  { schema }: Ground,
  jobs: readonly { readonly id: string; readonly name: string; readonly key: string | null }[],
): void {
  const keyed = jobs.flatMap(({ id, name, key }) =>
    key === null ? [] : [{ id, hash: keyHash(fromText(name), fromText(key)) }],
  );
  if (keyed.length === 0) return;
  tx.send(
    `DELETE FROM ${schema}.holdfast_key k USING json_to_recordset($1::text::json) AS s (id uuid, hash text)
     WHERE k.hash = s.hash AND k.id = s.id`,
    [JSON.stringify(keyed)],
  );
}

/** Under what a key is taken. */
export function keyHash(name: string, key: string): string {
  return digest(name, key);
}
