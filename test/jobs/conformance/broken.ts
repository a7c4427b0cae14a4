import type {
  ClaimAnswer,
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
} from "../../../src/jobs/engine.ts";
import type { JobEnd, JobPage, JobQuery, JobState, JobStats } from "../../../src/jobs/record.ts";
import { type Claimer, MemoryJobs, type Wake } from "../memory-jobs.ts";
import { isEnded, type Row, toSummary } from "../memory-rows.ts";

/*
 * The reference engine with one defect each, named after it. Which case has to fail for each stands in
 * broken.test.ts.
 */

export class UnfencedCompletion extends MemoryJobs {
  protected override isHeld({ id }: Lease): boolean {
    return this.state.rows.get(id)?.state === "running";
  }
}

export class CompletionAfterTheLeaseEnded extends MemoryJobs {
  protected override isHeld({ id, token }: Lease): boolean {
    const row = this.state.rows.get(id);
    return row?.state === "running" && row.token === token;
  }
}

export class SettledTwice extends MemoryJobs {
  override settle(settlement: Settlement): boolean {
    const { state, token } = this.state.rows.get(settlement.id) ?? {};
    return super.settle(settlement) || (state === "succeeded" && token === settlement.token);
  }
}

export class LostEnqueueInABatch extends MemoryJobs {
  override enqueue(jobs: readonly NewJob[]): Enqueued[] {
    const answers = super.enqueue(jobs);
    if (answers.length > 2) this.state.rows.delete(answers.at(-1)?.id ?? "");
    return answers;
  }
}

export class HalfABatchIsKept extends MemoryJobs {
  override enqueue(jobs: readonly NewJob[]): Enqueued[] {
    return jobs.flatMap((job) => super.enqueue([job]));
  }
}

export class DuplicateKeyInABatch extends MemoryJobs {
  #before: ReadonlySet<Row> | undefined;
  override enqueue(jobs: readonly NewJob[]): Enqueued[] {
    this.#before = new Set(this.rows());
    const answers = super.enqueue(jobs);
    this.#before = undefined;
    return answers;
  }
  protected override holderOf(job: NewJob, besides?: Row): Row | undefined {
    const holder = super.holderOf(job, besides);
    return holder !== undefined && this.#before?.has(holder) === false ? undefined : holder;
  }
}

