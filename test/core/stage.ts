import { format } from "node:util";
import { afterEach, beforeEach, expect, vi } from "vitest";
import { openScope, type RootOptions, type Scope } from "../../src/core/index.ts";
import { leakGate, useManualClock, type ManualClock } from "../../src/testing/index.ts";

/** What a test stands on: a clock of its own, roots that are closed after it, and an ear for what nobody awaited. */
export interface Stage {
  readonly clock: ManualClock;
  /** ms since the test began, on the manual clock. */
  now(): number;
  /** Opens a root that is cancelled after the test. */
  open(name?: string, options?: RootOptions): Scope;
  /** What the default reporter has printed since the last call; what is left at the end fails the test. */
  takeReports(): string[];
  /** What Node called unhandled since the last call; what is left at the end fails the test. */
  takeUnhandled(): unknown[];
}

/** Sets the stage for every test of a file. */
export function useStage(): Stage {
  let clock: ManualClock;
  let start = 0;
  let gate: () => Promise<void>;
  let roots: Scope[] = [];
  let reports: string[] = [];
  let unhandled: unknown[] = [];
  let others: NodeJS.UnhandledRejectionListener[] = [];
  const onUnhandled = (error: unknown): void => void unhandled.push(error);

  beforeEach(() => {
    gate = leakGate();
    clock = useManualClock();
    start = clock.now;
    roots = [];
    reports = [];
    unhandled = [];
    vi.spyOn(console, "error").mockImplementation(
      (...parts: unknown[]) => void reports.push(format(...parts)),
    );
    // The runner's own listener would fail the run before the test has spoken.
    others = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection");
    process.on("unhandledRejection", onUnhandled);
  });

  afterEach(async () => {
    try {
      await closeAll(roots, clock);
      await turn();
    } finally {
      process.removeListener("unhandledRejection", onUnhandled);
      for (const listener of others) process.on("unhandledRejection", listener);
      vi.restoreAllMocks();
      // Throws where timers are left, which the leak gate would only count.
      clock.uninstall();
    }
    expect(reports, "failures that nobody took").toEqual([]);
    expect(unhandled, "rejections that nobody handled").toEqual([]);
    await gate();
  });

  return {
    get clock() {
      return clock;
    },
    now: () => clock.now - start,
    open(name = "app", options) {
      const root = openScope(name, options);
      roots.push(root);
      return root;
    },
    takeReports: () => reports.splice(0),
    takeUnhandled: () => unhandled.splice(0),
  };
}

async function closeAll(roots: readonly Scope[], clock: ManualClock): Promise<void> {
  const closed = track(Promise.all(roots.map((root) => root.cancel("the test is over"))));
  await turn();
  for (let round = 0; round < 100 && closed.state === "pending"; round++) await clock.advance("10s");
  expect(closed.state, "every root closes after the test").toBe("fulfilled");
}

/** Resolves after the microtasks, the ticks, and one turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Resolves when so many timers are set: what loads a module first takes turns of its own. */
export async function untilTimers(clock: ManualClock, count: number): Promise<void> {
  while (clock.pending < count) await turn();
}

/** A promise with its ends in hand. */
export function deferred<T = void>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
} {
  let resolve: ((value: T) => void) | undefined;
  let reject: ((error: unknown) => void) | undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve: (value) => resolve?.(value), reject: (error) => reject?.(error) };
}

/** A promise that never settles. */
export function forever<T = never>(): Promise<T> {
  return new Promise<T>(() => {});
}

/** What a promise has come to so far. */
export interface Tracked {
  readonly state: "pending" | "fulfilled" | "rejected";
  readonly value: unknown;
}

/** Watches a promise without waiting for it. */
export function track(promise: PromiseLike<unknown>): Tracked {
  const tracked: { state: Tracked["state"]; value: unknown } = { state: "pending", value: undefined };
  const settle = (state: Tracked["state"]) => (value: unknown) =>
    void Object.assign(tracked, { state, value });
  void promise.then(settle("fulfilled"), settle("rejected"));
  return tracked;
}

/** What a promise rejects with. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("the promise was expected to reject");
}

/** What a function throws. */
export function thrown(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  throw new Error("the function was expected to throw");
}

/** Waits like a task that does not listen to its signal; let go by the returned function. */
export function stubborn(): {
  readonly run: () => Promise<string>;
  readonly release: (value?: string) => void;
} {
  const gate = deferred<string>();
  return { run: () => gate.promise, release: (value = "late") => gate.resolve(value) };
}

/** A listener that keeps what it is called with, in order. */
export function journal(
  scope: Scope,
  ...events: readonly (
    "spawn" | "start" | "retry" | "restart" | "cancel" | "end" | "late" | "finding" | "state"
  )[]
): string[] {
  const lines: string[] = [];
  for (const name of events) {
    scope.on(name, (event) => {
      lines.push(
        event.type === "state" ? `${event.scope} ${event.state}` : `${event.type} ${event.task?.name}`,
      );
    });
  }
  return lines;
}
