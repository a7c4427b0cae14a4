/** Something that was opened, and is closed after what was measured. */
interface Closing {
  close(): Promise<unknown>;
}

export interface Producer extends Closing {
  /** Stores so many jobs, in batches of 1,000, one batch after the other. */
  enqueue(count: number): Promise<unknown>;
}

export interface Worker extends Closing {
  /** Begins to work; resolves when as many as were asked for have run, and that is stored. */
  run(): Promise<unknown>;
}

export interface Listener extends Closing {
  /** Stores one job, which the worker that waits here then begins. */
  add(): unknown;
}

/** A fresh store. Whatever a part needs is connected when the part is given: only its work is timed. */
export interface Opened extends Closing {
  producer?(): Promise<Producer>;
  /** Runs stored jobs that do nothing. It may find that the store does not say that they have succeeded, and throws. */
  worker?(concurrency: number, count: number): Promise<Worker>;
  /** A worker with nothing to do. `onStart` is called when a job begins. */
  listener?(onStart: () => void): Promise<Listener>;
}

/** A queue of jobs, with the settings that are best for it. */
export interface Contender {
  readonly name: string;
  open(): Promise<Opened>;
}

export const BATCH = 1_000;
