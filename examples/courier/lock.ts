/** Lets one in at a time, in the order in which they ask. */
export class Lock {
  #isTaken = false;
  readonly #waiting = new Set<() => void>();

  /** Resolves with what gives it back; rejects when the signal aborts before that. */
  async take(signal: AbortSignal): Promise<() => void> {
    if (this.#isTaken) await this.#turn(signal);
    this.#isTaken = true;
    return () => this.#pass();
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(enter);
        reject(signal.reason as Error);
      };
      const enter = (): void => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      this.#waiting.add(enter);
      if (signal.aborted) leave();
      else signal.addEventListener("abort", leave, { once: true });
    });
  }

  /** It stays taken where somebody waits: nobody who comes now is let in before. */
  #pass(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#isTaken = false;
    else this.#waiting.delete(next);
    next?.();
  }
}
