import { callLater, clearTimer, wall } from "../core/clock.ts";
import type { Timer } from "../core/clock.ts";
import { cancellable } from "../core/cancellable.ts";
import { outside } from "../core/context.ts";
import { badOption, oneOf, toCount, toName, toObject } from "../core/duration.ts";
import { given } from "../core/given.ts";
import type { CloseOptions, CloseReport, Scope } from "../core/index.ts";
import { intakeOf } from "../core/intake.ts";
import type { ScopeNode } from "../core/scope-node.ts";
import { ScopeView } from "../core/scope-view.ts";
import { cannot, refuseUnable } from "./capabilities.ts";
import { settingsOf } from "./define.ts";
import type { AnyJob, Job, JobSettings } from "./define.ts";
import type { Engine, JobStore, NewJob } from "./engine.ts";
import { cancelledInfo, JobStateError, JobUnknownError, QueueClosedError } from "./errors.ts";
import { JobEvents } from "./events.ts";
import type { JobListener } from "./events.ts";
import { readInput, toInputText } from "./input.ts";
import { newJob } from "./new-job.ts";
import type { EnqueueOptions } from "./new-job.ts";
import { openQueues } from "./open-queues.ts";
import type { OpenQueue } from "./open-queues.ts";
import type { EnqueueItem, InTransaction, Queue, ScheduleOptions, Stored } from "./queue.ts";
import { JOB_STATES } from "./record.ts";
import type { JobPage, JobQuery, JobRecord, JobStats } from "./record.ts";
import { keyOf, Schedules } from "./schedules.ts";
import type { OwnSchedule } from "./schedules.ts";
import type { Trouble } from "./trouble.ts";
import { whyNoRetry } from "./visit.ts";
import { resultOf, Waiting } from "./waiting.ts";
import { Worker } from "./worker.ts";

const DEFAULT_PAGE = 50;
const MAX_PAGE = 1000;
/** How often ended jobs are removed whose time is over, in ms, and how many at once. */
const SWEEP_EVERY = 60_000;
const SWEEP_AT_ONCE = 1000;

/** What a queue works with. */
interface Parts {
  readonly scope: Scope;
  readonly engine: Engine;
  readonly store: JobStore;
  readonly definitions: ReadonlyMap<string, JobSettings>;
  readonly lease: number;
  readonly concurrency: number;
  readonly trouble: Trouble;
}

/** A queue, as its users see it. */
export class JobQueue implements Queue, OpenQueue {
  readonly path: string;
  readonly scope: ScopeNode;
  readonly #parts: Parts;
  readonly #events: JobEvents;
  readonly #waiting: Waiting;
  readonly #schedules: Schedules;
  readonly #worker: Worker;
  #isWorking = false;
  #sweeper: Timer | undefined = undefined;

