import type { Progress } from "../../../src/core/info.ts";
import type { TaskState } from "../../../src/core/words.ts";
import type { Journal, JournalTask } from "../../../src/watch/journal/writer.ts";

/** What a watch tells a journal, one at a time. */
export type Step =
  | { readonly kind: "began"; readonly task: JournalTask }
  | {
      readonly kind: "changed";
      readonly id: number;
      readonly change: {
        readonly attempt?: number;
        readonly startedAt?: number;
        readonly progress?: Progress;
      };
    }
  | { readonly kind: "ended"; readonly id: number; readonly state: TaskState };

export function tell(journal: Journal, step: Step): void {
  if (step.kind === "began") journal.began(step.task);
  else if (step.kind === "changed") journal.changed(step.id, step.change);
  else journal.ended(step.id, step.state);
}

/** What lives, by the simplest means: a journal has to tell the same. */
export class Model {
  readonly #live = new Map<number, JournalTask>();

  apply(step: Step): void {
    if (step.kind === "began") this.#live.set(step.task.id, step.task);
    else if (step.kind === "ended") this.#live.delete(step.id);
    else {
      const task = this.#live.get(step.id);
      if (task !== undefined) this.#live.set(step.id, { ...task, ...step.change });
    }
  }

  has(id: number): boolean {
    return this.#live.has(id);
  }

  get live(): JournalTask[] {
    return [...this.#live.values()].toSorted((a, b) => a.id - b.id);
  }
}

const STATES: readonly TaskState[] = ["succeeded", "failed", "cancelled", "lost", "abandoned"];
const PATHS = ["a", "app/requests/handle", "app/mails/send é", "app/poller"];

/**
 * An endless story of tasks that begin, come on and end, a step at a time; the same for the same seed, in whatever
 * process. No more than `most` live at once.
 */
export function* simulate(seed: number, from: number, most = 20): Generator<Step> {
  const random = generator(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const live: number[] = [];
  let next = 1;
  for (let at = from; ; at += below(3)) {
    const roll = random();
    const id = live[below(live.length)];
    if (id === undefined || (roll < 0.45 && live.length < most)) {
      const path = roll < 0.03 ? `app/requests/${next}/handle` : (PATHS[below(PATHS.length)] ?? "");
      const started = random() < 0.7 ? { startedAt: at + 1, attempt: 1 } : { attempt: 0 };
      const key = random() < 0.2 ? { key: `key ${next}` } : {};
      live.push(next);
      yield { kind: "began", task: { id: next, path, createdAt: at, ...started, ...key } };
      next++;
    } else if (roll < 0.65) {
      live.splice(live.indexOf(id), 1);
      yield { kind: "ended", id, state: STATES[below(STATES.length)] ?? "failed" };
    } else if (roll < 0.75) {
      yield { kind: "changed", id, change: { attempt: 2 + below(5), startedAt: at } };
    } else {
      const note = random() < 0.3 ? { note: `page ${below(1000)}` } : {};
      const total = random() < 0.5 ? { total: 1000 } : {};
      yield { kind: "changed", id, change: { progress: { done: below(1000), at, ...total, ...note } } };
    }
  }
}

/** Mulberry32: the same numbers for the same seed, everywhere. */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
