/** Trouble with the engine, told once for each time that it lasts. */
export class Trouble {
  readonly #tell: (error: unknown) => void;
  #isTold = false;

  constructor(tell: (error: unknown) => void) {
    this.#tell = tell;
  }

  meet(error: unknown): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#tell(error);
  }

  isOver(): void {
    this.#isTold = false;
  }
}
