import type { Dump } from "./dump.ts";
import type { SuspendedFunction } from "./graph.ts";
import type { ScriptInfo } from "./scripts.ts";
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
  readonly #scripts = new Map<ScriptInfo, Set<number>>();

  constructor({ graph }: Dump) {
    const suspended = new Map<number, number>();
    const realms = new Map<number, { readonly isolate: number; count: number; hasNodes: boolean }>();
    for (const one of graph.functions) {
      const { isolate, realm } = one;
      suspended.set(isolate, (suspended.get(isolate) ?? 0) + 1);
      if (!isTelling(one)) continue;
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
    for (const one of graph.functions) if (isTelling(one)) this.#noteScript(one);
    this.threads = [...suspended]
      .map(([thread, count]) => ({ thread, suspended: count, contexts: contexts.get(thread) ?? 1 }))
      .toSorted((a, b) => a.thread - b.thread);
  }

  #noteScript({ script, realm }: SuspendedFunction): void {
    const number = this.#numbers.get(realm);
    if (number === undefined) return;
    const known = this.#scripts.get(script);
    if (known === undefined) this.#scripts.set(script, new Set([number]));
    else known.add(number);
  }

  /** The context of a stack; undefined where nothing in it tells. */
  of(frames: readonly SuspendedFunction[]): number | undefined {
    const one = frames.find(isTelling);
    if (one !== undefined) return this.#numbers.get(one.realm);
    // As a rule a script runs in one context.
    const [only, ...others] = frames.flatMap(({ script }) => [...(this.#scripts.get(script) ?? [])]);
    return others.length === 0 ? only : undefined;
  }

  /** What stands above the stacks of each thread and context, in their order; empty where there is but one. */
  get headings(): string[] {
    return this.threads.flatMap(({ thread, contexts }) =>
      contexts < 2
        ? [this.#heading(thread, 0, contexts)]
        : Array.from({ length: contexts + 1 }, (_, context) => this.#heading(thread, context, contexts)),
    );
  }

  /** Under which heading a stack stands. */
  headingOf(frames: readonly SuspendedFunction[]): string {
    const thread = frames[0]?.isolate ?? 0;
    const contexts = this.threads.find((one) => one.thread === thread)?.contexts ?? 1;
    return this.#heading(thread, this.of(frames) ?? contexts, contexts);
  }

  #heading(thread: number, context: number, contexts: number): string {
    const parts = [
      ...(this.threads.length < 2 ? [] : [thread === 0 ? "main thread" : `worker thread ${thread}`]),
      ...(contexts < 2
        ? []
        : [context === contexts ? "unknown context" : `context ${context + 1} of ${contexts}`]),
    ];
    return parts.join(", ");
  }
}

/** Each async generator has a map of its own, by which no realm can be told. */
function isTelling({ isGenerator }: SuspendedFunction): boolean {
  return !isGenerator;
}
