import { randomBytes } from "node:crypto";
import type { Duration, Outcome, Scope, ScopeEvent, Task, TaskContext } from "holdfast";
import { request, type Dispatcher } from "undici";

import { isWorthAnotherAttempt, post, RefusedError } from "./post.ts";
import type { CourierEvent, Delivery, DeliveryState, Endpoint, Store } from "./store.ts";

export interface Settings {
  /** For each attempt. */
  readonly timeout: Duration;
  /** The first one included. */
  readonly attempts: number;
  /** The first wait between attempts; it doubles, up to half a minute. */
  readonly backoff: Duration;
  /** How many calls to one endpoint may be open. */
  readonly perEndpoint: number;
  /** How many deliveries to one endpoint may be pending; what comes on top is not tried. */
  readonly backlog: number;
  /** How often each endpoint is asked whether it lives. */
  readonly health: Duration;
  /** How long what has ended is remembered, in days. */
  readonly days: number;
}

export const defaults: Settings = {
  timeout: "5s",
  attempts: 4,
  backoff: "500ms",
  perEndpoint: 4,
  backlog: 50,
  health: "10s",
  days: 7,
};

export type Log = (line: string) => void;
export interface Tools {
  /** Owns every delivery: no request does. */
  readonly scope: Scope;
  readonly store: Store;
  readonly http: Dispatcher;
  readonly settings: Settings;
  readonly log: Log;
}

/** Brings events to endpoints, and looks after what that leaves behind. */
export class Courier {
  readonly #tools: Tools;
  /** By delivery: the task that sees to it. */
  readonly #live = new Map<string, Task<void>>();

  constructor(tools: Tools) {
    this.#tools = tools;
    const { scope, settings, log } = tools;
    scope.service("health", (task) => this.#watchHealth(task));
    scope.cron("clean-up", "0 3 * * *", () => this.#cleanUp());
    scope.on("retry", (retry: ScopeEvent) => {
      if (retry.type !== "retry") return;
      const { event, url } = retry.task.attributes;
      const when = `attempt ${retry.task.attempt + 1} of ${settings.attempts} in ${Math.round(retry.delay)} ms`;
      log(`${String(event)} → ${String(url)}: ${retry.error.message}; ${when}`);
    });
  }

  /** Plans a delivery to each endpoint and starts them all; does not wait for any. Undefined: the event is known. */
  async send(event: CourierEvent): Promise<Delivery[] | undefined> {
    const { scope, store } = this.#tools;
    const endpoints = new Map((await store.endpoints()).map((endpoint) => [endpoint.id, endpoint]));
    const deliveries = await Promise.all(
      [...endpoints.values()].map((endpoint) => this.#plan(event, endpoint)),
    );
    if (!(await store.addEvent(event, deliveries))) return undefined;

    // One event, one group: they are cancelled together, and whoever looks sees them together. The key holds what the
    // store promises, at the only place where it counts: while an event is on its way, it cannot be sent again.
    scope.group(
      "fan-out",
      (group) => {
        for (const delivery of deliveries) {
          const endpoint = endpoints.get(delivery.endpoint);
          if (delivery.state !== "pending" || endpoint === undefined) continue;
          const task = group.spawn("recipient", (recipient) =>
            this.#deliver(recipient, event, endpoint, delivery),
          );
          this.#live.set(delivery.id, task);
          void task.outcome().then(() => this.#live.delete(delivery.id));
        }
      },
      { key: event.id, attributes: { event: event.id, type: event.type } },
    );
    return deliveries;
  }

  /** Stops a delivery; resolves when it has stopped. Undefined: there is none that could be. */
  async cancel(id: string): Promise<Delivery | undefined> {
    const task = this.#live.get(id);
    if (task === undefined) return undefined;
    await task.cancel("somebody asked for it");
    // It has written down its own end, unless it had not even begun.
    return this.#tools.store.endDelivery(id, "cancelled");
  }

  async #plan(event: CourierEvent, endpoint: Endpoint): Promise<Delivery> {
    const { store, settings } = this.#tools;
    const createdAt = new Date().toISOString();
    const delivery: Delivery = {
      id: `dlv_${randomBytes(6).toString("hex")}`,
      event: event.id,
      type: event.type,
      endpoint: endpoint.id,
      url: endpoint.url,
      state: "pending",
      attempts: [],
      createdAt,
    };
    const backlog = await store.backlog(endpoint.id);
    if (backlog < settings.backlog) return delivery;
    const note = `not tried: ${backlog} deliveries to this endpoint are pending`;
    return { ...delivery, state: "failed", note, endedAt: createdAt };
  }

  /**
   * Sees one delivery through. That an endpoint does not take it is no failure of ours: `outcome()` keeps it out of the
   * group, where it would end the deliveries to everybody else. That the store cannot write it down is one.
   */
  async #deliver(
    recipient: TaskContext,
    event: CourierEvent,
    endpoint: Endpoint,
    delivery: Delivery,
  ): Promise<void> {
    const { store, settings, log } = this.#tools;
    const outcome = await recipient
      .spawn("deliver", (task) => this.#attempt(task, event, endpoint, delivery), {
        timeout: settings.timeout,
        retry: {
          attempts: settings.attempts,
          min: settings.backoff,
          max: "30s",
          when: isWorthAnotherAttempt,
        },
        limit: { key: endpoint.id, concurrency: settings.perEndpoint },
        attributes: { event: event.id, delivery: delivery.id, url: endpoint.url },
      })
      .outcome();
    const ended = await store.endDelivery(delivery.id, stateOf(outcome));
    const attempts = ended?.attempts.length ?? 0;
    log(
      `${event.id} → ${endpoint.url}: ${words(outcome)} (${attempts} ${attempts === 1 ? "attempt" : "attempts"})`,
    );
  }

  async #attempt(
    task: TaskContext,
    event: CourierEvent,
    endpoint: Endpoint,
    delivery: Delivery,
  ): Promise<void> {
    const { http, store } = this.#tools;
    const startedAt = new Date();
    const attempt = (): { number: number; startedAt: string; ms: number } => ({
      number: task.attempt,
      startedAt: startedAt.toISOString(),
      ms: Date.now() - startedAt.getTime(),
    });
    try {
      const status = await post(http, endpoint, event, task.signal);
      await store.addAttempt(delivery.id, { ...attempt(), status });
    } catch (error) {
      // A cancelled attempt is written down too: the store knows nothing of the signal, and grace leaves it time.
      const answer = error instanceof RefusedError ? { status: error.status } : {};
      await store.addAttempt(delivery.id, { ...attempt(), ...answer, error: messageOf(error) });
      throw error;
    }
  }

