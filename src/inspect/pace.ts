/* oxlint-disable house/one-clock -- about another process, in whose time no test can move a clock */
import { activity } from "./activity.ts";

/** For so long it is waited at most, in ms: a container that has used up its share gets the next one sooner. */
const PATIENCE = 200;
/** How often it is looked whether it has run, in ms. */
const EVERY = 2;

const pause = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

/**
 * Keeps looks at a process apart: one that is kept from running, in the middle of a collection for instance, shows the
 * same as often as one likes. Between two looks it has to have run, unless it does not for so long that it sleeps.
 */
export class Pace {
  readonly #root: string;
  #last: string | undefined;
  #isPatient: boolean;

  constructor(root: string, isPatient: boolean) {
    this.#root = root;
    this.#isPatient = isPatient;
    this.#last = isPatient ? activity(root) : undefined;
  }

  /** To be called before each look but the first. Blocks the thread until the process has run since the look before. */
  wait(): void {
    if (!this.#isPatient) return;
    const end = performance.now() + PATIENCE;
    while (this.#last !== undefined && activity(this.#root) === this.#last) {
      if (performance.now() >= end) {
        // It sleeps, or is stopped for good.
        this.#isPatient = false;
        return;
      }
      Atomics.wait(pause, 0, 0, EVERY);
    }
    this.#last = activity(this.#root);
  }
}
