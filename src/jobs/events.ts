import { report } from "../core/reporter.ts";
import type { ErrorInfo } from "../core/index.ts";
import type { JobEnd } from "./record.ts";

/** Which attempt of which job an event is about. */
export interface JobRef {
  readonly id: string;
  readonly name: string;
  readonly key?: string;
  readonly attempt: number;
}

interface Happening<Type extends string> {
  readonly type: Type;
  /** ms since the epoch. */
  readonly at: number;
  /** A sentence for people. */
  readonly text: string;
  readonly job: JobRef;
}

/**
 * What happened to a job at this worker; stored, but for `start` and `lost`. `retry`: an attempt failed, another follows
 * at `runAt`. `end`: the job has ended. `sleep`: it goes on at `runAt`. `release`: it was handed back, for this worker
 * stops. `lost`: its lease could not be kept; somebody else has it, or will have.
 */
export type JobEvent =
  | Happening<"start">
  | (Happening<"retry"> & { readonly error: ErrorInfo; readonly runAt: number })
  | (Happening<"end"> & { readonly state: JobEnd; readonly error?: ErrorInfo })
  | (Happening<"sleep"> & { readonly runAt: number })
  | Happening<"release">
  | Happening<"lost">;

/** Receives what happens. */
export type JobListener = (event: JobEvent) => void;

/** Who listens to a queue. */
export class JobEvents {
  readonly #path: string;
  readonly #listeners = new Set<{ readonly listener: JobListener }>();

  constructor(path: string) {
    this.#path = path;
  }

  /** Whether it is worth making an event. */
  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  on(listener: JobListener): () => void {
    const entry = { listener };
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  emit(event: JobEvent): void {
    for (const { listener } of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        report(`${this.#path}: a listener of the queue failed on ${JSON.stringify(event.type)}:`, error);
      }
    }
  }
}