  async #watchHealth(task: TaskContext): Promise<void> {
    const { store, settings } = this.#tools;
    task.ready();
    for await (const _round of task.every(settings.health)) {
      await task.map("probe", await store.endpoints(), (endpoint, probe) => this.#probe(probe, endpoint));
    }
  }

  /** An endpoint lives if it answers anything but a failure of its own within two seconds. */
  async #probe(probe: TaskContext, { id, url, health }: Endpoint): Promise<void> {
    const { http, store, log } = this.#tools;
    const note = await probe
      .timeout("2s", async (signal) => {
        const { statusCode, body } = await request(url, { dispatcher: http, method: "HEAD", signal });
        await body.dump({ limit: 65_536, signal });
        return statusCode < 500 ? undefined : `answers ${statusCode}`;
      })
      .catch(messageOf);
    probe.throwIfCancelled();
    const state = note === undefined ? "up" : "down";
    if (state !== health.state) log(`${url} is ${state}${note === undefined ? "" : `: ${note}`}`);
    const checkedAt = new Date().toISOString();
    await store.setHealth(id, note === undefined ? { state, checkedAt } : { state, checkedAt, note });
  }

  async #cleanUp(): Promise<void> {
    const { store, settings, log } = this.#tools;
    const forgotten = await store.forgetEndedBefore(new Date(Date.now() - settings.days * 86_400_000));
    log(`clean-up: forgot ${forgotten} deliveries older than ${settings.days} days`);
  }
}

function stateOf(outcome: Outcome<void>): Exclude<DeliveryState, "pending"> {
  if (outcome.state === "succeeded") return "delivered";
  return outcome.state === "cancelled" ? "cancelled" : "failed";
}

function words(outcome: Outcome<void>): string {
  if (outcome.state === "succeeded") return "delivered";
  if (outcome.state === "lost") return "lost";
  return `${outcome.state}: ${messageOf(outcome.state === "failed" ? outcome.error : outcome.reason)}`;
}

/** What went wrong, in the fewest words that say it. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError" && "ms" in error) return `no answer within ${String(error.ms)} ms`;
  return error.message;
}
