import { given } from "../../src/core/given.ts";
import type { ErrorInfo } from "../../src/core/index.ts";
import type {
  ClaimAnswer,
  ClaimedJob,
  ClaimRequest,
  Ended,
  EngineClock,
  Enqueued,
  Lease,
  LeaseState,
  NewJob,
  Note,
  Settlement,
  StoredStep,
} from "../../src/jobs/engine.ts";
import { expiredInfo, JobKeyConflictError, lapsedInfo, replacedInfo } from "../../src/jobs/errors.ts";
import type { AttemptEnd, JobEnd, JobPage, JobQuery, JobRecord, JobState } from "../../src/jobs/record.ts";
import { isEnded, type Row, type State, toClaimed, toRecord, toStats, toSummary } from "./memory-rows.ts";

/** Who claims: an opening's name, and how long its leases last. */
export interface Claimer {
  readonly worker: string;
  readonly lease: number;
}

export type Wake = "jobs" | "cancel" | "end";

/**
 * The jobs of the reference engine, and all that may be done with them, each at one go: nothing here waits. Small
 * rather than quick: every question looks at every job. The engines of broken.ts override one method each.
 */
export class MemoryJobs {
  state: State = {
    rows: new Map(),
    paused: new Set(),
    isPaused: false,
    starts: new Map(),
    seq: 0,
    changes: 0,
  };
  readonly clock: EngineClock;
  /** Who is to hear of what others did. */
  readonly listeners = new Set<(what: Wake) => void>();
  constructor(clock: EngineClock) {
    this.clock = clock;
  }

  enqueue(jobs: readonly NewJob[]): Enqueued[] {
    // First whether all can be stored, then all: a batch is stored whole or not at all.
    const inBatch = new Set<string>();
    for (const job of jobs) {
      if (job.key === undefined) continue;
      const holder = this.holderOf(job);
      const own = JSON.stringify([job.name, job.key]);
      if (job.onConflict === "reject" && (holder !== undefined || inBatch.has(own)))
        throw new JobKeyConflictError(job.name, job.key, holder?.id ?? "of the same batch");
      inBatch.add(own);
    }
    const answers = jobs.map((job) => this.store(job));
    this.tell("jobs");
    return answers;
  }

  protected store(job: NewJob): Enqueued {
    const holder = this.holderOf(job);
    if (holder !== undefined) {
      if (job.onConflict !== "replace") return { id: holder.id, isNew: false };
      this.cancel(holder.id, replacedInfo(job.key ?? ""));
    }
    const seq = ++this.state.seq;
    const id = `job-${seq}`;
    this.state.rows.set(id, {
      ...given({ runAt: job.runAt, expiresAt: job.expiresAt }),
      id,
      seq,
      job: structuredClone(job),
      state: "queued",
      createdAt: this.clock.wall(),
      attempt: 0,
      failures: 0,
      lapses: 0,
      token: 0,
      attempts: [],
      steps: [],
      log: [],
    });
    this.state.changes++;
    return { id, isNew: true };
  }

  /** The unfinished job of this name that has the key: the newest, where one that was replaced has not ended yet. */
  protected holderOf({ name, key }: NewJob, besides?: Row): Row | undefined {
    if (key === undefined) return undefined;
    return this.rows().findLast(
      (row) => row !== besides && !isEnded(row) && row.job.name === name && row.job.key === key,
    );
  }

  protected rows(): Row[] {
    return [...this.state.rows.values()];
  }

  claim(request: ClaimRequest, by: Claimer): ClaimAnswer {
    this.putRight();
    const jobs: ClaimedJob[] = [];
    const room = new Map(request.names.map((asked) => [asked.name, this.roomFor(asked, by)]));
    for (const row of this.rows().toSorted((a, b) => this.compare(a, b))) {
      const { name } = row.job;
      const left = room.get(name) ?? 0;
      if (jobs.length >= request.limit || left <= 0 || !this.isClaimable(row)) continue;
      room.set(name, left - 1);
      this.start(row, by);
      if (request.names.some((asked) => asked.name === name && asked.rate !== undefined))
        this.startsOf(name, by).push(this.clock.now());
      jobs.push(toClaimed(row));
    }
    return { jobs, ...given({ nextIn: this.nextIn(request, by) }) };
  }

  protected compare(a: Row, b: Row): number {
    return b.job.priority - a.job.priority || a.seq - b.seq;
  }

  protected isClaimable(row: Row): boolean {
    const { name, key, concurrencyKey } = row.job;
    if (row.state !== "queued" || this.state.isPaused || this.state.paused.has(name)) return false;
    if (!this.isDue(row)) return false;
    const running = this.rows().filter((other) => other.state === "running" && other.job.name === name);
    // One that was replaced, and has not ended.
    if (key !== undefined && running.some((other) => other.job.key === key)) return false;
    if (concurrencyKey === undefined) return true;
    const inUse = running.filter((other) => other.job.concurrencyKey === concurrencyKey).length;
    return inUse < this.boundOf(name, concurrencyKey);
  }

