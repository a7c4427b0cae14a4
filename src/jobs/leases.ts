import { callLater, clearTimer, now } from "../core/clock.ts";
import type { Timer } from "../core/clock.ts";
import type { JobStore } from "./engine.ts";
import type { RunningJob } from "./running-job.ts";
import type { Trouble } from "./trouble.ts";

/** A lease is renewed when a third of it is over; what could not be, is given up while so much of it is left. */
const RENEW_AFTER = 1 / 3;
const GIVE_UP_BEFORE = 1 / 6;
/** How often it is looked at in the time of one lease. */
const LOOKS = 12;

/**
 * Keeps the leases of what runs. An attempt whose lease cannot be renewed is told to stop before the lease ends, so that
 * by then, if it listens, nothing of it runs beside another worker's attempt.
 */
export class Leases {
  readonly #store: JobStore;
  readonly #length: number;
  readonly #running: ReadonlySet<RunningJob>;
  readonly #trouble: Trouble;
  #timer: Timer | undefined = undefined;
  #isChecking = false;
  #checkAgain = false;

  constructor(store: JobStore, length: number, running: ReadonlySet<RunningJob>, trouble: Trouble) {
    this.#store = store;
    this.#length = length;
    this.#running = running;
    this.#trouble = trouble;
  }

  /** Something runs: from now on it is looked at, until nothing does. */
  watch(): void {
    if (this.#timer?.isSet === true || this.#running.size === 0) return;
    this.#timer = callLater(this.#length / LOOKS, () => this.#look(), undefined);
  }

  /** Somebody may have cancelled what runs here: asks, once more where that happens while it asks. */
  check(): void {
    this.#checkAgain = true;
    if (this.#isChecking || this.#running.size === 0) return;
    this.#isChecking = true;
    this.#checkAgain = false;
    const jobs = [...this.#running];
    void this.#store
      .check(jobs.map((job) => job.lease))
      .then((states) => {
        for (const [at, job] of jobs.entries()) take(job, states[at]);
      })
      // The next renewal asks the same.
      .catch((error: unknown) => this.#trouble.meet(error))
      .then(() => {
        this.#isChecking = false;
        if (this.#checkAgain) this.check();
      });
  }

  stop(): void {
    clearTimer(this.#timer);
  }

  #look(): void {
    const moment = now();
    const due: RunningJob[] = [];
    for (const job of this.#running) {
      const left = job.leaseEnd - moment;
      if (left <= this.#length * GIVE_UP_BEFORE) job.loseLease();
      else if (left <= this.#length * (1 - RENEW_AFTER) && !job.isRenewing) due.push(job);
    }
    if (due.length > 0) void this.#renew(due);
    this.watch();
  }

  async #renew(jobs: readonly RunningJob[]): Promise<void> {
    for (const job of jobs) job.isRenewing = true;
    // Counted from before it was asked for: the engine counts from later.
    const from = now();
    try {
      const states = await this.#store.renew(jobs.map((job) => job.lease));
      for (const [at, job] of jobs.entries()) {
        if (states[at] !== "lost") job.leaseEnd = from + this.#length;
        take(job, states[at]);
      }
      this.#trouble.isOver();
    } catch (error) {
      this.#trouble.meet(error);
    } finally {
      for (const job of jobs) job.isRenewing = false;
    }
  }
}

function take(job: RunningJob, state: "held" | "cancel" | "lost" | undefined): void {
  if (state === "lost") job.loseLease();
  else if (state === "cancel") job.stop({ kind: "cancel", reason: undefined }, "the job was cancelled");
}
