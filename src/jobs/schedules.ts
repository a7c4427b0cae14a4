import { wall } from "../core/clock.ts";
import { given } from "../core/given.ts";
import { loadCroner, readCron } from "../core/schedule.ts";
import type { Cron, CronModule } from "../core/schedule.ts";
import type { JobSettings } from "./define.ts";
import type { Enqueued, JobStore, NewJob, StoredSchedule } from "./engine.ts";
import { newJob } from "./new-job.ts";
import type { JobInput } from "./new-job.ts";
import type { Held } from "./worker.ts";

/** By this key the one waiting occurrence of a schedule is known. */
export function keyOf(schedule: string): string {
  return `schedule:${schedule}`;
}

/** A schedule, and what its occurrences are made of. */
export interface OwnSchedule {
  readonly schedule: StoredSchedule;
  readonly settings: JobSettings;
  readonly input: JobInput;
  readonly priority: number | undefined;
  /** The occurrence that waited when it was asked last. */
  last?: { readonly id: string; readonly runAt: number } | undefined;
}

/**
 * A schedule is a chain of jobs: each occurrence, when it ends, stores the next one in the same moment. So it goes on
 * whoever runs it; one that is missed while nobody works is run once, later; and two never run at once.
 */
export class Schedules {
  readonly #definitions: ReadonlyMap<string, JobSettings>;
  /** What this process has said about schedules: newer than what is stored. */
  readonly #own = new Map<string, OwnSchedule>();
  #croner: CronModule | undefined = undefined;

  constructor(definitions: ReadonlyMap<string, JobSettings>) {
    this.#definitions = definitions;
  }

  /** Needed before anything else is asked. Rejects where the optional peer `croner` is missing. */
  async load(path: string): Promise<void> {
    this.#croner ??= await loadCroner(path);
  }

  add(own: OwnSchedule): void {
    this.#own.set(own.schedule.name, own);
  }

  delete(name: string): void {
    this.#own.delete(name);
  }

  /**
   * Stores the next occurrence of each schedule that this process has said, where none waits: the one before came to an
   * end in which no worker had a hand, and the next one is that after it.
   */
  async mend(store: JobStore): Promise<void> {
    for (const own of this.#own.values()) {
      const last = own.last && (await store.get(own.last.id));
      if (last !== undefined && last.endedAt === undefined) continue;
      const next = this.occurrence(own, Math.max(wall(), own.last?.runAt ?? 0));
      if (next !== undefined) await this.store(store, own, next);
    }
  }

  /** Stores an occurrence, where none waits. */
  async store(store: JobStore, own: OwnSchedule, next: NewJob): Promise<Enqueued> {
    const [stored] = (await store.enqueue([next])) as [Enqueued];
    own.last = { id: stored.id, runAt: next.runAt ?? 0 };
    return stored;
  }

  /** The occurrence after one that ends now. Rejects where the optional peer `croner` is missing. */
  async after({ claimed, input }: Held): Promise<NewJob | undefined> {
    const { name, priority, schedule } = claimed;
    const settings = this.#definitions.get(name);
    if (schedule === undefined || settings === undefined) return undefined;
    await this.load(`${name}: the schedule ${schedule.name}`);
    const stored = { schedule, settings, input: { text: claimed.input, value: input }, priority };
    return this.occurrence(this.#own.get(schedule.name) ?? stored, wall());
  }

  /**
   * The next occurrence after a moment, as a job; undefined: there is none. Throws `RangeError` for an expression that
   * cannot be read.
   */
  occurrence({ schedule, settings, input, priority }: OwnSchedule, after: number): NewJob | undefined {
    const runAt = this.#cron(schedule).nextRun(new Date(after))?.getTime();
    if (runAt === undefined) return undefined;
    const options = given({ priority, runAt, key: keyOf(schedule.name) });
    return { ...newJob(settings, input, options), schedule };
  }

  #cron({ expression, timeZone }: StoredSchedule): Cron {
    if (this.#croner === undefined) throw new Error("schedules were not loaded");
    return readCron(this.#croner, expression, timeZone);
  }
}