  protected isDue(row: Row): boolean {
    return row.runAt === undefined || row.runAt <= this.clock.wall();
  }

  protected boundOf(name: string, concurrencyKey: string): number {
    const newest = this.rows().findLast(
      ({ job }) => job.name === name && job.concurrencyKey === concurrencyKey,
    );
    return newest?.job.concurrencyPerKey ?? Infinity;
  }

  /** When jobs of this name were claimed. */
  protected startsOf(name: string, _by: Claimer): number[] {
    const starts = this.state.starts.get(name) ?? [];
    this.state.starts.set(name, starts);
    return starts;
  }

  protected roomFor({ name, limit, rate }: ClaimRequest["names"][number], by: Claimer): number {
    if (rate === undefined) return limit;
    const within = this.startsOf(name, by).filter((at) => at > this.clock.now() - rate.per);
    this.startsOf(name, by).splice(0, Infinity, ...within);
    return Math.min(limit, rate.count - within.length);
  }

  protected start(row: Row, by: Claimer): void {
    const startedAt = this.clock.wall();
    row.state = "running";
    row.attempt++;
    row.token++;
    row.startedAt = startedAt;
    row.holder = { worker: by.worker, lease: by.lease, endsAt: this.leaseClock() + by.lease };
    delete row.runAt;
    this.state.changes++;
    row.attempts.push({ attempt: row.attempt, worker: by.worker, startedAt });
    row.attempts.splice(0, row.attempts.length - 50);
  }

  protected leaseClock(): number {
    return this.clock.now();
  }

  protected nextIn({ names }: ClaimRequest, by: Claimer): number | undefined {
    let next = Infinity;
    for (const { name, rate } of names) {
      for (const row of this.rows()) {
        if (row.job.name !== name) continue;
        if (row.state === "queued" && row.runAt !== undefined && !this.isDue(row))
          next = Math.min(next, row.runAt - this.clock.wall());
        if (row.holder !== undefined) next = Math.min(next, row.holder.endsAt - this.leaseClock());
      }
      const [oldest] = rate === undefined ? [] : this.startsOf(name, by);
      if (oldest !== undefined && rate !== undefined)
        next = Math.min(next, oldest + rate.per - this.clock.now());
    }
    return next === Infinity ? undefined : Math.max(0, next);
  }

  /** Leases that have ended, and what may no longer begin. */
  protected putRight(): void {
    for (const row of this.rows()) {
      if (row.state === "running" && !this.isLeased(row)) this.lapse(row);
      if (row.state === "queued" && row.expiresAt !== undefined && row.expiresAt <= this.clock.wall())
        this.end(row, "failed", expiredInfo(row.expiresAt));
    }
  }

  protected isLeased(row: Row): boolean {
    return row.holder !== undefined && row.holder.endsAt > this.leaseClock();
  }

  protected lapse(row: Row): void {
    const error = lapsedInfo(row.holder?.worker ?? "somebody");
    this.endAttempt(row, "lapsed", { error });
    row.lapses++;
    if (row.lapses > row.job.maxLapses && row.cancelled === undefined) this.end(row, "failed", error);
    else this.requeue(row);
  }

  /** Whether this lease is good for anything. */
  protected isHeld({ id, token }: Lease): boolean {
    const row = this.state.rows.get(id);
    return row?.state === "running" && row.token === token && this.isLeased(row);
  }

  /** The job of a lease that is held. */
  protected held(lease: Lease): Row | undefined {
    return this.isHeld(lease) ? this.state.rows.get(lease.id) : undefined;
  }

  check(lease: Lease): LeaseState {
    const row = this.held(lease);
    if (row === undefined) return "lost";
    return row.cancelled === undefined ? "held" : "cancel";
  }

  renew(lease: Lease): LeaseState {
    const { holder } = this.held(lease) ?? {};
    this.state.changes++;
    if (holder !== undefined) holder.endsAt = this.leaseClock() + holder.lease;
    return this.check(lease);
  }

  note(note: Note): boolean {
    const row = this.held(note);
    if (row === undefined) return false;
    if (note.progress !== undefined) row.progress = structuredClone(note.progress);
    this.addLog(row, note.log ?? []);
    this.state.changes++;
    return true;
  }

  protected addLog(row: Row, log: NonNullable<Note["log"]>): void {
    row.log.push(...structuredClone(log));
    row.log.splice(0, row.log.length - 200);
  }

  recordStep(lease: Lease, step: StoredStep): boolean {
    const row = this.held(lease);
    if (row === undefined || row.steps.some(({ name }) => name === step.name)) return false;
    row.steps.push({ ...step });
    this.state.changes++;
    return true;
  }

  settle(settlement: Settlement): boolean {
    const row = this.held(settlement);
    if (row === undefined || !this.note(settlement)) return false;
    this.conclude(row, settlement);
    if (settlement.next !== undefined) this.store({ ...settlement.next, onConflict: "join" });
    this.tell("jobs");
    return true;
  }

