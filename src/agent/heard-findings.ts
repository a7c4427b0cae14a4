import type { FindingEvent } from "../core/info.ts";
import type { Listen } from "./event-stream.ts";

/** So many are kept. */
const MAX_KEPT = 100;

/** The findings that are said while it listens, of whichever watch. */
export class HeardFindings {
  readonly #kept: FindingEvent[] = [];
  readonly stop: () => void;

  constructor(listen: Listen) {
    this.stop = listen("finding", (event) => {
      this.#kept.push(event);
      if (this.#kept.length > MAX_KEPT) this.#kept.shift();
    });
  }

  /** The newest first. */
  get list(): readonly FindingEvent[] {
    return this.#kept.toReversed();
  }
}
