import type { TaskContext } from "holdfast";
import type { JobQuery, JobStats, JobSummary, Queue } from "holdfast/jobs";

import { jobStates, keyOf, stateOf, toDelivery, type Delivery, type DeliveryState } from "./delivery.ts";
import type { Tools } from "./settings.ts";
import type { Store } from "./store.ts";

/** Under this name deliveries are stored. */
export const deliver = "deliver";

export interface DeliveryFilter {
  readonly state?: DeliveryState;
  readonly endpoint?: string;
  readonly event?: string;
  readonly limit: number;
}

/** What one works with who counts them. */
export interface Bookkeeping extends Tools {
  readonly counts: Deliveries["counts"];
}

/** As many as a page can have. */
const largePage = 1_000;

/** Looks deliveries up, in the records of their jobs. */
export class Deliveries {
  readonly #queue: Queue;
  readonly #store: Store;

  constructor(queue: Queue, store: Store) {
    this.#queue = queue;
    this.#store = store;
  }

  async get(id: string): Promise<Delivery | undefined> {
    const job = await this.#queue.get(id);
    if (job?.name !== deliver) return undefined;
    const endpoint = await this.#store.endpoint(job.concurrencyKey ?? "");
    return toDelivery(job, endpoint?.url ?? "");
  }

  /** Newest first. */
  async list({ state, endpoint, event, limit }: DeliveryFilter): Promise<Delivery[]> {
    const urls = new Map((await this.#store.endpoints()).map(({ id, url }) => [id, url]));
    const states = state === undefined ? [{}] : jobStates[state].map((it) => ({ state: it }));
    // What is asked of one event need not be searched: its keys are known.
    const recipients = endpoint === undefined ? [...urls.keys()] : [endpoint];
    const keys = event === undefined ? [{}] : recipients.map((id) => ({ key: keyOf(event, id) }));
    const pages = await Promise.all(
      states.flatMap((one) => keys.map((key) => this.#newest({ ...one, ...key }, endpoint, limit))),
    );
    // One that began or ended meanwhile may stand in two of them.
    const jobs = [...new Map(pages.flat().map((job) => [job.id, job])).values()]
      .toSorted((a, b) => b.createdAt - a.createdAt)
      .slice(0, limit);
    const records = await Promise.all(jobs.map(({ id }) => this.#queue.get(id)));
    return records
      .filter((job) => job !== undefined)
      .filter((job) => state === undefined || stateOf(job.state) === state)
      .map((job) => toDelivery(job, urls.get(job.concurrencyKey ?? "") ?? ""));
  }

  /** Of all that are known: those that ended long ago are forgotten. */
  async counts(): Promise<Record<DeliveryState, number>> {
    return countsIn(await this.#queue.stats());
  }

  async #newest(query: JobQuery, endpoint: string | undefined, limit: number): Promise<JobSummary[]> {
    const found: JobSummary[] = [];
    let page: JobQuery | undefined = {
      ...query,
      name: deliver,
      limit: endpoint === undefined ? limit : largePage,
    };
    while (page !== undefined && found.length < limit) {
      const { jobs, next } = await this.#queue.list(page);
      found.push(...jobs.filter((job) => endpoint === undefined || job.concurrencyKey === endpoint));
      page = next === undefined ? undefined : { ...page, after: next };
    }
    return found;
  }
}

/**
 * Counts for courier's last words, while the queue can still be asked: when it has drained, or when it has to stop.
 * Then what is in flight is about to be handed back, and pending either way.
 */
export async function countAtTheEnd(
  task: TaskContext,
  queue: Queue,
  deliveries: Deliveries,
): Promise<Record<DeliveryState, number>> {
  task.ready();
  await new Promise<void>((resolve) => {
    for (const signal of [task.draining, task.signal]) {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    }
  });
  await queue.drain().catch(() => undefined);
  return deliveries.counts();
}

function countsIn({ names }: JobStats): Record<DeliveryState, number> {
  const { queued = 0, running = 0, succeeded = 0, failed = 0, cancelled = 0 } = names[deliver] ?? {};
  return { pending: queued + running, delivered: succeeded, failed, cancelled };
}
