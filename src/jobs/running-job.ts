import { cancelTask } from "../core/cancel.ts";
import { now, wall } from "../core/clock.ts";
import { badOption, toFunction, toMs, toName } from "../core/duration.ts";
import { given } from "../core/given.ts";
import { isTerminal } from "../core/task-node.ts";
import type { TaskNode } from "../core/task-node.ts";
import { inMotion } from "../core/work.ts";
import type { Duration, ErrorInfo, Progress, TaskContext } from "../core/index.ts";
import type { JobSettings } from "./define.ts";
import type { ClaimedJob, JobStore, Lease, Note, StoredStep } from "./engine.ts";
import { EngineError, JobStepError, LeaseLostError } from "./errors.ts";
import { readInput } from "./input.ts";
import type { JobContext } from "./job-context.ts";
import { persist } from "./persist.ts";
import type { JobLogLine } from "./record.ts";

/** Why an attempt was told to stop, where it was the queue that told it. */
export type StopWhy =
  | { readonly kind: "cancel"; readonly reason: ErrorInfo | undefined }
  | { readonly kind: "sleep"; readonly runAt: number }
  | { readonly kind: "lease" };

/** What is longer gives back the worker and the lease, in ms. */
const LONG_SLEEP = 5000;
/** Under such names the moments are stored at which sleeps are over. */
const RESERVED = "holdfast:";
const MAX_NAME = 200;
const MAX_LOG_LINES = 200;
const MAX_LINE = 2000;

/** One attempt at a job, while it runs: what its function sees of it, and what the worker needs to know. */
export class RunningJob implements JobContext {
  readonly claimed: ClaimedJob;
  readonly settings: JobSettings;
  /** Until when the lease certainly lasts, on the clock of `now()`. */
  leaseEnd: number;
  /** A renewal of it is under way. */
  isRenewing = false;
  why: StopWhy | undefined = undefined;
  node: TaskNode | undefined = undefined;
  /** What its function was given. */
  input: unknown = undefined;
  readonly #store: JobStore;
  readonly #onNews: (job: RunningJob) => void;
  #task: TaskContext | undefined = undefined;
  /** By name; those of earlier attempts, and of this one. Made when there is one, as most jobs have none. */
  #steps: Map<string, StoredStep> | undefined = undefined;
  #used: Set<string> | undefined = undefined;
  #sleeps = 0;
  #progress: Progress | undefined = undefined;
  #log: JobLogLine[] = [];

  constructor(
    claimed: ClaimedJob,
    settings: JobSettings,
    store: JobStore,
    leaseEnd: number,
    onNews: (job: RunningJob) => void,
  ) {
    this.claimed = claimed;
    this.settings = settings;
    this.leaseEnd = leaseEnd;
    this.#store = store;
    this.#onNews = onNews;
    for (const step of claimed.steps) this.#keep(step);
  }

  get id(): string {
    return this.claimed.id;
  }
  get name(): string {
    return this.claimed.name;
  }
  get key(): string | undefined {
    return this.claimed.key;
  }
  get attempt(): number {
    return this.claimed.attempt;
  }
  get failures(): number {
    return this.claimed.failures;
  }
  get signal(): AbortSignal {
    return this.task.signal;
  }
  get draining(): AbortSignal {
    return this.task.draining;
  }
  get task(): TaskContext {
    // There from the first moment at which somebody can ask.
    return this.#task as TaskContext;
  }
  get lease(): Lease {
    return { id: this.claimed.id, token: this.claimed.token };
  }

  /** The body of the task that this attempt is. */
  run(task: TaskContext): unknown {
    this.#task = task;
    const { settings, claimed } = this;
    const begin = (input: unknown): unknown => {
      this.input = input;
      return settings.run(input, this);
    };
    // Not awaited where there is nothing to await: an attempt begins in the turn in which its task does.
    if (settings.schema === undefined) return begin(JSON.parse(claimed.input));
    return readInput(claimed.name, claimed.id, claimed.input, settings.schema).then(begin);
  }

