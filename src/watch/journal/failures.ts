import { describeError } from "../../core/errors.ts";
import { cut, MAX_FAILURES, toFailureRow } from "./format.ts";
import type { FailureRow, JournalFailure } from "./format.ts";

/** So long is each at most, in UTF-16 units. */
const MAX_LENGTH = 2000;

/** What failed unheard: how often, and what of it is not in the file yet. */
export class Failures {
  readonly #kept = new Map<string, JournalFailure>();
  readonly #news = new Set<string>();

  /** The newest last. */
  get list(): readonly JournalFailure[] {
    return [...this.#kept.values()];
  }

  add(origin: JournalFailure["origin"], error: unknown, at: number): void {
    const text = cut(textOf(error), MAX_LENGTH);
    const id = `${origin} ${text}`;
    const before = this.#kept.get(id);
    // Taken out and put in: the order is that of the last time.
    this.#kept.delete(id);
    const { firstAt = at, count = 0 } = before ?? {};
    this.#kept.set(id, { origin, text, count: count + 1, firstAt, lastAt: at });
    this.#news.add(id);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MAX_FAILURES) break;
      this.#kept.delete(oldest);
      this.#news.delete(oldest);
    }
  }

  /** What is not in the file yet, as rows for a flush at `at`; from now on it counts as being in it. */
  news(at: number): FailureRow[] {
    return this.#rows(this.#news, at);
  }

  /** All of it, for a file that is written anew. */
  whole(at: number): FailureRow[] {
    return this.#rows(this.#kept.keys(), at);
  }

  #rows(ids: Iterable<string>, at: number): FailureRow[] {
    const rows = Array.from(ids, (id) => this.#kept.get(id))
      .filter((one) => one !== undefined)
      .map((one) => toFailureRow(one, at));
    this.#news.clear();
    return rows;
  }
}

function textOf(error: unknown): string {
  const { name, message, stack } = describeError(error);
  return stack ?? `${name}: ${message}`;
}