  constructor(parts: Parts) {
    const { scope, store, definitions, trouble } = parts;
    this.#parts = parts;
    this.path = scope.path;
    this.scope = ScopeView.nodeOf(scope);
    this.#events = new JobEvents(scope.path);
    this.#waiting = new Waiting(store, trouble);
    this.#schedules = new Schedules(definitions);
    this.#worker = new Worker({
      ...parts,
      scope: this.scope,
      events: this.#events,
      waiting: this.#waiting,
      schedules: this.#schedules,
    });
    openQueues.add(this);
    // The last of all: after every attempt has ended.
    scope.defer(() => this.#end());
  }

  get engine(): string {
    return this.#parts.engine.name;
  }

  get jobs(): readonly string[] {
    return this.#isWorking ? [...this.#parts.definitions.keys()] : [];
  }

  get running(): number {
    return this.#worker.running;
  }

  get concurrency(): number {
    return this.#parts.concurrency;
  }

  /** What others did. */
  wake(what: "jobs" | "cancel" | "end"): void {
    if (what === "jobs") this.#wakeWorker();
    else if (what === "cancel") this.#worker.check();
    else outside(() => this.#waiting.ask());
  }

  /** Begins to run jobs. */
  work(): void {
    const { scope } = this.#parts;
    this.#isWorking = true;
    const stopped = new Promise<void>((resolve) => {
      const stop = (): void => {
        this.#isWorking = false;
        this.#worker.stop();
        clearTimer(this.#sweeper);
        resolve();
      };
      intakeOf(scope).onStop(stop);
      this.#stopWork = stop;
    });
    // What is seen of the worker while nothing runs; it keeps the process alive, as a server does that listens.
    scope.service("worker", async (task) => {
      task.ready();
      task.set({ jobs: this.jobs });
      await cancellable(stopped);
    });
    this.#sweepLater();
    this.#wakeWorker();
  }

  async enqueue<Input>(
    job: Job<Input>,
    input: Input,
    options: EnqueueOptions & InTransaction = {},
  ): Promise<Stored> {
    const [stored] = await this.#enqueue(job, [{ ...options, input }], options.client);
    return stored as Stored;
  }

  async enqueueMany<Input>(
    job: Job<Input>,
    items: readonly EnqueueItem<Input>[],
    options: InTransaction = {},
  ): Promise<readonly Stored[]> {
    if (!Array.isArray(items)) throw badOption("items", items, "an array of { input }");
    return items.length === 0 ? [] : this.#enqueue(job, items, options.client);
  }

  async schedule<Input>(
    name: string,
    expression: string,
    job: Job<Input>,
    input: Input,
    options: ScheduleOptions = {},
  ): Promise<Stored> {
    this.#refuseClosed("schedule");
    const { store } = this.#parts;
    const settings = settingsOf(job);
    const schedule = given({ name: toName(name, "schedule"), expression, timeZone: options.timeZone });
    await this.#schedules.load(`${this.path}: the schedule ${name}`);
    const text = toInputText(settings.name, input);
    const value = await readInput(settings.name, undefined, text, settings.schema);
    const own: OwnSchedule = { schedule, settings, input: { text, value }, priority: options.priority };
    const next = this.#schedules.occurrence(own, wall());
    if (next === undefined) throw badOption("expression", expression, "one that comes true some day");
    this.#schedules.add(own);
    const waiting = await this.#waitingOccurrence(name);
    // One that is due, or overdue, runs as it is; one that waits for another moment, or with another input, is replaced.
    if (waiting !== undefined && isOutdated(waiting, next))
      await this.cancel(waiting.id, "its schedule was changed");
    const stored = await this.#schedules.store(store, own, next);
    this.#wakeWorker(next.name);
    return stored;
  }

  async unschedule(name: string): Promise<boolean> {
    this.#refuseClosed("unschedule");
    this.#schedules.delete(name);
    const waiting = await this.#waitingOccurrence(name);
    if (waiting === undefined) return false;
    await this.#parts.store.cancel(waiting.id, cancelledInfo("its schedule was ended"));
    return true;
  }

  async get(id: string): Promise<JobRecord | undefined> {
    this.#refuseClosed("get");
    return this.#parts.store.get(toName(id, "id"));
  }

  async list(query: JobQuery = {}): Promise<JobPage> {
    this.#refuseClosed("list");
    oneOf("state", query.state, JOB_STATES);
    const limit = Math.min(toCount(query.limit ?? DEFAULT_PAGE, "limit", 1), MAX_PAGE);
    return this.#parts.store.list({ ...query, limit });
  }

  async stats(): Promise<JobStats> {
    this.#refuseClosed("stats");
    return this.#parts.store.stats();
  }

  async cancel(id: string, reason = "somebody asked for it"): Promise<JobRecord> {
    this.#refuseClosed("cancel");
    const { store } = this.#parts;
    const info = cancelledInfo(reason);
    const state = await store.cancel(toName(id, "id"), info);
    if (state === "running") {
      this.#worker.cancel(id, info);
      await cancellable(this.#waiting.until(id));
    }
    this.#waiting.ask();
    return this.#record(id);
  }

  async retry(id: string, { fromStart = false }: { readonly fromStart?: boolean } = {}): Promise<JobRecord> {
    this.#refuseClosed("retry");
    const isQueued = await this.#parts.store.retry(toName(id, "id"), fromStart);
    const record = await this.#record(id);
    if (isQueued !== true) throw new JobStateError(record.name, id, whyNoRetry(record.state));
    this.#wakeWorker(record.name);
    return record;
  }

  async remove(id: string): Promise<void> {
    this.#refuseClosed("remove");
    const isRemoved = await this.#parts.store.remove(toName(id, "id"));
    if (isRemoved === undefined) throw new JobUnknownError(id);
    if (isRemoved) return;
    const { name } = await this.#record(id);
    throw new JobStateError(name, id, "has not ended: cancel it first");
  }

  async pause(job?: AnyJob): Promise<void> {
    this.#refuseClosed("pause");
    await this.#parts.store.pause(job === undefined ? undefined : settingsOf(job).name);
  }

  async resume(job?: AnyJob): Promise<void> {
    this.#refuseClosed("resume");
    await this.#parts.store.resume(job === undefined ? undefined : settingsOf(job).name);
    this.#wakeWorker();
  }

  async result<Result>(id: string, job?: Job<never, Result>): Promise<Result> {
    this.#refuseClosed("result");
    const ended = await cancellable(this.#waiting.until(toName(id, "id")));
    return resultOf(ended, job?.name ?? "job") as Result;
  }

  async drain(): Promise<void> {
    this.#stopWork();
    await cancellable(this.#worker.untilIdle());
  }

  on(listener: JobListener): () => void {
    return this.#events.on(listener);
  }

  close(options?: CloseOptions): Promise<CloseReport> {
    return this.#parts.scope.close(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #stopWork: () => void = () => undefined;

  #wakeWorker(name?: string): void {
    if (this.#isWorking) this.#worker.wake(name);
  }

  async #enqueue<Input>(
    job: Job<Input>,
    items: readonly EnqueueItem<Input>[],
    client: unknown,
  ): Promise<readonly Stored[]> {
    this.#refuseClosed("enqueue");
    const { engine, store } = this.#parts;
    const settings = settingsOf(job);
    if (client !== undefined && !engine.capabilities.transactions)
      throw cannot(engine, "enqueue within a transaction of yours (client)");
    refuseUnable(engine, settings);
    const jobs: NewJob[] = [];
    for (const item of items) {
      const { input, ...options } = toObject(item, "item");
      if (options.onConflict === "replace" && !engine.capabilities.replace)
        throw cannot(engine, 'onConflict: "replace"');
      const text = toInputText(settings.name, input);
      // Where nobody asks for the value nothing is awaited: then jobs are stored in the order of the calls.
      const isAsked = settings.schema !== undefined || settings.concurrencyKey !== undefined;
      const value = isAsked ? await readInput(settings.name, undefined, text, settings.schema) : undefined;
      jobs.push(newJob(settings, { text, value }, options));
    }
    const answer = client === undefined ? store.enqueue(jobs) : store.enqueue(jobs, client);
    // Asked for in the same turn, it may be claimed in the moment in which it is stored.
    if (engine.capabilities.ordered) this.#wakeWorker(settings.name);
    const stored = await answer;
    if (!engine.capabilities.ordered) this.#wakeWorker(settings.name);
    return stored;
  }

  async #waitingOccurrence(schedule: string): Promise<JobRecord | undefined> {
    const { jobs } = await this.#parts.store.list({ key: keyOf(schedule), state: "queued", limit: 1 });
    return jobs[0] && this.#parts.store.get(jobs[0].id);
  }

  async #record(id: string): Promise<JobRecord> {
    const record = await this.#parts.store.get(id);
    if (record === undefined) throw new JobUnknownError(id);
    return record;
  }

  #sweepLater(): void {
    this.#sweeper = callLater(SWEEP_EVERY, () => void this.#sweep(), undefined);
  }

  async #sweep(): Promise<void> {
    const { store, trouble } = this.#parts;
    try {
      // One batch at a time, so that between two of them others have their turn.
      while (this.#isWorking && (await store.sweep(SWEEP_AT_ONCE)) === SWEEP_AT_ONCE);
      await this.#schedules.mend(store);
    } catch (error) {
      trouble.meet(error);
    }
    if (this.#isWorking) this.#sweepLater();
  }

  #refuseClosed(what: string): void {
    if (this.#isEnded) throw new QueueClosedError(this.path, what);
  }

  #isEnded = false;

  async #end(): Promise<void> {
    this.#stopWork();
    await this.#worker.untilIdle();
    this.#isEnded = true;
    openQueues.delete(this);
    this.#waiting.close(new QueueClosedError(this.path, "to wait for a job"));
    await this.#parts.store.close();
  }
}

/** Whether the waiting occurrence of a schedule is another one than it says now. One that is due runs as it is. */
function isOutdated(waiting: JobRecord, next: NewJob): boolean {
  const { runAt = 0, input, name, priority } = waiting;
  if (runAt <= wall()) return false;
  return (
    runAt !== next.runAt ||
    name !== next.name ||
    priority !== next.priority ||
    JSON.stringify(input) !== next.input
  );
}
