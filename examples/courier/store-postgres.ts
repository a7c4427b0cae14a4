import pg from "pg";

import { toEndpoint, type Endpoint, type EndpointRow, type Health, type Store } from "./store.ts";

/** As one statement: where several couriers start at once, they make the schema one after the other. */
const schema = `
  begin;
  select pg_advisory_xact_lock(hashtext('courier'));
  create schema if not exists courier;
  create table if not exists courier.endpoint (
    id text primary key, url text not null, secret text not null, created_at text not null, health text not null
  );
  create table if not exists courier.event (id text primary key, at timestamptz not null);
  commit;
`;

/** In a schema of its own, beside that of the queue; for any number of couriers at once. */
export class PostgresStore implements Store {
  readonly #pool: pg.Pool;

  private constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  static async open(url: string): Promise<PostgresStore> {
    const pool = new pg.Pool({ connectionString: url, max: 5 });
    // Of a connection that breaks while nobody uses it; whoever asks next gets another one.
    pool.on("error", () => undefined);
    try {
      await pool.query(schema);
    } catch (error) {
      await pool.end();
      throw error;
    }
    return new PostgresStore(pool);
  }

  async saveEndpoint({ id, url, secret, createdAt, health }: Endpoint): Promise<void> {
    await this.#pool.query(
      `insert into courier.endpoint (id, url, secret, created_at, health) values ($1, $2, $3, $4, $5)
       on conflict (id) do update set url = $2, secret = $3, created_at = $4, health = $5`,
      [id, url, secret, createdAt, JSON.stringify(health)],
    );
  }

  async endpoint(id: string): Promise<Endpoint | undefined> {
    const { rows } = await this.#pool.query("select * from courier.endpoint where id = $1", [id]);
    return (rows as EndpointRow[]).map(toEndpoint)[0];
  }

  async endpoints(): Promise<Endpoint[]> {
    const { rows } = await this.#pool.query("select * from courier.endpoint order by created_at, id");
    return (rows as EndpointRow[]).map(toEndpoint);
  }

  async setHealth(id: string, health: Health): Promise<void> {
    await this.#pool.query("update courier.endpoint set health = $2 where id = $1", [
      id,
      JSON.stringify(health),
    ]);
  }

  async noteEvent(id: string, at: Date): Promise<void> {
    await this.#pool.query("insert into courier.event (id, at) values ($1, $2) on conflict do nothing", [
      id,
      at.toISOString(),
    ]);
  }

  async knowsEvent(id: string): Promise<boolean> {
    const { rows } = await this.#pool.query("select 1 from courier.event where id = $1", [id]);
    return rows.length > 0;
  }

  async forgetEventsBefore(moment: Date): Promise<number> {
    const { rowCount } = await this.#pool.query("delete from courier.event where at < $1", [
      moment.toISOString(),
    ]);
    return rowCount ?? 0;
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
