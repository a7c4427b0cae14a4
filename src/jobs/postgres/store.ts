import type { ErrorInfo } from "../../core/index.ts";
import type {
  ClaimAnswer,
  ClaimRequest,
  Ended,
  Enqueued,
  JobStore,
  Lease,
  LeaseState,
  NewJob,
  Note,
  Settlement,
  StoredStep,
} from "../engine.ts";
import { EngineError } from "../errors.ts";
import type { JobPage, JobQuery, JobRecord, JobState, JobStats } from "../record.ts";
import { Alarm } from "./alarm.ts";
import { Batches } from "./batches.ts";
import { claimJobs } from "./claim.ts";
import { cancelJob, removeJob, retryJob, setPaused } from "./control.ts";
import { store } from "./enqueue.ts";
import { storeWith } from "./foreign.ts";
import type { Ground } from "./ground.ts";
import { checkLeases, recordStep, renewLeases, writeNotes } from "./leases.ts";
import { mend } from "./mend.ts";
import { countJobs, endedOf, getJob, listJobs } from "./reads.ts";
import { settle } from "./settle.ts";
import type { Signals } from "./signals.ts";
import { sweepJobs } from "./sweep.ts";

/** How often the leases of others are looked at, at most, however often claims come. */
const mendEvery = 250;

/** An opened store: each method is an operation of a file of its own. */
export class PostgresStore implements JobStore {
  readonly #ground: Ground;
  readonly #signals: Signals;
  readonly #release: () => Promise<void>;
  readonly #alarm: Alarm;
  readonly #enqueues: Batches<readonly NewJob[], readonly Enqueued[]>;
  readonly #settlements: Batches<readonly Settlement[], readonly boolean[]>;
  readonly #underWay = new Set<Promise<unknown>>();
  #mendedAt = -Infinity;
  #closing: Promise<void> | undefined;

  constructor(ground: Ground, signals: Signals, release: () => Promise<void>) {
    this.#ground = ground;
    this.#signals = signals;
    this.#release = release;
    this.#alarm = new Alarm(ground, (error) => signals.trouble(error));
    this.#enqueues = new Batches(2, (all) => this.#enqueueAll(all));
    this.#settlements = new Batches(2, (all) => this.#settleAll(all));
  }

  enqueue(jobs: readonly NewJob[], client?: unknown): Promise<readonly Enqueued[]> {
    return this.#do(async () => {
      if (jobs.length === 0) return [];
      await this.#ground.queues.make(new Set(jobs.map(({ name }) => name)));
      if (client !== undefined) return storeWith(client, this.#ground, jobs);
      const stored = await this.#enqueues.add(jobs);
      if (this.#ground.context.work && stored.some(({ isNew }) => isNew)) this.#ground.context.wake("jobs");
      return stored;
    });
  }

