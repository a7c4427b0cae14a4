import { callLater, clearTimer, nextTurn, now, wall } from "../core/clock.ts";
import type { Timer } from "../core/clock.ts";
import { outside } from "../core/context.ts";
import { given } from "../core/given.ts";
import type { ErrorInfo } from "../core/index.ts";
import { report } from "../core/reporter.ts";
import { OPEN } from "../core/scope-node.ts";
import type { ScopeNode } from "../core/scope-node.ts";
import { spawnInScope } from "../core/spawn.ts";
import { ABANDONED, AWAITED, extrasOf, stateOf } from "../core/task-node.ts";
import type { TaskNode } from "../core/task-node.ts";
import type { JobSettings } from "./define.ts";
import type { ClaimedJob, ClaimName, JobStore, Settlement } from "./engine.ts";
import type { JobEvents, JobRef } from "./events.ts";
import { Leases } from "./leases.ts";
import { linesOf } from "./lines.ts";
import { Notes } from "./notes.ts";
import { RunningJob } from "./running-job.ts";
import type { Schedules } from "./schedules.ts";
import { settlementOf } from "./settlement.ts";
import { Settling } from "./settling.ts";
import type { Trouble } from "./trouble.ts";
import type { Waiting } from "./waiting.ts";

/** After a claim that failed, in ms. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 5000;

/** How much later than here a lease may end in the engine, in ms. */
const LEASE_SLACK = 250;

const SOME_SETTLING = 100;

const END_OF_JOB: ReadonlySet<Settlement["end"]> = new Set(["succeeded", "failed", "cancelled"]);

/** What a worker works with. */
export interface WorkerParts {
  readonly scope: ScopeNode;
  readonly store: JobStore;
  readonly definitions: ReadonlyMap<string, JobSettings>;
  readonly concurrency: number;
  /** In ms. */
  readonly lease: number;
  readonly events: JobEvents;
  readonly waiting: Waiting;
  readonly schedules: Schedules;
  readonly trouble: Trouble;
}

/** A job whose lease is held here, whether or not it has begun. */
export interface Held {
  readonly claimed: ClaimedJob;
  /** What its function was given; undefined where it was not called. */
  readonly input?: unknown;
  readonly leaseEnd: number;
}

