import { callLater, clearTimer } from "../core/clock.ts";
import type { Timer } from "../core/clock.ts";
import type { JobStore, Note } from "./engine.ts";
import type { RunningJob } from "./running-job.ts";
import type { Trouble } from "./trouble.ts";

/** How long what a job says of itself is gathered before it is stored, in ms. */
const GATHER = 500;

/** Stores progress and log lines: all that was said in half a second at once. */
export class Notes {
  readonly #store: JobStore;
  readonly #running: ReadonlySet<RunningJob>;
  readonly #trouble: Trouble;
  #said = new Set<RunningJob>();
  #timer: Timer | undefined = undefined;

  constructor(store: JobStore, running: ReadonlySet<RunningJob>, trouble: Trouble) {
    this.#store = store;
    this.#running = running;
    this.#trouble = trouble;
  }

  add(job: RunningJob): void {
    this.#said.add(job);
    if (this.#timer?.isSet !== true) this.#timer = callLater(GATHER, () => void this.#flush(), undefined);
  }

  stop(): void {
    clearTimer(this.#timer);
  }

  async #flush(): Promise<void> {
    const said = [...this.#said];
    this.#said = new Set();
    const notes: { job: RunningJob; note: Note }[] = [];
    for (const job of said) {
      // What has ended says the rest with its settlement.
      const note = this.#running.has(job) ? job.takeNews() : undefined;
      if (note !== undefined) notes.push({ job, note });
    }
    if (notes.length === 0) return;
    try {
      await this.#store.note(notes.map(({ note }) => note));
    } catch (error) {
      this.#trouble.meet(error);
      for (const { job, note } of notes) {
        job.putBack(note);
        if (this.#running.has(job)) this.add(job);
      }
    }
  }
}