  claim(request: ClaimRequest): Promise<ClaimAnswer> {
    return this.#do(async () => {
      const names = request.names.map(({ name }) => name);
      await this.#ground.queues.make(names);
      if (names.length === 0) return { jobs: [] };
      const answer = request.limit <= 0 ? { jobs: [] } : await this.#claim(request);
      // Behind the claim, so as not to be in its way: mostly there is nothing to mend.
      const mending = this.#mend(names);
      if (answer.jobs.length >= request.limit) {
        this.#track(mending);
        return answer;
      }
      this.#alarm.ask(names);
      return (await mending) ? this.#claimMore(request, answer) : answer;
    });
  }

  renew(leases: readonly Lease[]): Promise<readonly LeaseState[]> {
    return this.#do(() => renewLeases(this.#ground, leases));
  }

  check(leases: readonly Lease[]): Promise<readonly LeaseState[]> {
    return this.#do(() => checkLeases(this.#ground, leases));
  }

  settle(settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    return this.#do(async () => (settlements.length === 0 ? [] : this.#settlements.add(settlements)));
  }

  recordStep(lease: Lease, step: StoredStep): Promise<boolean> {
    return this.#do(() => recordStep(this.#ground, lease, step));
  }

  note(notes: readonly Note[]): Promise<readonly boolean[]> {
    return this.#do(() => writeNotes(this.#ground, notes));
  }

  cancel(id: string, reason: ErrorInfo): Promise<JobState | undefined> {
    return this.#do(() => cancelJob(this.#ground, id, reason));
  }

  retry(id: string, fromStart: boolean): Promise<boolean | undefined> {
    return this.#do(async () => {
      const isQueued = await retryJob(this.#ground, id, fromStart);
      if (isQueued === true) this.#wakeJobs();
      return isQueued;
    });
  }

  remove(id: string): Promise<boolean | undefined> {
    return this.#do(() => removeJob(this.#ground, id));
  }

  pause(name: string | undefined): Promise<void> {
    return this.#do(() => setPaused(this.#ground, name, true));
  }

  resume(name: string | undefined): Promise<void> {
    return this.#do(async () => {
      await setPaused(this.#ground, name, false);
      this.#wakeJobs();
    });
  }

  sweep(limit: number): Promise<number> {
    return this.#do(async () => (limit <= 0 ? 0 : sweepJobs(this.#ground, limit)));
  }

  get(id: string): Promise<JobRecord | undefined> {
    return this.#do(() => getJob(this.#ground, id));
  }

  list(query: JobQuery & { readonly limit: number }): Promise<JobPage> {
    return this.#do(() => listJobs(this.#ground, query));
  }

  stats(): Promise<JobStats> {
    return this.#do(() => countJobs(this.#ground));
  }

  ended(ids: readonly string[]): Promise<readonly Ended[]> {
    return this.#do(() => endedOf(this.#ground, ids));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#alarm.close();
    await Promise.allSettled(this.#underWay);
    this.#signals.close();
    await this.#release();
  }

  #do<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined)
      return Promise.reject(new EngineError("HF_ENGINE_CLOSED", this.#ground.name, "it was closed"));
    const answer = operation();
    this.#track(answer);
    return answer;
  }

  #track(work: Promise<unknown>): void {
    this.#underWay.add(work);
    const forget = (): void => void this.#underWay.delete(work);
    work.then(forget, forget);
  }

  async #claim(request: ClaimRequest): Promise<ClaimAnswer> {
    const { jobs, nextIn, hasEnded } = await claimJobs(this.#ground, request);
    if (hasEnded) this.#hasEnded();
    return { jobs, ...(nextIn === undefined ? {} : { nextIn }) };
  }

  /** What was mended meanwhile may be claimable, within the room that is left. */
  async #claimMore(request: ClaimRequest, first: ClaimAnswer): Promise<ClaimAnswer> {
    const names = request.names.map((name) => ({
      ...name,
      limit: name.limit - first.jobs.filter((job) => job.name === name.name).length,
    }));
    try {
      const more = await this.#claim({ limit: request.limit - first.jobs.length, names });
      return { ...more, jobs: [...first.jobs, ...more.jobs] };
    } catch (error) {
      // Who has claimed something has to hear of it.
      if (first.jobs.length === 0) throw error;
      return first;
    }
  }

  /** Answers with whether something was put right. */
  async #mend(names: readonly string[]): Promise<boolean> {
    const now = this.#ground.context.clock.now();
    if (now - this.#mendedAt < mendEvery) return false;
    this.#mendedAt = now;
    try {
      const mended = await mend(this.#ground, names);
      if (mended?.hasEnded === true) this.#hasEnded();
      // There may be more than this one has room for.
      if (mended !== undefined) this.#signals.say("jobs");
      return mended !== undefined;
    } catch (error) {
      this.#signals.trouble(error);
      return false;
    }
  }

  async #enqueueAll(all: readonly (readonly NewJob[])[]): Promise<readonly (readonly Enqueued[])[]> {
    return this.#ground.database.transaction(async (tx) => {
      const stored = await store(tx, this.#ground, all.flat());
      let from = 0;
      return all.map((jobs) => stored.slice(from, (from += jobs.length)));
    });
  }

  async #settleAll(all: readonly (readonly Settlement[])[]): Promise<readonly (readonly boolean[])[]> {
    const { written, hasEnded, hasQueued } = await settle(this.#ground, all.flat());
    if (hasEnded) this.#signals.say("end");
    if (hasQueued) {
      this.#signals.say("jobs");
      this.#wakeJobs();
    }
    let from = 0;
    return all.map((some) => written.slice(from, (from += some.length)));
  }

  #hasEnded(): void {
    this.#signals.say("end");
    // Who waits here hears of what nobody here has done.
    this.#ground.context.wake("end");
  }

  #wakeJobs(): void {
    if (this.#ground.context.work) this.#ground.context.wake("jobs");
  }
}