/** Claims jobs, runs each attempt as a task of the scope, and stores how it ended. */
export class Worker {
  readonly #parts: WorkerParts;
  readonly #running = new Set<RunningJob>();
  /** By name, how many of these. */
  readonly #counts = new Map<string, number>();
  /** Of these names nothing could be claimed when it was asked last, and nothing has happened since. */
  readonly #dry = new Set<string>();
  readonly #leases: Leases;
  readonly #notes: Notes;
  /** Ends that are not stored yet; the store is closed after that. */
  readonly #settling: Settling<Held>;
  /** Nothing more is claimed while so much is: the engine is slower at ends than at claims. */
  readonly #mostSettling: number;
  readonly #idleWaiters = new Set<() => void>();
  #isOpen = true;
  #isClaiming = false;
  #claimAgain = false;
  #isAboutToClaim = false;
  /** How long the last pause after trouble was, in ms. */
  #pause = 0;
  #isPausing = false;
  /** For what time alone makes claimable. */
  #timer: Timer | undefined = undefined;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    const { store, lease, trouble } = parts;
    this.#leases = new Leases(store, lease, this.#running, trouble);
    this.#notes = new Notes(store, this.#running, trouble);
    this.#mostSettling = 4 * parts.concurrency + SOME_SETTLING;
    this.#settling = new Settling<Held>({
      store,
      trouble,
      stored: (job, settlement) => this.#stored(job, settlement),
      lost: (job) => this.#lost(job),
      fewer: () => {
        if (this.#settling.count === this.#mostSettling - 1) this.#claim();
        this.#maybeIdle();
      },
    });
  }

  /** How many attempts run here. */
  get running(): number {
    return this.#running.size;
  }

  /** Something may be claimable: of this name, or of any. */
  wake(name?: string): void {
    if (name === undefined) this.#dry.clear();
    else if (!this.#dry.delete(name) && !this.#parts.definitions.has(name)) return;
    this.#claim();
  }

  /** Something that runs here may be cancelled. */
  check(): void {
    outside(() => this.#leases.check());
  }

  /** Stops what runs here of this job, if anything does. */
  cancel(id: string, reason: ErrorInfo): void {
    for (const job of this.#running) if (job.id === id) job.stop({ kind: "cancel", reason }, reason.message);
  }

  /** Claims nothing more. */
  stop(): void {
    this.#isOpen = false;
    clearTimer(this.#timer);
  }

  /** Resolves when nothing runs here, and how all has ended is stored. */
  async untilIdle(): Promise<void> {
    while (this.#running.size > 0 || this.#settling.count > 0 || this.#isClaiming) {
      await new Promise<void>((resolve) => this.#idleWaiters.add(resolve));
    }
    this.#leases.stop();
    this.#notes.stop();
  }

  /**
   * Claims when all that ends in this turn of the event loop has ended: once for all of them, and not first for one. Said
   * before their ends are stored, in the same turn: an engine that gathers what is begun in a turn has both together.
   */
  #claimAfterTurn(): void {
    if (this.#isAboutToClaim || !this.#isOpen) return;
    this.#isAboutToClaim = true;
    nextTurn(() => {
      this.#isAboutToClaim = false;
      this.#claim();
    });
  }

  #claim(): void {
    if (this.#isClaiming) {
      this.#claimAgain = true;
      return;
    }
    const limit = this.#parts.concurrency - this.#running.size;
    if (!this.#isOpen || limit <= 0 || this.#isPausing || this.#settling.count >= this.#mostSettling) return;
    const names = this.#wishes(limit);
    if (names.length === 0) return;
    this.#isClaiming = true;
    // Outside of whatever task woke it: what is claimed is not that one's.
    outside(() => void this.#claimNow(limit, names));
  }

  #wishes(limit: number): ClaimName[] {
    const names: ClaimName[] = [];
    for (const { name, concurrency, rate } of this.#parts.definitions.values()) {
      if (this.#dry.has(name)) continue;
      const room = Math.min(limit, concurrency - (this.#counts.get(name) ?? 0));
      if (room <= 0) continue;
      names.push(rate === undefined ? { name, limit: room } : { name, limit: room, rate });
    }
    return names;
  }

  async #claimNow(limit: number, names: readonly ClaimName[]): Promise<void> {
    const { store, lease, trouble } = this.#parts;
    this.#claimAgain = false;
    // What happens while it is asked may be too late for its answer: then these names are not dry.
    for (const { name } of names) this.#dry.add(name);
    // Counted from before it was asked for: the engine counts from later.
    const leaseEnd = now() + lease;
    try {
      const { jobs, nextIn } = await store.claim({ limit, names });
      trouble.isOver();
      this.#pause = 0;
      for (const claimed of jobs) this.#startOrRelease(claimed, leaseEnd);
      this.#noteFull(limit, names, jobs);
      if (nextIn !== undefined) this.#wakeIn(nextIn);
    } catch (error) {
      for (const { name } of names) this.#dry.delete(name);
      trouble.meet(error);
      this.#pauseAfterTrouble();
    } finally {
      this.#isClaiming = false;
    }
    if (this.#claimAgain || this.#dry.size < this.#parts.definitions.size) this.#claim();
    this.#maybeIdle();
  }

  /** Where a bound was reached, there may be more. */
  #noteFull(limit: number, names: readonly ClaimName[], jobs: readonly ClaimedJob[]): void {
    if (jobs.length >= limit) {
      for (const { name } of names) this.#dry.delete(name);
      return;
    }
    const got = new Map<string, number>();
    for (const { name } of jobs) got.set(name, (got.get(name) ?? 0) + 1);
    for (const { name, limit: room } of names) if ((got.get(name) ?? 0) >= room) this.#dry.delete(name);
  }

  #wakeIn(ms: number): void {
    const when = now() + ms;
    if (this.#timer?.isSet === true && this.#timer.when <= when) return;
    clearTimer(this.#timer);
    if (this.#isOpen) this.#timer = callLater(ms, () => this.wake(), undefined);
  }

  #pauseAfterTrouble(): void {
    this.#pause = Math.min(Math.max(FIRST_PAUSE, 2 * this.#pause), LONGEST_PAUSE);
    this.#isPausing = true;
    callLater(
      this.#pause,
      () => {
        this.#isPausing = false;
        this.wake();
      },
      undefined,
    );
  }

  #startOrRelease(claimed: ClaimedJob, leaseEnd: number): void {
    const { definitions, scope } = this.#parts;
    const { id, token } = claimed;
    const settings = definitions.get(claimed.name);
    const held = { claimed, leaseEnd };
    if (claimed.isCancelling) this.#settle(held, { id, token, end: "cancelled" });
    // The answer came too late to begin anything.
    else if (now() >= leaseEnd) this.#lost(held);
    else if (settings === undefined || !this.#isOpen || scope.state !== OPEN)
      this.#settle(held, { id, token, end: "released" });
    else this.#start(claimed, leaseEnd, settings);
  }

  #start(claimed: ClaimedJob, leaseEnd: number, settings: JobSettings): void {
    const { store, scope } = this.#parts;
    const job = new RunningJob(claimed, settings, store, leaseEnd, (one) => this.#notes.add(one));
    const attributes = { job: claimed.id, attempt: claimed.attempt };
    const options = { ...settings.task, attributes };
    const node = spawnInScope(scope, claimed.name, (task) => job.run(task), options, 0);
    job.node = node;
    extrasOf(node).onEnd = (ended) => this.#ended(job, ended);
    this.#running.add(job);
    this.#counts.set(claimed.name, (this.#counts.get(claimed.name) ?? 0) + 1);
    this.#leases.watch();
    if (this.#parts.events.isHeard)
      this.#parts.events.emit({ type: "start", at: wall(), text: `${refText(job)} begins`, job: refOf(job) });
  }

  #ended(job: RunningJob, node: TaskNode): void {
    this.#running.delete(job);
    this.#counts.set(job.name, (this.#counts.get(job.name) ?? 1) - 1);
    this.#claimAfterTurn();
    const settlement = settlementOf(job, node);
    // The failure of an attempt is the job's, and told when the job has failed.
    if (settlement?.end !== "failed") node.flags |= AWAITED;
    if (settlement === undefined) this.#lost(job);
    else this.#settle(job, settlement, stateOf(node) === ABANDONED ? node.id : undefined);
    this.#maybeIdle();
  }

  /** `abandoned`: the task that goes on all the same. */
  #settle(job: Held, settlement: Settlement, abandoned?: number): void {
    const isScheduled = job.claimed.schedule !== undefined && END_OF_JOB.has(settlement.end);
    let whole: Settlement | Promise<Settlement> = settlement;
    if (abandoned !== undefined) whole = withLines(job, settlement, abandoned);
    if (isScheduled) whole = this.#withNext(job, whole);
    this.#settling.add(job, whole);
  }

  async #withNext(job: Held, settlement: Settlement | Promise<Settlement>): Promise<Settlement> {
    const whole = await settlement;
    try {
      return given({ ...whole, next: await this.#parts.schedules.after(job) });
    } catch (error) {
      // The schedule is said again at the next start; how this one ended is known now.
      report("the next occurrence of a schedule could not be stored:", error);
      return whole;
    }
  }

  #stored(job: Held, settlement: Settlement): void {
    this.#tell(job, settlement);
    if (settlement.runAt !== undefined) this.#wakeIn(Math.max(0, settlement.runAt - wall()));
    this.#parts.waiting.ended(settlement);
  }

  #maybeIdle(): void {
    if (this.#idleWaiters.size === 0) return;
    for (const resolve of this.#idleWaiters) resolve();
    this.#idleWaiters.clear();
  }

  #lost(job: Held): void {
    const { events } = this.#parts;
    // It may be this worker that runs it next: the engine counts a lease from a little later than the worker.
    this.#wakeIn(Math.max(0, job.leaseEnd - now()) + LEASE_SLACK);
    if (!events.isHeard) return;
    const text = `${refText(job)} was lost: its lease could not be kept`;
    events.emit({ type: "lost", at: wall(), text, job: refOf(job) });
  }

  #tell(job: Held, { end, error, runAt = 0 }: Settlement): void {
    const { events } = this.#parts;
    if (!events.isHeard) return;
    const common = { at: wall(), job: refOf(job) };
    const who = refText(job);
    const when = new Date(runAt).toISOString();
    const why = error === undefined ? "" : `: ${error.message}`;
    switch (end) {
      case "again":
        if (error !== undefined)
          events.emit({
            ...common,
            type: "retry",
            error,
            runAt,
            text: `${who} failed${why}; again at ${when}`,
          });
        return;
      case "slept":
        events.emit({ ...common, type: "sleep", runAt, text: `${who} sleeps until ${when}` });
        return;
      case "released":
        events.emit({ ...common, type: "release", text: `${who} was handed back` });
        return;
      case "succeeded":
      case "failed":
      case "cancelled": {
        const text = `${who} ${end === "cancelled" ? "was cancelled" : end}${why}`;
        events.emit(given({ ...common, type: "end" as const, state: end, error, text }));
      }
    }
  }
}

/** With the lines at which its task stands. */
async function withLines(job: Held, settlement: Settlement, id: number): Promise<Settlement> {
  return given({ ...settlement, awaiting: await linesOf(id, (job.leaseEnd - now()) / 2) });
}

function refOf({ claimed: { id, name, key, attempt } }: Held): JobRef {
  return given({ id, name, key, attempt });
}

function refText({ claimed: { id, name, attempt } }: Held): string {
  return `${name} ${id}, attempt ${attempt},`;
}
