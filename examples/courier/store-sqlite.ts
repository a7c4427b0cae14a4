import { DatabaseSync } from "node:sqlite";

import { toEndpoint, type Endpoint, type EndpointRow, type Health, type Store } from "./store.ts";

const schema = `
  pragma busy_timeout = 5000;
  pragma journal_mode = wal;
  pragma synchronous = full;
  create table if not exists endpoint (
    id text primary key, url text not null, secret text not null, created_at text not null, health text not null
  ) strict, without rowid;
  create table if not exists event (id text primary key, at integer not null) strict, without rowid;
`;

/** In a file of its own, beside that of the queue. */
export class SqliteStore implements Store {
  readonly #db: DatabaseSync;

  constructor(file: string) {
    this.#db = new DatabaseSync(file);
    this.#db.exec(schema);
  }

  async saveEndpoint({ id, url, secret, createdAt, health }: Endpoint): Promise<void> {
    this.#db
      .prepare("insert or replace into endpoint (id, url, secret, created_at, health) values (?, ?, ?, ?, ?)")
      .run(id, url, secret, createdAt, JSON.stringify(health));
  }

  async endpoint(id: string): Promise<Endpoint | undefined> {
    const row = this.#db.prepare("select * from endpoint where id = ?").get(id);
    return row && toEndpoint(row as unknown as EndpointRow);
  }

  async endpoints(): Promise<Endpoint[]> {
    const rows = this.#db.prepare("select * from endpoint order by created_at, id").all();
    return (rows as unknown as EndpointRow[]).map(toEndpoint);
  }

  async setHealth(id: string, health: Health): Promise<void> {
    this.#db.prepare("update endpoint set health = ? where id = ?").run(JSON.stringify(health), id);
  }

  async noteEvent(id: string, at: Date): Promise<void> {
    this.#db.prepare("insert or ignore into event (id, at) values (?, ?)").run(id, at.getTime());
  }

  async knowsEvent(id: string): Promise<boolean> {
    return this.#db.prepare("select 1 from event where id = ?").get(id) !== undefined;
  }

  async forgetEventsBefore(moment: Date): Promise<number> {
    return Number(this.#db.prepare("delete from event where at < ?").run(moment.getTime()).changes);
  }

  async close(): Promise<void> {
    this.#db.close();
  }
}