export class KeyRace extends MemoryJobs {
  readonly #fresh = new Set<string>();
  override enqueue(jobs: readonly NewJob[]): Enqueued[] {
    const answers = super.enqueue(jobs);
    for (const { id } of answers) this.#fresh.add(id);
    queueMicrotask(() => this.#fresh.clear());
    return answers;
  }
  protected override holderOf(job: NewJob, besides?: Row): Row | undefined {
    const holder = super.holderOf(job, besides);
    return holder !== undefined && this.#fresh.has(holder.id) ? undefined : holder;
  }
}

export class KeyNotFreed extends MemoryJobs {
  protected override holderOf({ name, key }: NewJob, besides?: Row): Row | undefined {
    if (key === undefined) return undefined;
    return this.rows().findLast((row) => row !== besides && row.job.name === name && row.job.key === key);
  }
}

export class KeysCompareLoosely extends MemoryJobs {
  protected override holderOf({ name, key }: NewJob, besides?: Row): Row | undefined {
    if (key === undefined) return undefined;
    const isSame = (other = "\u0000"): boolean =>
      other.localeCompare(key, "en", { sensitivity: "base" }) === 0;
    return this.rows().findLast(
      (row) => row !== besides && !isEnded(row) && row.job.name === name && isSame(row.job.key),
    );
  }
}

export class ReplaceLeavesTheOldOne extends MemoryJobs {
  override cancel(id: string, reason: { name: string; message: string }): JobState | undefined {
    if (reason.name === "JobReplacedError" && this.state.rows.get(id)?.state === "queued") return "queued";
    return super.cancel(id, reason);
  }
}

export class SuccessorTooEarly extends MemoryJobs {
  protected override isClaimable(row: Row): boolean {
    const { key: _, ...job } = row.job;
    return super.isClaimable({ ...row, job });
  }
}

export class ExpiryIsDropped extends MemoryJobs {
  protected override store(job: NewJob): Enqueued {
    const { expiresAt: _, ...rest } = job;
    return super.store(rest);
  }
}

export class ExpiryIsIgnored extends MemoryJobs {
  protected override putRight(): void {
    for (const row of this.rows()) if (row.state === "running" && !this.isLeased(row)) this.lapse(row);
  }
}

export class PriorityIgnored extends MemoryJobs {
  protected override compare(a: Row, b: Row): number {
    return a.seq - b.seq;
  }
}

export class LimitsIgnored extends MemoryJobs {
  protected override roomFor(asked: ClaimRequest["names"][number], by: Claimer): number {
    return super.roomFor({ ...asked, limit: Infinity }, by);
  }
}

export class WorkerForgotten extends MemoryJobs {
  protected override start(row: Row, by: Claimer): void {
    super.start(row, { ...by, worker: "somebody" });
  }
}

export class DoubleClaim extends MemoryJobs {
  readonly #fresh = new Set<Row>();
  protected override isClaimable(row: Row): boolean {
    return this.#fresh.has(row) || super.isClaimable(row);
  }
  protected override start(row: Row, by: Claimer): void {
    super.start(row, by);
    this.#fresh.add(row);
    queueMicrotask(() => this.#fresh.clear());
  }
}

export class DoubleClaimAndEverySettlementWritten extends DoubleClaim {
  override settle(settlement: Settlement): boolean {
    super.settle(settlement);
    return true;
  }
}

export class TokenDoesNotGrow extends MemoryJobs {
  protected override start(row: Row, by: Claimer): void {
    super.start(row, by);
    row.token = 1;
  }
}

export class PauseOfANameIgnored extends MemoryJobs {
  override setPaused(name: string | undefined, isPaused: boolean): void {
    if (name === undefined) super.setPaused(name, isPaused);
  }
}

export class PauseOfAllHoldsKnownNames extends MemoryJobs {
  override setPaused(name: string | undefined, isPaused: boolean): void {
    if (name !== undefined) super.setPaused(name, isPaused);
    else for (const row of this.rows()) super.setPaused(row.job.name, isPaused);
  }
}

export class ConcurrencyPerOpening extends MemoryJobs {
  #by = "";
  override claim(request: ClaimRequest, by: Claimer): ClaimAnswer {
    this.#by = by.worker;
    return super.claim(request, by);
  }
  protected override rows(): Row[] {
    const hidden = (row: Row): boolean =>
      row.job.concurrencyKey !== undefined && row.state === "running" && row.holder?.worker !== this.#by;
    return super.rows().filter((row) => !hidden(row));
  }
}

export class SleepersKeepTheirPlace extends MemoryJobs {
  protected override isClaimable(row: Row): boolean {
    const { name, concurrencyKey } = row.job;
    const sleepers = this.rows().filter(
      (other) =>
        other.state === "queued" &&
        other.job.concurrencyKey === concurrencyKey &&
        other.job.name === name &&
        other.attempt > 0 &&
        !this.isDue(other),
    );
    return super.isClaimable(row) && (concurrencyKey === undefined || sleepers.length === 0);
  }
}

export class RatePerOpening extends MemoryJobs {
  protected override startsOf(name: string, by: Claimer): number[] {
    return super.startsOf(`${by.worker} ${name}`, by);
  }
}

export class RateInFixedWindows extends MemoryJobs {
  protected override roomFor({ name, limit, rate }: ClaimRequest["names"][number], by: Claimer): number {
    if (rate === undefined) return limit;
    const from = Math.floor(this.clock.now() / rate.per) * rate.per;
    const within = this.startsOf(name, by).filter((at) => at >= from);
    return Math.min(limit, rate.count - within.length);
  }
}

export class DelaysIgnored extends MemoryJobs {
  protected override isDue(): boolean {
    return true;
  }
}

export class NextInForgotten extends MemoryJobs {
  protected override nextIn(): undefined {
    return undefined;
  }
}

export class SleepersGoToTheBack extends MemoryJobs {
  protected override conclude(row: Row, settlement: Settlement): void {
    super.conclude(row, settlement);
    if (settlement.end === "slept" || settlement.end === "again") row.seq = ++this.state.seq;
  }
}

export class WallClockForLeases extends MemoryJobs {
  protected override leaseClock(): number {
    return this.clock.wall();
  }
}

export class DueByTheSteadyClock extends MemoryJobs {
  readonly #offset: number;
  constructor(clock: EngineClock) {
    super(clock);
    this.#offset = clock.wall() - clock.now();
  }
  protected override isDue(row: Row): boolean {
    return row.runAt === undefined || row.runAt <= this.clock.now() + this.#offset;
  }
}

export class ErrorForgotten extends MemoryJobs {
  protected override conclude(row: Row, { error, ...rest }: Settlement): void {
    super.conclude(row, rest);
  }
}

export class ForgottenRelease extends MemoryJobs {
  protected override conclude(row: Row, settlement: Settlement): void {
    if (settlement.end !== "released") super.conclude(row, settlement);
  }
}

export class ReleasedCountsAsFailure extends MemoryJobs {
  protected override conclude(row: Row, settlement: Settlement): void {
    super.conclude(row, settlement);
    if (settlement.end === "released") row.failures++;
  }
}

export class ReleasedGoesToTheBack extends MemoryJobs {
  protected override conclude(row: Row, settlement: Settlement): void {
    super.conclude(row, settlement);
    if (settlement.end === "released") row.seq = ++this.state.seq;
  }
}

export class AttemptsUnbounded extends MemoryJobs {
  protected override start(row: Row, by: Claimer): void {
    const before = [...row.attempts];
    super.start(row, by);
    row.attempts.unshift(...before.slice(0, before.length + 1 - row.attempts.length));
  }
}

export class LogUnbounded extends MemoryJobs {
  protected override addLog(row: Row, log: NonNullable<Note["log"]>): void {
    row.log.push(...log);
  }
}

export class StepRecordedTwice extends MemoryJobs {
  override recordStep(lease: Lease, step: StoredStep): boolean {
    const row = this.held(lease);
    row?.steps.push({ ...step });
    return row !== undefined;
  }
}

export class NextJoinsTheOneThatEnds extends MemoryJobs {
  override settle(settlement: Settlement): boolean {
    const { next, ...rest } = settlement;
    if (next !== undefined && this.isHeld(settlement)) this.store({ ...next, onConflict: "join" });
    return super.settle(rest);
  }
}

export class NextThoughRefused extends MemoryJobs {
  override settle(settlement: Settlement): boolean {
    const { next, ...rest } = settlement;
    const isWritten = super.settle(rest);
    if (next !== undefined) this.store({ ...next, onConflict: "join" });
    return isWritten;
  }
}

export class CancelOfAnEndedOne extends MemoryJobs {
  override cancel(id: string, reason: { name: string; message: string }): JobState | undefined {
    const row = this.state.rows.get(id);
    if (row?.state === "succeeded") this.end(row, "cancelled", reason);
    return super.cancel(id, reason);
  }
}

export class CancelNotPassedToRunning extends MemoryJobs {
  protected override askToStop(): void {
    this.tell("cancel");
  }
}

export class HandedBackIsQueuedThoughCancelled extends MemoryJobs {
  protected override requeue(row: Row, runAt?: number): void {
    delete row.cancelled;
    super.requeue(row, runAt);
  }
}

export class RetryKeepsCounts extends MemoryJobs {
  override retry(id: string, fromStart: boolean): boolean | undefined {
    const row = this.state.rows.get(id);
    const { failures = 0, lapses = 0 } = row ?? {};
    const isQueued = super.retry(id, fromStart);
    if (row !== undefined && isQueued === true) Object.assign(row, { failures, lapses });
    return isQueued;
  }
}

export class RetryThoughItsKeyIsTaken extends MemoryJobs {
  protected override holderOf(job: NewJob, besides?: Row): Row | undefined {
    return besides === undefined ? super.holderOf(job) : undefined;
  }
}

export class RemovesWhatRuns extends MemoryJobs {
  override remove(id: string): boolean | undefined {
    return this.state.rows.has(id) ? this.state.rows.delete(id) : undefined;
  }
}

export class ForEverIsNothing extends MemoryJobs {
  protected override isOver(row: Row): boolean {
    // What becomes of Infinity in JSON.
    const keep = JSON.parse(JSON.stringify(row.job.keep)) as NewJob["keep"];
    return super.isOver({ ...row, job: { ...row.job, keep } });
  }
}

export class PagingByOffset extends MemoryJobs {
  protected override page(found: readonly Row[], limit: number, after = "0"): JobPage {
    const until = Number(after) + limit;
    const jobs = found.slice(Number(after), until).map(toSummary);
    return found.length > until ? { jobs, next: String(until) } : { jobs };
  }
}

export class ScheduleIsNoFilter extends MemoryJobs {
  override list({ schedule, ...query }: JobQuery & { readonly limit: number }): JobPage {
    return super.list(query);
  }
}

export class StatsForgetCancelled extends MemoryJobs {
  override stats(): JobStats {
    return { ...super.stats(), cancelled: 0 };
  }
}

export class EndedOfAll extends MemoryJobs {
  override ended(ids: readonly string[]): Ended[] {
    const known = super.ended(ids);
    return ids.map((id) => known.find((one) => one.id === id) ?? { id });
  }
}

export class ResultWrittenAnew extends MemoryJobs {
  override settle(settlement: Settlement): boolean {
    const { result } = settlement;
    if (result === undefined) return super.settle(settlement);
    return super.settle({ ...settlement, result: JSON.stringify(JSON.parse(result)) });
  }
}

export class TextsEndAtNul extends MemoryJobs {
  protected override conclude(row: Row, settlement: Settlement): void {
    const { error } = settlement;
    const cut = error && { ...error, message: error.message.split("\u0000")[0] ?? "" };
    super.conclude(row, cut === undefined ? settlement : { ...settlement, error: cut });
  }
}

export class WakeLost extends MemoryJobs {
  protected override tell(_what: Wake): void {
    // Nobody hears.
  }
}

export class OnlySettlementsTellOfAnEnd extends MemoryJobs {
  #isSilent = true;
  override settle(settlement: Settlement): boolean {
    this.#isSilent = false;
    const isWritten = super.settle(settlement);
    this.#isSilent = true;
    return isWritten;
  }
  protected override tell(what: Wake): void {
    if (what !== "end" || !this.#isSilent) super.tell(what);
  }
}

export class RenewDoesNotExtend extends MemoryJobs {
  override renew(lease: Lease): LeaseState {
    return this.check(lease);
  }
}

export class CheckExtends extends MemoryJobs {
  override check(lease: Lease): LeaseState {
    const { holder } = this.held(lease) ?? {};
    if (holder !== undefined) holder.endsAt = this.leaseClock() + holder.lease;
    return super.check(lease);
  }
}

export class LapsesUnbounded extends MemoryJobs {
  protected override end(row: Row, state: JobEnd, error?: Row["error"]): void {
    if (error?.code === "HF_LEASE_LAPSED") this.requeue(row);
    else super.end(row, state, error);
  }
}

export class LapsedIsNotReclaimed extends MemoryJobs {
  protected override lapse(): void {
    // It stays as it is.
  }
}

export class LapsedKeepsItsPlace extends MemoryJobs {
  protected override isClaimable(row: Row): boolean {
    const { concurrencyKey } = row.job;
    const isTaken = this.rows().some(
      (other) => other !== row && other.lapses > 0 && other.job.concurrencyKey === concurrencyKey,
    );
    return super.isClaimable(row) && (concurrencyKey === undefined || !isTaken);
  }
}
