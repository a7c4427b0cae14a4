import { emitFinding, emitScopeFinding } from "../core/events.ts";
import type { FindingWords } from "../core/info.ts";
import type { ScopeNode } from "../core/scope-node.ts";
import { isWithin } from "../core/describe.ts";
import type { Standstill } from "./watchdog.ts";
import { inWords } from "./words.ts";

/** So many different ones are told; a program that has more has been told enough. */
const MAX_TOLD = 100;

/** Says that the event loop stood still: of the same line once. */
export class Standstills {
  readonly #scope: ScopeNode;
  readonly #told = new Set<string>();

  constructor(scope: ScopeNode) {
    this.#scope = scope;
  }

  report({ node, ms, stack }: Standstill): void {
    const [top = "native code"] = stack?.split("\n") ?? [];
    const key = `${node?.name} ${top}`;
    if (this.#told.has(key) || this.#told.size === MAX_TOLD) return;
    this.#told.add(key);
    const words: FindingWords = {
      finding: "blocked",
      what: `held the event loop for ${inWords(ms)} (${top})`,
      advice: "await task.checkpoint() now and then, or do it in a worker thread",
      ms,
      ...(stack === undefined ? {} : { stack }),
    };
    if (node !== undefined && isWithin(node.scope, this.#scope)) emitFinding(node, words);
    else {
      const who =
        stack === undefined
          ? "native code, or what came to an end too soon to be seen,"
          : "code outside of its tasks";
      emitScopeFinding(this.#scope, { ...words, what: `${who} ${words.what}` });
    }
  }
}
