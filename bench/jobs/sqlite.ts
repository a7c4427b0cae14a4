import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { sqlite, type SqliteOptions } from "holdfast/jobs/sqlite";

import type { Contender } from "./contender.ts";
import { holdfast } from "./holdfast.ts";

export const NORMAL = "holdfast, SQLite NORMAL";
export const FULL = "holdfast, SQLite FULL";
export const BARE_INSERT = "node:sqlite, a bare synced INSERT";

const folders = new Set<string>();
process.once("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder for a database, on the disk that holds what is temporary. It is gone with this process at the latest. */
export function newFolder(): { readonly file: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-jobs-"));
  folders.add(folder);
  return {
    file: join(folder, "jobs.db"),
    remove: () => {
      rmSync(folder, { recursive: true });
      folders.delete(folder);
    },
  };
}

function onSqlite(name: string, options: SqliteOptions): Contender {
  return holdfast(name, () => {
    const { file, remove } = newFolder();
    return { engine: sqlite(file, options), remove };
  });
}

/** The least that it takes to store one thing for certain: one INSERT, one commit, one fsync. */
const bareInsert: Contender = {
  name: BARE_INSERT,
  open: async () => {
    const { file, remove } = newFolder();
    const db = new DatabaseSync(file);
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    db.exec("CREATE TABLE jobs (id INTEGER PRIMARY KEY, name TEXT NOT NULL, input TEXT NOT NULL) STRICT");
    const insert = db.prepare("INSERT INTO jobs (name, input) VALUES (?, ?)");
    return {
      listener: async (onStart) => ({
        add: () => {
          insert.run("nothing", "{}");
          onStart();
        },
        close: async () => undefined,
      }),
      close: async () => {
        db.close();
        remove();
      },
    };
  },
};

export const onFiles: readonly Contender[] = [
  onSqlite(NORMAL, { durability: "normal" }),
  onSqlite(FULL, { durability: "full" }),
  bareInsert,
];
