import type { Ended, JobStore, Settlement } from "./engine.ts";
import { JobCancelledError, JobFailedError, JobUnknownError } from "./errors.ts";
import type { Trouble } from "./trouble.ts";

interface Waiter {
  readonly resolve: (ended: Ended) => void;
  readonly reject: (error: unknown) => void;
}

/** How many jobs an engine is asked about at once. */
const MAX_ASKED = 500;

/** Who waits for the end of which job, wherever it runs. */
export class Waiting {
  readonly #store: JobStore;
  readonly #trouble: Trouble;
  readonly #waiters = new Map<string, Set<Waiter>>();
  #isAsking = false;
  #askAgain = false;

  constructor(store: JobStore, trouble: Trouble) {
    this.#store = store;
    this.#trouble = trouble;
  }

  /** Resolves when the job has ended, or does not exist. */
  until(id: string): Promise<Ended> {
    const promise = new Promise<Ended>((resolve, reject) => {
      const waiters = this.#waiters.get(id);
      if (waiters === undefined) this.#waiters.set(id, new Set([{ resolve, reject }]));
      else waiters.add({ resolve, reject });
    });
    this.ask();
    return promise;
  }

  /** Some of them may have ended: asks for all, once more where that happens while it asks. */
  ask(): void {
    if (this.#waiters.size === 0) return;
    this.#askAgain = true;
    if (!this.#isAsking) void this.#askAll();
  }

  /** An attempt here has been stored. */
  ended({ id, end, result, error }: Settlement): void {
    if (end !== "succeeded" && end !== "failed" && end !== "cancelled") return;
    // Of a cancel the store knows the reason.
    if (end === "cancelled" && error === undefined) this.ask();
    else
      this.#tell({
        id,
        state: end,
        ...(result !== undefined && { result }),
        ...(error !== undefined && { error }),
      });
  }

  /** Nobody will be told any more. */
  close(error: unknown): void {
    for (const waiters of this.#waiters.values()) for (const { reject } of waiters) reject(error);
    this.#waiters.clear();
  }

  async #askAll(): Promise<void> {
    this.#isAsking = true;
    while (this.#askAgain) {
      this.#askAgain = false;
      const ids = [...this.#waiters.keys()];
      try {
        for (let from = 0; from < ids.length; from += MAX_ASKED)
          for (const ended of await this.#store.ended(ids.slice(from, from + MAX_ASKED))) this.#tell(ended);
      } catch (error) {
        // The engine wakes us again when it has found back.
        this.#trouble.meet(error);
      }
    }
    this.#isAsking = false;
  }

  #tell(ended: Ended): void {
    const waiters = this.#waiters.get(ended.id);
    this.#waiters.delete(ended.id);
    for (const { resolve } of waiters ?? []) resolve(ended);
  }
}

/** What a job that has ended gives to who waits for it. Throws how it ended, if not well. */
export function resultOf({ id, state, result, error }: Ended, name: string): unknown {
  switch (state) {
    case "succeeded":
      return result === undefined ? undefined : (JSON.parse(result) as unknown);
    case "failed":
      throw new JobFailedError(name, id, error);
    case "cancelled":
      throw new JobCancelledError(name, id, error);
    default:
      throw new JobUnknownError(id);
  }
}
