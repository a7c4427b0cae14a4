import { now } from "../core/clock.ts";
import { taskPath } from "../core/describe.ts";
import { emitFinding } from "../core/events.ts";
import type { FindingWords } from "../core/info.ts";
import { report } from "../core/reporter.ts";
import { CLOSING } from "../core/scope-node.ts";
import type { ScopeNode } from "../core/scope-node.ts";
import type { TaskNode } from "../core/task-node.ts";
import type { TaskLines } from "../inspect/await-line.ts";

/** So many wait at most for the lines at which tasks stand; what comes then is said without. */
const MAX_WAITING = 100;

/** Finds out at which lines the tasks of this process stand. */
export type ReadLines = () => Promise<readonly TaskLines[]>;

/**
 * Says findings: with the lines at which the task waits where a dump may be taken for that, and else at once. When the
 * scope closes nothing waits any more: soon nobody would hear it.
 */
export class Findings {
  readonly #scope: ScopeNode;
  readonly #linesEvery: number | undefined;
  readonly #readLines: ReadLines;
  #waiting: (readonly [TaskNode, FindingWords])[] = [];
  #askedAt = -Infinity;
  #asking: Promise<void> = Promise.resolve();

  constructor(scope: ScopeNode, linesEvery: number | undefined, readLines: ReadLines) {
    this.#scope = scope;
    this.#linesEvery = linesEvery;
    this.#readLines = readLines;
  }

  report(node: TaskNode, words: FindingWords): void {
    if (this.#waiting.length > 0 && this.#waiting.length < MAX_WAITING && !this.#isClosing) {
      this.#waiting.push([node, words]);
    } else if (this.#mayAsk(words)) {
      this.#waiting.push([node, words]);
      this.#asking = this.#ask();
    } else emitFinding(node, words);
  }

  /** Resolves when nothing waits for lines any more. */
  untilSaid(): Promise<void> {
    return this.#asking;
  }

  /** Says at once what waits for lines. */
  flush(lines: readonly TaskLines[] = []): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [node, words] of waiting) {
      const path = taskPath(node);
      const own = lines.find((one) => one.id === node.id && one.path === path);
      emitFinding(node, own === undefined ? words : { ...words, awaiting: own.awaiting });
    }
  }

  /** A lost task waits nowhere any more. */
  #mayAsk({ finding }: FindingWords): boolean {
    if (this.#linesEvery === undefined || finding === "lost" || this.#isClosing) return false;
    return now() - this.#askedAt >= this.#linesEvery;
  }

  get #isClosing(): boolean {
    return this.#scope.state >= CLOSING;
  }

  async #ask(): Promise<void> {
    this.#askedAt = now();
    let lines: readonly TaskLines[] = [];
    try {
      lines = await this.#readLines();
    } catch (error) {
      report("the lines at which tasks wait could not be read", error);
    }
    this.flush(lines);
  }
}
