import type { Dump } from "./dump.ts";
import type { SuspendedFunction } from "./graph.ts";
import { isNodes } from "./words.ts";

/** A thread of a process: its main thread, or a worker. */
export interface Thread {
  /** 0 for the main thread, then as they were met. */
  readonly thread: number;
  readonly suspended: number;
  /** How many globals its functions see: more than one where `node:vm` made contexts. */
  readonly contexts: number;
}

/** Tells threads apart, and in each the contexts of `node:vm`, numbered from 0, the thread's own first. */
export class Contexts {
  readonly threads: readonly Thread[];
  /** By realm. */
  readonly #numbers = new Map<number, number>();

  constructor({ graph }: Dump) {
    const suspended = new Map<number, number>();
    const realms = new Map<number, { readonly isolate: number; count: number; hasNodes: boolean }>();
    for (const one of graph.functions) {
      const { isolate, realm } = one;
      suspended.set(isolate, (suspended.get(isolate) ?? 0) + 1);
      const known = realms.get(realm);
      if (known === undefined) realms.set(realm, { isolate, count: 1, hasNodes: isNodes(one) });
      else {
        known.count++;
        known.hasNodes ||= isNodes(one);
      }
    }
    const contexts = new Map<number, number>();
    // Node's own functions are in the thread's own context; it is the largest, as a rule.
    const sorted = [...realms].toSorted(
      ([, a], [, b]) => Number(b.hasNodes) - Number(a.hasNodes) || b.count - a.count,
    );
    for (const [realm, { isolate }] of sorted) {
      const number = contexts.get(isolate) ?? 0;
      contexts.set(isolate, number + 1);
      this.#numbers.set(realm, number);
    }
    this.threads = [...suspended]
      .map(([thread, count]) => ({ thread, suspended: count, contexts: contexts.get(thread) ?? 1 }))
      .toSorted((a, b) => a.thread - b.thread);
  }

  /** The context of a stack: that of its innermost function. */
  of([innermost]: readonly SuspendedFunction[]): number {
    return this.#numbers.get(innermost?.realm ?? 0) ?? 0;
  }

  /** What stands above the stacks of each thread and context, in their order; empty where there is but one. */
  get headings(): string[] {
    return this.threads.flatMap(({ thread, contexts }) =>
      Array.from({ length: contexts }, (_, context) => this.#heading(thread, context, contexts)),
    );
  }

  /** Under which heading a stack stands. */
  headingOf(frames: readonly SuspendedFunction[]): string {
    const thread = frames[0]?.isolate ?? 0;
    const contexts = this.threads.find((one) => one.thread === thread)?.contexts ?? 1;
    return this.#heading(thread, this.of(frames), contexts);
  }

  #heading(thread: number, context: number, contexts: number): string {
    const parts = [
      ...(this.threads.length < 2 ? [] : [thread === 0 ? "main thread" : `worker thread ${thread}`]),
      ...(contexts < 2 ? [] : [`context ${context + 1} of ${contexts}`]),
    ];
    return parts.join(", ");
  }
}
