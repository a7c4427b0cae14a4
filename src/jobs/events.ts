import { toFunction } from "../core/duration.ts";
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

/** What all events tell. */
export interface JobHappening<Type extends string> {
  readonly type: Type;
  /** ms since the epoch. */
  readonly at: number;
  /** A sentence for people. */
  readonly text: string;
  readonly job: JobRef;
}

/** An attempt failed, and another follows. */
export interface JobRetryEvent extends JobHappening<"retry"> {
  readonly error: ErrorInfo;
  /** When: ms since the epoch. */
  readonly runAt: number;
}

/** A job sleeps. */
export interface JobSleepEvent extends JobHappening<"sleep"> {
  /** Until when: ms since the epoch. */
  readonly runAt: number;
}

/** A job has ended. */
export interface JobEndEvent extends JobHappening<"end"> {
  readonly state: JobEnd;
  /** Of one that failed or was cancelled. */
  readonly error?: ErrorInfo;
}

/**
 * What happened to a job at this worker, told when it is stored, but for `start` and `lost`. `release`: it was handed
 * back, for this worker stops. `lost`: its lease could not be kept; somebody else has it, or will have.
 */
export type JobEvent =
  JobHappening<"start" | "release" | "lost"> | JobRetryEvent | JobSleepEvent | JobEndEvent;

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
    const entry = { listener: toFunction(listener, "listener") };
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
