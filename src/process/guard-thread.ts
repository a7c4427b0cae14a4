/* oxlint-disable house/one-clock -- this thread exists for when the main thread, and with it the clock of the house, stands still */

import type { Worker } from "node:worker_threads";
import type { ReaderAnswer, ReaderData } from "../inspect/dump.ts";
import type { TaskLines } from "../inspect/await-line.ts";

/** What the guard thread is started with. */
export interface GuardData {
  readonly signals: readonly (readonly [name: string, number: number])[];
  /** From the first signal to the end of the process, in ms. */
  readonly within: number;
  /** A second signal counts from here on, in ms after the first. */
  readonly apart: number;
  /** Two float64: see `FIRST_SIGNAL` and `ANSWERED` in guard.ts. */
  readonly shared: SharedArrayBuffer;
  /** An expression that calls `interrupt` in the main thread, without its argument list. */
  readonly interrupt: string;
  readonly words: GuardWords;
  /** From the end of grace to where the guard acts, in ms: time to read at which lines tasks stand. */
  readonly tail: number;
  /** The URL of the inspector's reader; undefined in a bundle, which has none. */
  readonly reader: string | undefined;
}

/** What to write where the main thread cannot. */
export interface GuardWords {
  /** A report as JSON; what the guard knows better replaces fields in it. */
  readonly record?: Readonly<Record<string, unknown>>;
  /** The same for a terminal. */
  readonly text?: string;
}

/** From the main thread: the process has to be gone `within` ms, if not sooner; or, what lines do tasks stand at? */
export type GuardOrder = { readonly within: number; readonly words: GuardWords } | { readonly read: true };

/** To the main thread: whether the guard hears signals, once; then where tasks stand, if it was read. */
export type GuardAnswer =
  | { readonly hears: boolean }
  | {
      readonly lines: readonly TaskLines[];
      /** Else the same lines come again, through source maps, if there is time. */
      readonly isLast: boolean;
      readonly why?: string;
    };

/**
 * The whole of the guard thread. It is started from its own source text, so that it needs no file beside the bundle
 * that holdfast may be part of: **it must not refer to anything outside of itself**.
 *
 * Signals reach it although the main thread is blocked: libuv tells every event loop that watches a signal. Node has
 * no public way to watch one from a worker, but its internal signal handle does it in any thread; it is there under
 * `--expose-internals`, which this thread alone is given. Where that is gone some day, the guard still keeps every
 * deadline that the main thread asks for.
 */