  async step<T>(name: string, fn: () => T | PromiseLike<T>): Promise<T> {
    toFunction(fn, "fn");
    if (toName(name, "step").startsWith(RESERVED) || name.length > MAX_NAME)
      throw badOption("step", name, `at most ${MAX_NAME} characters, not beginning with ${RESERVED}`);
    const used = (this.#used ??= new Set());
    if (used.has(name))
      throw new JobStepError(this.name, this.id, name, "was begun before in this attempt: names are unique");
    used.add(name);
    const before = this.#steps?.get(name);
    if (before !== undefined) return JSON.parse(before.value) as T;
    this.task.throwIfCancelled();
    // Somebody else may have the job, and have done this: its timers may be late to say so, where the loop stood.
    if (now() >= this.leaseEnd) throw this.loseLease();
    const value = this.#toJson(name, await fn());
    await this.#record({ name, value, at: wall() });
    return JSON.parse(value) as T;
  }

  async sleep(duration: Duration): Promise<void> {
    const ms = toMs(duration, "sleep");
    const name = `${RESERVED}sleep:${++this.#sleeps}`;
    const before = this.#steps?.get(name);
    const until = before === undefined ? wall() + ms : Number(before.value);
    const left = until - wall();
    if (left > LONG_SLEEP) {
      if (before === undefined) await this.#record({ name, value: String(until), at: wall() });
      this.stop({ kind: "sleep", runAt: until }, `it sleeps until ${new Date(until).toISOString()}`);
    }
    // Of a long sleep this rejects at once: the attempt is being cancelled.
    if (left > 0) await this.task.sleep(left);
  }

  progress(done: number, total?: number, note?: string): void {
    this.task.progress(done, total, note);
    this.#progress = given({ done, total, note, at: wall() });
    this.#onNews(this);
  }

  log(text: string): void {
    const line = String(text);
    this.#log.push({
      at: wall(),
      attempt: this.attempt,
      text: line.length > MAX_LINE ? `${line.slice(0, MAX_LINE - 1)}…` : line,
    });
    if (this.#log.length > MAX_LOG_LINES) this.#log.shift();
    this.#onNews(this);
  }

  /** Tells it to stop; the first reason counts. */
  stop(why: StopWhy, reason: unknown): void {
    const { node } = this;
    if (this.why !== undefined || node === undefined || isTerminal(node)) return;
    this.why = why;
    inMotion(() => cancelTask(node, { source: "task", by: undefined, reason, grace: Infinity }), undefined);
  }

  /** It is no longer this worker's. Returns what to throw. */
  loseLease(): LeaseLostError {
    const error = new LeaseLostError(this.name, this.id);
    // Whatever it was to stop for before: nothing of it can be stored any more.
    if (this.why !== undefined) this.why = { kind: "lease" };
    this.stop({ kind: "lease" }, error);
    return error;
  }

  /** What it has said since it was asked last; undefined: nothing. */
  takeNews(): Note | undefined {
    if (this.#progress === undefined && this.#log.length === 0) return undefined;
    const log = this.#log.length === 0 ? undefined : this.#log;
    const note = given({ ...this.lease, progress: this.#progress, log });
    this.#progress = undefined;
    this.#log = [];
    return note;
  }

  /** It could not be stored: it stays to be said. */
  putBack({ progress, log = [] }: Note): void {
    this.#progress ??= progress;
    this.#log = [...log, ...this.#log].slice(-MAX_LOG_LINES);
  }

  #toJson(step: string, value: unknown): string {
    try {
      return JSON.stringify(value) ?? "null";
    } catch (error) {
      throw new JobStepError(this.name, this.id, step, "returned what is no JSON", error);
    }
  }

  async #record(step: StoredStep): Promise<void> {
    let isUnsure = false;
    const ask = async (): Promise<boolean> => {
      try {
        return await this.#store.recordStep(this.lease, step);
      } catch (error) {
        isUnsure ||= error instanceof EngineError && error.code === "HF_ENGINE_UNSURE";
        throw error;
      }
    };
    const isOver = (): boolean => now() >= this.leaseEnd;
    let isStored = await persist(ask, isOver);
    if (!isStored && isUnsure) {
      // The answer that was lost may have been yes: then the name is taken by this very step.
      const [state] = await persist(() => this.#store.check([this.lease]), isOver);
      isStored = state !== "lost";
    }
    if (!isStored) throw this.loseLease();
    this.#keep(step);
  }

  #keep(step: StoredStep): void {
    (this.#steps ??= new Map()).set(step.name, step);
  }
}
