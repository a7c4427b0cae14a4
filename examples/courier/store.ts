/*
 * What courier knows besides its deliveries, which are jobs of a queue: who wants to hear of events, how they are, and
 * which events it has taken. In a file of SQLite (store-sqlite.ts), or in Postgres (store-postgres.ts).
 */

export interface Endpoint {
  readonly id: string;
  readonly url: string;
  readonly secret: string;
  readonly createdAt: string;
  readonly health: Health;
}

export interface Health {
  readonly state: "unknown" | "up" | "down";
  readonly checkedAt?: string;
  /** Why it is down. */
  readonly note?: string;
}

export interface CourierEvent {
  readonly id: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly createdAt: string;
}

/** What a promise of it has resolved for survives the process. */
export interface Store {
  /** Adds an endpoint, in place of the one with its id. */
  saveEndpoint(endpoint: Endpoint): Promise<void>;
  endpoint(id: string): Promise<Endpoint | undefined>;
  /** Oldest first. */
  endpoints(): Promise<Endpoint[]>;
  setHealth(id: string, health: Health): Promise<void>;
  /** Remembers that this event was taken. */
  noteEvent(id: string, at: Date): Promise<void>;
  knowsEvent(id: string): Promise<boolean>;
  /** Forgets which events were taken before this moment; says how many. */
  forgetEventsBefore(moment: Date): Promise<number>;
  close(): Promise<void>;
}

/** A row of the table of endpoints, the same in both databases. */
export interface EndpointRow {
  readonly id: string;
  readonly url: string;
  readonly secret: string;
  readonly created_at: string;
  /** JSON. */
  readonly health: string;
}

export function toEndpoint({ id, url, secret, created_at, health }: EndpointRow): Endpoint {
  return { id, url, secret, createdAt: created_at, health: JSON.parse(health) as Health };
}
