import { wall } from "../core/clock.ts";
import { loadCroner } from "../core/schedule.ts";
import type { JobSettings } from "./define.ts";
import type { NewJob, Settlement, StoredSchedule } from "./engine.ts";
import { newJob } from "./new-job.ts";
import type { EnqueueOptions, JobInput } from "./new-job.ts";
import type { Held } from "./worker.ts";

/** By this key the one waiting occurrence of a schedule is known. */
export function keyOf(schedule: string): string {
  return `schedule:${schedule}`;
}

type Cron = InstanceType<Awaited<ReturnType<typeof loadCroner>>["Cron"]>;

/**
 * A schedule is a chain of jobs: each occurrence, when it ends, stores the next one in the same moment. So it goes on
 * whoever runs it; one that is missed while nobody works is run once, later; and two never run at once.
 */
export class Schedules {
  readonly #definitions: ReadonlyMap<string, JobSettings>;
  /** What this process has said about schedules: newer than what is stored. */
  readonly #own = new Map<string, StoredSchedule>();
  #croner: Awaited<ReturnType<typeof loadCroner>> | undefined = undefined;

  constructor(definitions: ReadonlyMap<string, JobSettings>) {
    this.#definitions = definitions;
  }

  /** Needed before anything else is asked. Rejects where the optional peer `croner` is missing. */
  async load(path: string): Promise<void> {
    this.#croner ??= await loadCroner(path);
  }

  add(schedule: StoredSchedule): void {
    this.#own.set(schedule.name, schedule);
  }

  delete(name: string): void {
    this.#own.delete(name);
  }

  /** When it is due after this moment; undefined: never again. Throws what croner does of an expression that is none. */
  nextAfter({ expression, timeZone }: StoredSchedule, moment: number): number | undefined {
    const cron = this.#cron(expression, timeZone);
    return cron.nextRun(new Date(moment))?.getTime();
  }

  /** The occurrence after one that ends now. */
  after({ claimed, input }: Held, { end }: Settlement): NewJob | undefined {
    const { name, priority, schedule } = claimed;
    const settings = this.#definitions.get(name);
    if (schedule === undefined || settings === undefined || this.#croner === undefined) return undefined;
    if (end !== "succeeded" && end !== "failed" && end !== "cancelled") return undefined;
    const own = this.#own.get(schedule.name) ?? schedule;
    return this.occurrence(settings, own, { text: claimed.input, value: input }, { priority }, wall());
  }

  /** The next occurrence after a moment, as a job; undefined: there is none. */
  occurrence(
    settings: JobSettings,
    schedule: StoredSchedule,
    input: JobInput,
    options: Pick<EnqueueOptions, "priority">,
    after: number,
  ): NewJob | undefined {
    const runAt = this.nextAfter(schedule, after);
    if (runAt === undefined) return undefined;
    return { ...newJob(settings, input, { ...options, runAt, key: keyOf(schedule.name) }), schedule };
  }

  #cron(expression: string, timeZone: string | undefined): Cron {
    if (this.#croner === undefined) throw new Error("schedules were not loaded");
    return new this.#croner.Cron(expression, {
      paused: true,
      ...(timeZone === undefined ? {} : { timezone: timeZone }),
    });
  }
}
