import { callLater, clearTimer } from "../core/clock.ts";
import type { Timer } from "../core/clock.ts";
import { outside } from "../core/context.ts";
import type { Scope } from "../core/types.ts";

/** As long as a timer may be; it is set again when it fires. */
const VERY_LONG = 2 ** 31 - 1;

/**
 * Keeps the process alive while a task of the scope lives, and says when nothing is left: no task, and nothing else in
 * the event loop. A task that waits for something without a handle (a promise that nothing of the loop will settle)
 * would let Node exit under it; then, and only then, one timer holds the loop, until the last task has ended.
 */
export class KeepAlive {
  readonly #scope: Scope;
  readonly #onNothingLeft: () => void;
  #timer: Timer | undefined;
  #stopListening: (() => void) | undefined;
  #willLook = false;

  constructor(scope: Scope, onNothingLeft: () => void) {
    this.#scope = scope;
    this.#onNothingLeft = onNothingLeft;
    process.on("beforeExit", this.#onEmptyLoop);
  }

  stop(): void {
    process.off("beforeExit", this.#onEmptyLoop);
    this.#release();
  }

  readonly #onEmptyLoop = (): void => {
    if (this.#hasTasks()) this.#hold();
    else this.#onNothingLeft();
  };

  #hasTasks(): boolean {
    return this.#scope.stats().live > 0;
  }

  #hold(): void {
    if (this.#timer !== undefined) return;
    this.#timer = callLater(VERY_LONG, this.#holdOn, undefined);
    // Events are made only while somebody listens: never while the loop has other things to do.
    this.#stopListening = this.#scope.on("end", this.#onEnd);
  }

  readonly #holdOn = (): void => {
    this.#timer = callLater(VERY_LONG, this.#holdOn, undefined);
  };

  readonly #onEnd = (): void => {
    if (this.#willLook) return;
    this.#willLook = true;
    // Once for all that end in this turn.
    outside(() => process.nextTick(this.#look));
  };

  readonly #look = (): void => {
    this.#willLook = false;
    if (!this.#hasTasks()) this.#release();
  };

  #release(): void {
    clearTimer(this.#timer);
    this.#timer = undefined;
    this.#stopListening?.();
    this.#stopListening = undefined;
  }
}
