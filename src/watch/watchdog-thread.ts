/* oxlint-disable house/one-clock -- this thread exists for when the main thread, and with it the clock of the house, stands still */

/** What the watchdog thread is started with. */
export interface WatchdogData {
  /** One Int32: the main thread counts it up for as long as its event loop turns. */
  readonly beats: SharedArrayBuffer;
  /** For so long it must have stood still, in ms. */
  readonly blockAfter: number;
  /** For so long it must have stood still before this thread says so itself: nobody else can. */
  readonly sayAfter: number;
  /** An expression that says in the main thread what runs there, as JSON (`Running`), or undefined. */
  readonly look: string;
  readonly name: string;
}

/** What held the main thread when it was looked at. */
export interface Running {
  readonly task?: string;
  readonly stack: string;
}

/**
 * The whole of the watchdog thread. It is started from its own source text, so that it needs no file beside the bundle
 * that holdfast may be part of: **it must not refer to anything outside of itself**.
 */
export function watchdog(): void {
  const { parentPort, workerData } = process.getBuiltinModule("node:worker_threads");
  const { Session } = process.getBuiltinModule("node:inspector");
  const { writeSync } = process.getBuiltinModule("node:fs");
  const { beats, blockAfter, sayAfter, look, name } = workerData as WatchdogData;
  const shared = new Int32Array(beats);
  const every = Math.max(10, blockAfter / 4);
  let beat = Atomics.load(shared, 0);
  let since = performance.now();
  let last = since;
  let hasLooked = false;
  let hasSaid = false;
  let running: Running | undefined;

  setInterval(() => {
    const at = performance.now();
    // This thread stood still, too: the machine slept, or the whole process was stopped.
    const hasSlept = at - last > blockAfter;
    last = at;
    const now = Atomics.load(shared, 0);
    if (now !== beat || hasSlept) {
      beat = now;
      since = at;
      hasLooked = hasSaid = false;
      running = undefined;
      return;
    }
    if (!hasLooked && at - since >= blockAfter) {
      hasLooked = true;
      lookAtMain();
    }
    if (!hasSaid && at - since >= sayAfter) {
      hasSaid = true;
      say(at - since);
    }
  }, every);

  /** Asks the main thread what runs in it, between two instructions of that. No debugger is needed or disturbed. */
  function lookAtMain(): void {
    const of = beat;
    try {
      const session = new Session();
      session.connectToMainThread();
      session.post("Runtime.evaluate", { expression: look, returnByValue: true }, (error, answer) => {
        session.disconnect();
        const text: unknown = answer?.result?.value;
        if (error === null && typeof text === "string" && of === beat) running = JSON.parse(text) as Running;
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- the port of a worker takes none
        parentPort?.postMessage("looked");
      });
    } catch {
      // A Node without an inspector: that the loop stood is told without what held it.
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- the port of a worker takes none
      parentPort?.postMessage("looked");
    }
  }

  function say(ms: number): void {
    const seconds = Math.round(ms / 1000);
    const what =
      running === undefined
        ? "in native code"
        : `${running.task ?? "outside of any task"} ${running.stack.split("\n")[0]}`;
    try {
      writeSync(
        2,
        `[holdfast] the event loop of ${name} (${process.pid}) has stood still for ${seconds} s: ${what}\n`,
      );
    } catch {
      // Nobody reads stderr any more.
    }
  }
}
