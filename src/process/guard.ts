import { Worker } from "node:worker_threads";
import { callLater, clearTimer, wall } from "../core/clock.ts";
import type { TaskLines } from "../inspect/await-line.ts";
import { guard } from "./guard-thread.ts";
import type { GuardAnswer, GuardData, GuardOrder, GuardWords } from "./guard-thread.ts";

/** What the guard is started with, but for what it shares. */
export type GuardOptions = Omit<GuardData, "shared" | "interrupt" | "reader">;

/**
 * The inspector's reader, which only a thread of its own loads, and only when it is used. Undefined where this is part of
 * a bundle: that has no such file beside it, and to start the bundle itself would be to run the program once more. A
 * bundle in CommonJS has no URL at all.
 */
const FILE = /process\/guard(\.[jt]s)$/;
const OWN = import.meta.url as string | undefined;
const READER = OWN !== undefined && FILE.test(OWN) ? OWN.replace(FILE, "inspect/reader-thread$1") : undefined;

/** What the two threads share, by index: when the first signal came, in ms since the epoch, 0 before… */
const FIRST_SIGNAL = 0;
/** …and whether the main thread has answered an interruption. */
const ANSWERED = 1;

/** The registry's function, as the guard's interruption finds it. */
const INTERRUPT = 'globalThis[Symbol.for("holdfast")]?.interrupt?.';

/**
 * Keeps the deadline of a shutdown from a thread of its own: a main thread that is blocked, before a signal or after
 * it, cannot keep one. The thread sleeps in its event loop: some 10 to 20 MB, and no work while nothing happens.
 */
export class Guard {
  #worker: Worker | undefined;
  readonly #shared: Float64Array;
  #lines: readonly TaskLines[] = [];
  /** No better ones will come. */
  #hasAllLines = false;
  #tellLines: (() => void) | undefined;

  private constructor(shared: SharedArrayBuffer) {
    this.#shared = new Float64Array(shared);
  }

  /** Resolves when it watches; also where it cannot be had (a permission that is not given): that is warned of. */
  static async start(options: GuardOptions): Promise<Guard> {
    const shared = new SharedArrayBuffer(2 * Float64Array.BYTES_PER_ELEMENT);
    const own = new Guard(shared);
    try {
      const workerData: GuardData = { ...options, shared, interrupt: INTERRUPT, reader: READER };
      // `__name` is what bundlers wrap functions in to keep their names.
      const source = `const __name = (fn) => fn; (${guard.toString()})();`;
      const worker = new Worker(source, {
        eval: true,
        name: "holdfast guard",
        workerData,
        // No preloads of the application, neither from its flags nor from NODE_OPTIONS.
        env: {},
        execArgv: ["--expose-internals", "--no-warnings"],
        resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 },
      });
      own.#worker = worker;
      await own.#untilReady(worker);
      worker.unref();
    } catch (error) {
      own.#lost(error);
    }
    return own;
  }

  #untilReady(worker: Worker): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => resolve();
      worker.on("message", (answer: GuardAnswer) => {
        if ("lines" in answer) {
          this.#lines = answer.lines;
          this.#hasAllLines = answer.isLast;
          if (answer.isLast) this.#tellLines?.();
          return;
        }
        if (!answer.hears)
          warn("it cannot hear signals in this Node: a loop that blocks before one is not ended by it");
        done();
      });
      worker.once("error", (error) => {
        this.#lost(error);
        done();
      });
      worker.once("exit", done);
    });
  }

  #lost(error: unknown): void {
    this.#worker = undefined;
    warn(error instanceof Error ? error.message : String(error));
  }

  /** How long ago the first signal reached the process, in ms: longer than a moment where the loop was blocked. */
  get lateness(): number {
    const at = this.#shared[FIRST_SIGNAL] ?? 0;
    return at === 0 ? 0 : Math.max(0, wall() - at);
  }

  /** The process has to be gone within so many ms, if no sooner end was asked for; and what to say where it must be killed. */
  order(within: number, words: GuardWords): void {
    this.#worker?.postMessage({ within, words } satisfies GuardOrder);
  }

  /**
   * At which lines tasks stand, or stood when grace was over; none where that is not known within so many ms, and those
   * of the files that run where source maps take longer.
   */
  untilLines(within: number): Promise<readonly TaskLines[]> {
    if (this.#hasAllLines || this.#worker === undefined) return Promise.resolve(this.#lines);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker takes none
    this.#worker.postMessage({ read: true } satisfies GuardOrder);
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimer(timer);
        resolve(this.#lines);
      };
      const timer = callLater(Math.max(0, within), done, undefined);
      this.#tellLines = done;
    });
  }

  /** The main thread was interrupted and is at its last words. */
  answer(): void {
    this.#shared[ANSWERED] = 1;
  }

  /** Ends the thread. */
  async stop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}

function warn(why: string): void {
  process.emitWarning(`a shutdown's deadline is not kept while the event loop is blocked: ${why}`, {
    type: "HoldfastWarning",
    code: "HF_NO_GUARD",
  });
}
