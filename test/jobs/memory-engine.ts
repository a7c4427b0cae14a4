import type {
  Engine,
  EngineCapabilities,
  EngineClock,
  EngineContext,
  JobStore,
} from "../../src/jobs/engine.ts";
import { EngineError } from "../../src/jobs/errors.ts";
import type { MemoryJobs, Wake } from "./memory-jobs.ts";

/** What the reference engine can do: all. */
export const memoryCapabilities: EngineCapabilities = {
  transactions: true,
  concurrencyKeys: true,
  rates: true,
  replace: true,
  ordered: true,
  minLease: 1,
};

/**
 * The reference engine: jobs in the memory of this process. All engines made with the same `MemoryJobs` are openings
 * of one store, as several processes would be. Begun is done, and acknowledged in a microtask.
 */
export function memoryEngine(jobs: MemoryJobs, Opening = MemoryOpening): Engine {
  return {
    name: "memory",
    capabilities: memoryCapabilities,
    open: (context) => Promise.resolve(new Opening(jobs, context)),
  };
}

/** A clock for engines that stands until it is moved, its wall clock apart. */
export class ManualEngineClock implements EngineClock {
  #now = 0;
  #wallOffset = Date.UTC(2026, 0, 1);
  readonly #due = new Set<{ readonly at: number; readonly fn: () => void }>();
  now(): number {
    return this.#now;
  }
  wall(): number {
    return this.#wallOffset + this.#now;
  }
  later(ms: number, fn: () => void): () => void {
    const due = { at: this.#now + ms, fn };
    this.#due.add(due);
    return () => this.#due.delete(due);
  }
  jumpWall(ms: number): void {
    this.#wallOffset += ms;
  }
  async elapse(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      await settled();
      const [next] = [...this.#due].toSorted((a, b) => a.at - b.at);
      if (next === undefined || next.at > until) break;
      this.#due.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.fn();
    }
    this.#now = until;
  }
}

/** One turn of the event loop: what needs no time has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A transaction of the user's: a copy of all, which takes the place of all when it is committed. */
export class MemoryTransaction {
  readonly jobs: MemoryJobs;
  readonly #of: MemoryJobs;
  readonly #before: number;
  constructor(of: MemoryJobs) {
    this.#of = of;
    this.#before = of.state.changes;
    // Of the same class, so that one with a defect has it here too.
    this.jobs = new (of.constructor as typeof MemoryJobs)(of.clock);
    this.jobs.state = structuredClone(of.state);
  }
  commit(): void {
    if (this.#of.state.changes !== this.#before) throw new Error("others have written meanwhile");
    this.#of.state = this.jobs.state;
    for (const listener of this.#of.listeners) listener("jobs");
  }
}

/** Runs `fn` in a transaction: committed when it resolves, rolled back when it rejects. */
export async function inTransaction<T>(
  jobs: MemoryJobs,
  fn: (client: MemoryTransaction) => Promise<T>,
): Promise<T> {
  const client = new MemoryTransaction(jobs);
  const result = await fn(client);
  client.commit();
  return result;
}

/** One opening. Public, so that it can be crashed and broken. */
export class MemoryOpening implements JobStore {
  readonly #jobs: MemoryJobs;
  readonly #context: EngineContext;
  readonly #listener = (what: Wake): void => {
    if (what === "jobs" && !this.#context.work) return;
    if (this.#told.has(what)) return;
    this.#told.add(what);
    queueMicrotask(() => {
      if (this.#told.delete(what) && this.#isOpen) this.#context.wake(what);
    });
  };
  readonly #told = new Set<Wake>();
  #isOpen = true;

  constructor(jobs: MemoryJobs, context: EngineContext) {
    this.#jobs = jobs;
    this.#context = context;
    jobs.listeners.add(this.#listener);
  }

  enqueue: JobStore["enqueue"] = (jobs, client) =>
    this.#do(() => (client instanceof MemoryTransaction ? client.jobs : this.#jobs).enqueue(jobs));
  claim: JobStore["claim"] = (request) => this.#do(() => this.#jobs.claim(request, this.#context));
  renew: JobStore["renew"] = (leases) => this.#do(() => leases.map((lease) => this.#jobs.renew(lease)));
  check: JobStore["check"] = (leases) => this.#do(() => leases.map((lease) => this.#jobs.check(lease)));
  settle: JobStore["settle"] = (all) => this.#do(() => all.map((one) => this.#jobs.settle(one)));
  recordStep: JobStore["recordStep"] = (lease, step) => this.#do(() => this.#jobs.recordStep(lease, step));
  note: JobStore["note"] = (notes) => this.#do(() => notes.map((note) => this.#jobs.note(note)));
  cancel: JobStore["cancel"] = (id, reason) => this.#do(() => this.#jobs.cancel(id, reason));
  retry: JobStore["retry"] = (id, fromStart) => this.#do(() => this.#jobs.retry(id, fromStart));
  remove: JobStore["remove"] = (id) => this.#do(() => this.#jobs.remove(id));
  pause: JobStore["pause"] = (name) => this.#do(() => this.#jobs.setPaused(name, true));
  resume: JobStore["resume"] = (name) => this.#do(() => this.#jobs.setPaused(name, false));
  sweep: JobStore["sweep"] = (limit) => this.#do(() => this.#jobs.sweep(limit));
  get: JobStore["get"] = (id) => this.#do(() => this.#jobs.get(id));
  list: JobStore["list"] = (query) => this.#do(() => this.#jobs.list(query));
  stats: JobStore["stats"] = () => this.#do(() => this.#jobs.stats());
  ended: JobStore["ended"] = (ids) => this.#do(() => this.#jobs.ended(ids));

  close(): Promise<void> {
    this.crash();
    return Promise.resolve();
  }

  /** As `kill -9` would end it: nothing is handed back. */
  crash(): void {
    this.#isOpen = false;
    this.#jobs.listeners.delete(this.#listener);
  }

  /** Done at once, told in a microtask: what is begun first is applied first. */
  #do<T>(operation: () => T): Promise<T> {
    return new Promise((resolve) => {
      if (!this.#isOpen) throw new EngineError("HF_ENGINE_CLOSED", "memory", "it was closed");
      resolve(operation());
    });
  }
}
