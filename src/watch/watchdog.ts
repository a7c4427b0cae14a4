import { randomBytes } from "node:crypto";
import { Worker } from "node:worker_threads";
import { callEvery, now } from "../core/clock.ts";
import { currentNode } from "../core/context.ts";
import { visibleTask } from "../core/task-node.ts";
import type { TaskNode } from "../core/task-node.ts";
import { taskPath } from "../core/describe.ts";
import { stackBelow } from "./blocked-stack.ts";
import { watchdog } from "./watchdog-thread.ts";
import type { Running, WatchdogData } from "./watchdog-thread.ts";

/** Where the watchdog's look finds the function that it calls, and more, as a process may have several. */
const LOOK = "holdfast.look.";
/** So many times as long as to a finding it takes until the thread says so itself. */
const PATIENCE = 10;

/** The event loop stood still. */
export interface Standstill {
  /** For so long, in ms. */
  readonly ms: number;
  /** Which task ran, and the JavaScript stack; absent where native code held the loop, or it came free too soon. */
  readonly node?: TaskNode;
  readonly stack?: string;
}

/**
 * Watches the event loop from a thread of its own, which counts nothing but the beats that the main thread leaves in
 * shared memory. What holds the loop is found out while it does.
 */
export class Watchdog {
  readonly #stops: (() => void)[] = [];
  #lastBeat = now();
  /** How long the last standstill was, in ms. */
  #gap = 0;
  /** What was seen when the thread looked. */
  #seen: Omit<Standstill, "ms"> | undefined;

  constructor(name: string, blockAfter: number, onStandstill: (standstill: Standstill) => void) {
    const beats = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    const shared = new Int32Array(beats);
    const place = globalThis as unknown as Record<symbol, unknown>;
    const key = LOOK + randomBytes(4).toString("hex");
    Object.defineProperty(place, Symbol.for(key), { value: () => this.#look(), configurable: true });
    const workerData: WatchdogData = {
      beats,
      blockAfter,
      sayAfter: blockAfter * PATIENCE,
      look: `globalThis[Symbol.for(${JSON.stringify(key)})]?.()`,
      name,
    };
    // `__name` is what bundlers wrap functions in to keep their names.
    const worker = new Worker(`const __name = (fn) => fn; (${watchdog.toString()})();`, {
      eval: true,
      name: "holdfast watchdog",
      workerData,
      // No preloads of the application, neither from its flags nor from NODE_OPTIONS.
      env: {},
      execArgv: ["--no-warnings"],
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 },
    });
    worker.on("error", (error: Error) => {
      process.emitWarning(`nobody notices a blocked event loop: ${error.message}`, {
        type: "HoldfastWarning",
        code: "HF_NO_WATCHDOG",
      });
      this.stop();
    });
    worker.on("message", () => {
      const ms = Math.max(now() - this.#lastBeat, this.#gap);
      this.#gap = 0;
      const seen = this.#seen ?? {};
      this.#seen = undefined;
      onStandstill({ ms, ...seen });
    });
    // Last: a listener that is added later would hold the process again.
    worker.unref();
    const beat = (): void => {
      const at = now();
      // The first beat afterwards may come before the thread's message.
      if (at - this.#lastBeat >= blockAfter) this.#gap = at - this.#lastBeat;
      this.#lastBeat = at;
      Atomics.add(shared, 0, 1);
    };
    this.#stops.push(
      callEvery(Math.max(10, blockAfter / 4), beat),
      () => delete place[Symbol.for(key)],
      () => void worker.terminate(),
    );
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** Called in the middle of what runs. */
  #look(): string | undefined {
    const stack = stackBelow();
    if (stack === undefined) return undefined;
    const current = currentNode();
    const node = current === undefined ? undefined : visibleTask(current);
    this.#seen = node === undefined ? { stack } : { node, stack };
    return JSON.stringify({
      ...(node === undefined ? {} : { task: taskPath(node) }),
      stack,
    } satisfies Running);
  }
}
