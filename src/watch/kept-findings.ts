import type { FindingEvent } from "../core/info.ts";

/** So many are kept. */
const MAX_KEPT = 100;

/** The newest findings. */
export class KeptFindings {
  readonly #kept: FindingEvent[] = [];

  /** To be called with every finding that is said. */
  keep(event: FindingEvent): void {
    this.#kept.push(event);
    if (this.#kept.length > MAX_KEPT) this.#kept.shift();
  }

  /** The newest first. */
  get list(): readonly FindingEvent[] {
    return this.#kept.toReversed();
  }
}
