import type { Scope } from "holdfast";
import { defineJob, openQueue, type Job, type JobEvent, type Queue } from "holdfast/jobs";

import { deliver } from "./deliveries.ts";
import { keyOf, type Letter, type Receipt } from "./delivery.ts";
import { isWorthAnotherAttempt, post } from "./post.ts";
import type { Tools } from "./settings.ts";
import type { Storage } from "./storage.ts";
import type { CourierEvent } from "./store.ts";
import { at, whatWentWrong } from "./words.ts";

/** How many deliveries one courier has in flight, to all endpoints. */
const atOnce = 64;

/** What is being tried here, for whoever tells of it. */
interface Trial {
  readonly words: string;
  readonly failures: number;
}

/** Brings events to endpoints: each delivery is a job, which ends when it has arrived, or was given up. */
export class Courier {
  readonly queue: Queue;
  readonly #tools: Tools;
  readonly #job: Job<Letter, Receipt>;

  private constructor(queue: Queue, tools: Tools, job: Job<Letter, Receipt>) {
    this.queue = queue;
    this.#tools = tools;
    this.#job = job;
  }

  /** From here on it works: what an earlier courier left undone is begun. */
  static async open(scope: Scope, tools: Tools, { engine, lease }: Storage): Promise<Courier> {
    const trials = new Map<string, Trial>();
    const job = defineDelivery(tools, trials);
    // That an endpoint does not take it is no failure of ours: the log tells of it, and the record of the job.
    const outbox = scope.scope("outbox", { onError: () => undefined });
    const queue = await openQueue({ scope: outbox, engine, lease, jobs: [job], concurrency: atOnce });
    queue.on((event) => tell(event, trials, tools));
    return new Courier(queue, tools, job);
  }

  /**
   * Plans a delivery to each endpoint, and waits for none. What this resolves for is stored: the deliveries, all or
   * none, and then that the event is known. A courier that dies in between has not said yes to anybody; whoever posts
   * the event again joins what is still pending of it.
   */
  async send(event: CourierEvent): Promise<{ isNew: boolean; deliveries: readonly string[] }> {
    const { store } = this.#tools;
    if (await store.knowsEvent(event.id)) return { isNew: false, deliveries: [] };
    const endpoints = await store.endpoints();
    const stored = await this.queue.enqueueMany(
      this.#job,
      endpoints.map(({ id }) => ({ input: { event, endpoint: id }, key: keyOf(event.id, id) })),
    );
    // One that goes to nobody leaves nothing to remember.
    if (stored.length > 0) await store.noteEvent(event.id, new Date());
    const isNew = stored.length === 0 || stored.some((one) => one.isNew);
    return { isNew, deliveries: stored.map(({ id }) => id) };
  }

  /** Stops a delivery, in whatever courier it runs; resolves when it has stopped. False: there is none that could be. */
  async cancel(id: string): Promise<boolean> {
    const before = await this.queue.get(id);
    if (before?.name !== deliver || before.endedAt !== undefined) return false;
    await this.queue.cancel(id);
    // One that waits runs nowhere, so no worker hears of it.
    if (before.state === "queued") this.#tools.log(`${before.key}: cancelled before its next attempt`);
    return true;
  }
}

function defineDelivery({ store, http, settings }: Tools, trials: Map<string, Trial>): Job<Letter, Receipt> {
  return defineJob(deliver, {
    timeout: settings.timeout,
    retry: {
      attempts: settings.attempts,
      min: settings.backoff,
      max: "30s",
      when: isWorthAnotherAttempt,
    },
    // An endpoint that is down for long does not hear of what nobody wants to know any more.
    expires: "1d",
    concurrencyKey: ({ endpoint }) => endpoint,
    concurrencyPerKey: settings.perEndpoint,
    retention: { succeeded: `${settings.days}d`, failed: `${settings.days}d` },
    run: async ({ event, endpoint }: Letter, { id, failures, task }) => {
      const recipient = await store.endpoint(endpoint);
      if (recipient === undefined) throw new Error(`there is no endpoint ${endpoint} any more`);
      const { url } = recipient;
      const words = `${event.id} → ${at(url)}`;
      trials.set(id, { words, failures });
      task.set({ event: event.id, url });
      // What the crash journal keeps of it.
      task.progress(failures, settings.attempts, words);
      return { status: await post(http, recipient, event, task.signal) };
    },
  });
}

/** One line for each attempt that has ended. */
function tell(event: JobEvent, trials: Map<string, Trial>, { settings, log }: Tools): void {
  const { type, job, at: now } = event;
  if (type === "start") return;
  const { words = job.key ?? job.id, failures = 0 } = trials.get(job.id) ?? {};
  trials.delete(job.id);
  if (type === "retry") {
    const next = `try ${failures + 2} of ${settings.attempts} in ${Math.max(0, event.runAt - now)} ms`;
    log(`${words}: ${whatWentWrong(event.error)}; ${next}`);
  } else if (type === "end") {
    const attempts = `${job.attempt} ${job.attempt === 1 ? "attempt" : "attempts"}`;
    const why = event.error === undefined ? "" : `: ${whatWentWrong(event.error)}`;
    log(`${words}: ${event.state === "succeeded" ? "delivered" : event.state}${why} (${attempts})`);
  } else if (type === "release") log(`${words}: handed back`);
  else if (type === "lost") log(`${words}: lost, for this courier stood still; it will be tried again`);
}
