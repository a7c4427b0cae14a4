import { nextTimer, pendingTimers, replaceClock } from "../../../src/core/clock.ts";

interface Due {
  readonly when: number;
  readonly fire: () => void;
}

/**
 * The time in which programs run. It stands still until somebody moves it, and then jumps to the next moment at which
 * anything is due: the core's timers, or those of the programs themselves (a user's own timers, which know nothing of
 * scopes). One clock serves all programs of a process.
 */
export class ProgramClock {
  #now = 1_000;
  #core: Due | undefined;
  #own: Due[] = [];
  readonly #restore: () => void;

  constructor() {
    this.#restore = replaceClock({
      now: () => this.#now,
      wall: () => 1_700_000_000_000 + this.#now,
      set: (fire, ms) => (this.#core = { when: this.#now + ms, fire }),
      clear: (handle) => {
        if (this.#core === handle) this.#core = undefined;
      },
      every: () => () => undefined,
      coarse: false,
    });
  }

  now(): number {
    return this.#now;
  }

  /** Calls `fire` after `ms`. Returns the function that takes it back. */
  later(ms: number, fire: () => void): () => void {
    const due = { when: this.#now + ms, fire };
    this.#own.push(due);
    return () => {
      this.#own = this.#own.filter((other) => other !== due);
    };
  }

  /** How many timers the core has set. */
  pending(): number {
    return pendingTimers();
  }

  /** Whether the core asks to be woken although nothing is due, or sleeps although something is. */
  isArmedWrongly(): boolean {
    return (this.#core === undefined) !== (nextTimer() === undefined);
  }

  /** Forgets the programs' own timers. */
  reset(): void {
    this.#own = [];
  }

  /** Jumps to the next moment at which something is due, and lets one thing happen. False: nothing is due. */
  jump(): boolean {
    const own = this.#own.reduce<Due | undefined>(
      (first, due) => (first === undefined || due.when < first.when ? due : first),
      undefined,
    );
    const core = this.#core;
    if (own === undefined && core === undefined) return false;
    if (core === undefined || (own !== undefined && own.when <= core.when)) {
      this.#own = this.#own.filter((other) => other !== own);
      this.#now = Math.max(this.#now, (own as Due).when);
      (own as Due).fire();
    } else {
      this.#core = undefined;
      this.#now = Math.max(this.#now, core.when);
      core.fire();
    }
    return true;
  }

  close(): void {
    this.#restore();
  }
}

/** Resolves when all microtasks and ticks of this turn have run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
