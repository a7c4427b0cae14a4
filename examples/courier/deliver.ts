import { randomBytes } from "node:crypto";
import type { Outcome, Task, TaskContext } from "holdfast";

import { isWorthAnotherAttempt, post, RefusedError } from "./post.ts";
import type { Tools } from "./settings.ts";
import type { CourierEvent, Delivery, DeliveryState, Endpoint } from "./store.ts";
import { at, messageOf, words } from "./words.ts";

/** Brings events to endpoints. */
export class Courier {
  readonly #tools: Tools;
  /** By delivery: the task that sees it through. */
  readonly #live = new Map<string, Task<void>>();

  constructor(tools: Tools) {
    this.#tools = tools;
    const { scope, settings, log } = tools;
    scope.on("retry", ({ task, error, delay }) => {
      const { event, url } = task.attributes;
      const why = error.name === "TimeoutError" ? "no answer in time" : error.message;
      const next = `try ${task.attempt + 1} of ${settings.attempts} in ${Math.round(delay)} ms`;
      log(`${String(event)} → ${at(String(url))}: ${why}; ${next}`);
    });
  }

  /** Plans a delivery to each endpoint and starts them all; waits for none. Undefined: the event is known. */
  async send(event: CourierEvent): Promise<Delivery[] | undefined> {
    const { scope, store, log } = this.#tools;
    const endpoints = await store.endpoints();
    const plans = await Promise.all(endpoints.map((endpoint) => this.#plan(event, endpoint)));
    const deliveries = plans.map(({ delivery }) => delivery);
    if (!(await store.addEvent(event, deliveries))) return undefined;

    // One event, one group: its deliveries are seen together and stopped together. The key holds what the store has
    // promised where it counts: while an event is on its way, it cannot be sent once more.
    scope.group(
      "fan-out",
      (group) => {
        for (const { delivery, endpoint } of plans) {
          if (delivery.state !== "pending") {
            log(`${event.id} → ${at(endpoint.url)}: ${delivery.note}`);
            continue;
          }
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

  async #plan(event: CourierEvent, endpoint: Endpoint): Promise<{ delivery: Delivery; endpoint: Endpoint }> {
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
    if (backlog < settings.backlog) return { delivery, endpoint };
    const note = `not tried, for ${backlog} deliveries to it are pending`;
    return { delivery: { ...delivery, state: "failed", note, endedAt: createdAt }, endpoint };
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
    const count = ended?.attempts.length ?? 0;
    const attempts = `${count} ${count === 1 ? "attempt" : "attempts"}`;
    log(`${event.id} → ${at(endpoint.url)}: ${words(outcome)} (${attempts})`);
  }

  async #attempt(
    task: TaskContext,
    event: CourierEvent,
    endpoint: Endpoint,
    delivery: Delivery,
  ): Promise<void> {
    const { http, store } = this.#tools;
    const startedAt = new Date();
    const note = (result: { status?: number; error?: string }): Promise<void> =>
      store.addAttempt(delivery.id, {
        number: task.attempt,
        startedAt: startedAt.toISOString(),
        ms: Date.now() - startedAt.getTime(),
        ...result,
      });
    try {
      await note({ status: await post(http, endpoint, event, task.signal) });
    } catch (error) {
      // A cancelled attempt is written down too: the store knows nothing of the signal, and grace leaves it time.
      const answer = error instanceof RefusedError ? { status: error.status } : {};
      await note({ ...answer, error: messageOf(error) });
      throw error;
    }
  }
}

function stateOf({ state }: Outcome<void>): Exclude<DeliveryState, "pending"> {
  if (state === "succeeded") return "delivered";
  return state === "cancelled" ? "cancelled" : "failed";
}