export function guard(): void {
  const { parentPort, workerData, Worker: Thread } = process.getBuiltinModule("node:worker_threads");
  const { writeSync } = process.getBuiltinModule("node:fs");
  const data = workerData as GuardData;
  const shared = new Float64Array(data.shared);
  const startedAt = performance.now();
  /** How long the main thread may take to answer an interruption: past it, it stands in native code. */
  const patience = 250;
  /** How long it may take to deal with a second signal by itself. */
  const courtesy = 1000;
  /** How long before the end of grace the reader is started: in a shutdown that goes well, never. */
  const warmUp = 1000;
  const longestTimer = 2 ** 31 - 1;
  let words = data.words;
  let first: { readonly name: string; readonly at: number } | undefined;
  let dueAt = Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isActing = false;
  /** The inspector's reader; undefined before it was needed. */
  let reader: Worker | undefined;
  let isReading = false;
  /** Where tasks stood when grace was over. */
  let lines: readonly TaskLines[] = [];
  /** What the guard knows of the signals, when it acts. */
  let known: { readonly signal?: string; readonly forcedBy?: string } = {};

  function arm(within: number): void {
    const at = performance.now() + within;
    if (at >= dueAt) return;
    dueAt = at;
    look();
  }

  function look(): void {
    clearTimeout(timer);
    const left = dueAt - performance.now();
    if (left <= 0) return act(1);
    if (left <= data.tail + warmUp) prepare();
    if (left <= data.tail) read();
    const next = [data.tail + warmUp, data.tail, 0].find((mark) => left > mark) ?? 0;
    timer = setTimeout(look, Math.min(left - next, longestTimer));
  }

  /** Has the memory of this process read, once: where its tasks stand. */
  function read(): void {
    if (isReading) return;
    isReading = true;
    prepare();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker takes none
    reader?.postMessage("go");
  }

  /** Starts the reader, in a thread that may take as much memory as it needs. */
  function prepare(): void {
    if (reader !== undefined) return;
    // Words without lines.
    if (data.reader === undefined) return tell([], true);
    try {
      reader = new Thread(new URL(data.reader), {
        name: "holdfast reader",
        workerData: { pid: "self", stop: false, want: "tasks" } satisfies ReaderData,
        env: {},
        execArgv: ["--no-warnings"],
      });
      reader.on("message", (answer: ReaderAnswer) => {
        if ("tasks" in answer) tell(answer.tasks, answer.isLast);
        else tell([], true, "refusal" in answer ? answer.refusal.message : undefined);
      });
      // Where the file is not there, too: words without lines. Lines that are there stay, whatever a map has done to it.
      reader.on("error", (error) => tell(lines, true, String(error)));
    } catch (error) {
      tell([], true, String(error));
    }
  }

  function tell(found: readonly TaskLines[], isLast: boolean, why?: string): void {
    lines = found;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- the port of a worker takes none
    parentPort?.postMessage({ lines, isLast, ...(why === undefined ? {} : { why }) } satisfies GuardAnswer);
  }

  function onSignal(name: string, number: number): void {
    const at = performance.now();
    if (first === undefined) {
      first = { name, at };
      shared[0] = Date.now();
      arm(data.within);
    } else if (at - first.at >= data.apart) {
      setTimeout(act, courtesy, 128 + number, name);
    }
  }

  /** Has the main thread say its last words and exit, from inside of whatever holds it; else does both here. */
  function act(exitCode: number, forcedBy?: string): void {
    if (isActing) return;
    isActing = true;
    known = {
      ...(first === undefined ? {} : { signal: first.name }),
      ...(forcedBy === undefined ? {} : { forcedBy }),
    };
    // It comes too late, and must not take the processor from the main thread now.
    void reader?.terminate();
    setTimeout(giveUp, patience);
    try {
      const { Session } = process.getBuiltinModule("node:inspector");
      const session = new Session();
      session.connectToMainThread();
      const expression = `${data.interrupt}(${JSON.stringify({ ...known, exitCode, lines })})`;
      session.post("Runtime.evaluate", { expression });
    } catch {
      // A Node without an inspector, or one that may not be used.
      kill();
    }
  }

  /** A main thread that has answered may have longer to say its words, on a busy machine. */
  function giveUp(): void {
    if (shared[1] === 0) kill();
    else setTimeout(kill, 2 * patience);
  }

  function kill(): void {
    const ms = Math.round(performance.now() - (first?.at ?? startedAt));
    const { signal, forcedBy } = known;
    // A main thread that never came to begin the end has left its cause to the guard.
    const cause = words === data.words ? { cause: "signal", signal } : {};
    const record = words.record && {
      ...words.record,
      ...cause,
      ...withLines(words.record),
      forcedBy,
      ms,
      exitCode: 137,
    };
    try {
      writeSync(2, `${record === undefined ? withText() : JSON.stringify(record)}\n`);
    } catch {
      // Nobody reads stderr any more; the process has to go all the same.
    }
    // Nothing happens in the first process of a container, which no signal of its own kills: there the orchestrator
    // does it, at the end of its own patience.
    process.kill(process.pid, "SIGKILL");
  }

  /** The tasks of the record, each with its lines; those that it does not know come below `blocked`. */
  function withLines(record: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const listed = (record["abandoned"] ?? []) as readonly { readonly id: number; readonly path: string }[];
    const isOf = (task: { readonly id: number; readonly path: string }, one: TaskLines): boolean =>
      one.id === task.id && one.path === task.path;
    const abandoned = listed.map((task) => {
      const found = lines.find((one) => isOf(task, one));
      return found === undefined ? task : { ...task, awaiting: found.awaiting };
    });
    const waiting = lines.filter((one) => !listed.some((task) => isOf(task, one))).slice(0, 100);
    const blocked = { ...(record["blocked"] as object | undefined), ...(waiting.length > 0 && { waiting }) };
    return { abandoned, blocked };
  }

  function withText(): string {
    const stand = lines
      .slice(0, 20)
      .flatMap(({ path, id, awaiting }) =>
        awaiting.map(({ file, line, column }) => `\n  ${path} (#${id}) awaits at ${file}:${line}:${column}`),
      );
    return `${words.text ?? ""}${stand.join("")}`;
  }

  parentPort?.on("message", (order: GuardOrder) => {
    if ("read" in order) return read();
    words = order.words;
    arm(order.within);
  });
  let hears = true;
  try {
    const internals = process.getBuiltinModule("internal/test/binding") as unknown as {
      internalBinding(name: "signal_wrap"): {
        Signal: new () => { onsignal: () => void; start(number: number): number };
      };
    };
    const { Signal } = internals.internalBinding("signal_wrap");
    for (const [name, number] of data.signals) {
      const handle = new Signal();
      handle.onsignal = () => onSignal(name, number);
      if (handle.start(number) !== 0) hears = false;
    }
  } catch {
    hears = false;
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- the port of a worker takes none
  parentPort?.postMessage({ hears } satisfies GuardAnswer);
}
