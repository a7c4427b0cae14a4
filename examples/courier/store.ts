/*
 * What courier knows, behind a small interface. This one keeps it in memory, and so forgets it when the process ends;
 * its methods are asynchronous, because those of a database will be.
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

/** One event on its way to one endpoint. */
export interface Delivery {
  readonly id: string;
  readonly event: string;
  readonly type: string;
  readonly endpoint: string;
  readonly url: string;
  readonly state: DeliveryState;
  readonly attempts: readonly Attempt[];
  /** Why it was never tried. */
  readonly note?: string;
  readonly createdAt: string;
  readonly endedAt?: string;
}

export const deliveryStates = ["pending", "delivered", "failed", "cancelled"] as const;
export type DeliveryState = (typeof deliveryStates)[number];

export interface Attempt {
  readonly number: number;
  readonly startedAt: string;
  readonly ms: number;
  /** The answer's status; absent where none came. */
  readonly status?: number;
  readonly error?: string;
}

export interface DeliveryFilter {
  readonly state?: DeliveryState;
  readonly endpoint?: string;
  readonly event?: string;
  readonly limit: number;
}

export interface Store {
  /** Throws `StoreFullError`. */
  addEndpoint(endpoint: Endpoint): Promise<void>;
  endpoint(id: string): Promise<Endpoint | undefined>;
  endpoints(): Promise<Endpoint[]>;
  setHealth(id: string, health: Health): Promise<void>;
  /** How many deliveries to this endpoint are pending. */
  backlog(endpoint: string): Promise<number>;
  /** False where an event with this id is known. Throws `StoreFullError`. */
  addEvent(event: CourierEvent, deliveries: readonly Delivery[]): Promise<boolean>;
  delivery(id: string): Promise<Delivery | undefined>;
  /** Newest first. */
  deliveries(filter: DeliveryFilter): Promise<Delivery[]>;
  addAttempt(id: string, attempt: Attempt): Promise<void>;
  endDelivery(id: string, state: Exclude<DeliveryState, "pending">): Promise<Delivery | undefined>;
  counts(): Promise<Record<DeliveryState, number>>;
  /** Forgets what ended before this moment; says how much. */
  forgetEndedBefore(moment: Date): Promise<number>;
}

export class StoreFullError extends Error {
  override readonly name = "StoreFullError";
  readonly statusCode = 503;
  readonly code = "COURIER_FULL";
}

export interface StoreLimits {
  readonly endpoints: number;
  readonly deliveries: number;
}

export class MemoryStore implements Store {
  readonly #limits: StoreLimits;
  readonly #endpoints = new Map<string, Endpoint>();
  /** By event id: the ids of its deliveries that are still kept. An event is kept for as long as one of these. */
  readonly #events = new Map<string, Set<string>>();
  readonly #deliveries = new Map<string, Delivery>();
  /** By endpoint id: how many deliveries are pending. */
  readonly #backlog = new Map<string, number>();
  readonly #counts: Record<DeliveryState, number> = { pending: 0, delivered: 0, failed: 0, cancelled: 0 };

  constructor(limits: StoreLimits = { endpoints: 1_000, deliveries: 10_000 }) {
    this.#limits = limits;
  }

  async addEndpoint(endpoint: Endpoint): Promise<void> {
    if (this.#endpoints.size >= this.#limits.endpoints) {
      throw new StoreFullError(`courier keeps at most ${this.#limits.endpoints} endpoints`);
    }
    this.#endpoints.set(endpoint.id, endpoint);
  }

  async endpoint(id: string): Promise<Endpoint | undefined> {
    return this.#endpoints.get(id);
  }

  async endpoints(): Promise<Endpoint[]> {
    return [...this.#endpoints.values()];
  }

  async setHealth(id: string, health: Health): Promise<void> {
    const endpoint = this.#endpoints.get(id);
    if (endpoint !== undefined) this.#endpoints.set(id, { ...endpoint, health });
  }

  async backlog(endpoint: string): Promise<number> {
    return this.#backlog.get(endpoint) ?? 0;
  }

  async addEvent(event: CourierEvent, deliveries: readonly Delivery[]): Promise<boolean> {
    if (this.#events.has(event.id)) return false;
    this.#makeRoomFor(deliveries.length);
    // One that goes to nobody leaves nothing to remember.
    if (deliveries.length > 0) this.#events.set(event.id, new Set(deliveries.map(({ id }) => id)));
    for (const delivery of deliveries) {
      this.#deliveries.set(delivery.id, delivery);
      this.#count(delivery, 1);
    }
    return true;
  }

  async delivery(id: string): Promise<Delivery | undefined> {
    return this.#deliveries.get(id);
  }

  async deliveries({ state, endpoint, event, limit }: DeliveryFilter): Promise<Delivery[]> {
    return [...this.#deliveries.values()]
      .toReversed()
      .filter(
        (delivery) =>
          (state === undefined || delivery.state === state) &&
          (endpoint === undefined || delivery.endpoint === endpoint) &&
          (event === undefined || delivery.event === event),
      )
      .slice(0, limit);
  }

  async addAttempt(id: string, attempt: Attempt): Promise<void> {
    const delivery = this.#deliveries.get(id);
    if (delivery === undefined) return;
    this.#deliveries.set(id, { ...delivery, attempts: [...delivery.attempts, attempt] });
  }

  async endDelivery(id: string, state: Exclude<DeliveryState, "pending">): Promise<Delivery | undefined> {
    const delivery = this.#deliveries.get(id);
    if (delivery?.state !== "pending") return delivery;
    const ended = { ...delivery, state, endedAt: new Date().toISOString() };
    this.#deliveries.set(id, ended);
    this.#count(delivery, -1);
    this.#count(ended, 1);
    return ended;
  }

  async counts(): Promise<Record<DeliveryState, number>> {
    return { ...this.#counts };
  }

  async forgetEndedBefore(moment: Date): Promise<number> {
    const before = moment.toISOString();
    let forgotten = 0;
    for (const delivery of this.#deliveries.values()) {
      if (delivery.endedAt === undefined || delivery.endedAt >= before) continue;
      this.#forget(delivery);
      forgotten++;
    }
    return forgotten;
  }

  /** Deliveries that ended stay counted when they are forgotten. */
  #count({ state, endpoint }: Delivery, by: 1 | -1): void {
    this.#counts[state] += by;
    if (state !== "pending") return;
    const backlog = (this.#backlog.get(endpoint) ?? 0) + by;
    if (backlog === 0) this.#backlog.delete(endpoint);
    else this.#backlog.set(endpoint, backlog);
  }

  /** What has ended makes room, oldest first; what is pending never does: then courier has to say no. */
  #makeRoomFor(count: number): void {
    let excess = this.#deliveries.size + count - this.#limits.deliveries;
    if (excess <= 0) return;
    if (this.#counts.pending + count > this.#limits.deliveries) {
      throw new StoreFullError(`${this.#counts.pending} deliveries are pending: try again later`);
    }
    for (const delivery of this.#deliveries.values()) {
      if (delivery.state === "pending") continue;
      this.#forget(delivery);
      if (--excess === 0) return;
    }
  }

  #forget({ id, event }: Delivery): void {
    this.#deliveries.delete(id);
    const siblings = this.#events.get(event);
    siblings?.delete(id);
    if (siblings?.size === 0) this.#events.delete(event);
  }
}