  protected conclude(row: Row, settlement: Settlement): void {
    const { end, error, runAt, result } = settlement;
    this.endAttempt(row, end === "again" ? "failed" : end, settlement);
    if (end === "released" || end === "slept" || end === "again") {
      if (end === "again") {
        row.failures++;
        Object.assign(row, given({ error }));
      }
      this.requeue(row, end === "released" ? undefined : runAt);
      return;
    }
    if (end === "failed") row.failures++;
    if (result !== undefined) row.result = result;
    this.end(row, end, error);
  }

  protected endAttempt(row: Row, end: AttemptEnd, told: Pick<Settlement, "error" | "awaiting">): void {
    const latest = row.attempts.pop();
    const { error, awaiting } = structuredClone(told);
    if (latest !== undefined)
      row.attempts.push({ ...latest, end, endedAt: this.clock.wall(), ...given({ error, awaiting }) });
    delete row.holder;
    this.state.changes++;
  }

  /** Back to where it was in the order. What was asked to stop ends here: it runs nowhere. */
  protected requeue(row: Row, runAt?: number): void {
    row.state = "queued";
    if (runAt !== undefined) row.runAt = runAt;
    if (row.cancelled !== undefined) this.end(row, "cancelled");
  }

  protected end(row: Row, state: JobEnd, error?: ErrorInfo): void {
    row.state = state;
    row.endedAt = this.clock.wall();
    const why = error ?? (state === "cancelled" ? row.cancelled : undefined);
    if (why !== undefined) row.error = structuredClone(why);
    delete row.runAt;
    delete row.cancelled;
    this.state.changes++;
    this.tell("end");
    this.tell("jobs");
  }

  cancel(id: string, reason: ErrorInfo): JobState | undefined {
    const row = this.state.rows.get(id);
    if (row?.state === "queued") this.end(row, "cancelled", reason);
    if (row?.state === "running") this.askToStop(row, reason);
    return row?.state;
  }

  protected askToStop(row: Row, reason: ErrorInfo): void {
    row.cancelled ??= reason;
    this.state.changes++;
    this.tell("cancel");
  }

  retry(id: string, fromStart: boolean): boolean | undefined {
    const row = this.state.rows.get(id);
    if (row === undefined) return undefined;
    if (row.state !== "failed" && row.state !== "cancelled") return false;
    if (this.holderOf(row.job, row) !== undefined) return false;
    row.state = "queued";
    row.failures = 0;
    row.lapses = 0;
    delete row.expiresAt;
    delete row.endedAt;
    if (fromStart) row.steps.length = 0;
    this.state.changes++;
    this.tell("jobs");
    return true;
  }

  remove(id: string): boolean | undefined {
    const row = this.state.rows.get(id);
    if (row === undefined) return undefined;
    if (!isEnded(row)) return false;
    this.state.changes++;
    return this.state.rows.delete(id);
  }

  sweep(limit: number): number {
    const over = this.rows().filter((row) => this.isOver(row));
    return over.slice(0, limit).filter(({ id }) => this.remove(id)).length;
  }

  protected isOver(row: Row): boolean {
    const { succeeded, failed } = row.job.keep;
    const keep = row.state === "succeeded" ? succeeded : failed;
    return isEnded(row) && (row.endedAt ?? Infinity) + keep <= this.clock.wall();
  }

  setPaused(name: string | undefined, isPaused: boolean): void {
    if (name === undefined) this.state.isPaused = isPaused;
    else if (isPaused) this.state.paused.add(name);
    else this.state.paused.delete(name);
    this.state.changes++;
    if (!isPaused) this.tell("jobs");
  }

  get(id: string): JobRecord | undefined {
    const row = this.state.rows.get(id);
    return row && toRecord(row);
  }

  list({ name, state, key, schedule, limit, after }: JobQuery & { readonly limit: number }): JobPage {
    const found = this.rows().filter(
      (row) =>
        (name === undefined || row.job.name === name) &&
        (state === undefined || row.state === state) &&
        (key === undefined || row.job.key === key) &&
        (schedule === undefined || row.job.schedule?.name === schedule),
    );
    return this.page(
      found.toSorted((a, b) => b.seq - a.seq),
      limit,
      after,
    );
  }

  protected page(found: readonly Row[], limit: number, after: string | undefined): JobPage {
    const behind = found.filter(({ seq }) => after === undefined || seq < Number(after));
    const page = behind.slice(0, limit);
    const next = behind.length > limit ? page.at(-1)?.seq.toString() : undefined;
    return { jobs: page.map(toSummary), ...given({ next }) };
  }

  stats(): ReturnType<typeof toStats> {
    return toStats(this.state, (row) => this.isDue(row));
  }

  ended(ids: readonly string[]): Ended[] {
    return ids.flatMap((id): Ended[] => {
      const row = this.state.rows.get(id);
      if (row === undefined) return [{ id }];
      const { state, result, error } = row;
      if (state === "queued" || state === "running") return [];
      return [{ id, state, ...given({ result, error: state === "succeeded" ? undefined : error }) }];
    });
  }

  protected tell(what: Wake): void {
    for (const listener of this.listeners) listener(what);
  }
}
