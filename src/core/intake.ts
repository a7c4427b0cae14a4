import { report } from "./reporter.ts";
import type { Scope } from "./types.ts";

/**
 * How those who let work in (a web framework, a queue consumer) learn that a scope is about to end, in two steps:
 * first they say that they are not ready, and still accept; later they stop accepting. Under `main()` the first comes
 * as soon as shutdown starts, the second `notReadyFor` later. A scope that is closed without `main()` takes both steps
 * at once, when it leaves the state "open". What holds for a scope holds for the scopes below it.
 */
export interface Intake {
  /** False from the first step on: what `/readyz` answers. */
  readonly isReady: boolean;
  /** False from the second step on: nothing new should be let in. */
  readonly isOpen: boolean;
  /** Calls `listener` once, at the first step; where that was before, in a microtask. Returns the function that takes it back. */
  onNotReady(listener: () => void): () => void;
  /**
   * Calls `hook` once, at the second step; where that was before, in a microtask. The drain begins when every hook has
   * settled, or a second later: resolve as soon as nothing new comes in, not when the last connection is gone. A hook
   * that fails is reported, and stops nothing. Returns the function that takes it back.
   */
  onStop(hook: () => unknown): () => void;
}

/** The intake of a scope; always the same one. */
export function intakeOf(scope: Scope): Intake {
  return gateOf(scope);
}

const gates = new WeakMap<Scope, Gate>();

/** For whoever runs the shutdown: the intake, and the two steps it takes. */
export function gateOf(scope: Scope): Gate {
  let gate = gates.get(scope);
  if (gate === undefined) gates.set(scope, (gate = new Gate(scope)));
  return gate;
}

export class Gate implements Intake {
  readonly #path: string;
  /** Undefined once the step is done. */
  #listeners: Set<() => void> | undefined = new Set<() => void>();
  #hooks: Set<() => unknown> | undefined = new Set<() => unknown>();
  #stopped: Promise<void> | undefined;
  /** Takes back what it asked of the gate around it. */
  #leave: (() => void)[] = [];

  constructor(scope: Scope) {
    this.#path = scope.path;
    if (scope.state !== "open") {
      this.#end();
      return;
    }
    const around = scope.parent === undefined ? undefined : gateOf(scope.parent);
    if (around !== undefined) {
      if (!around.isReady) this.sayNotReady();
      if (!around.isOpen) void this.stop();
      this.#leave.push(
        around.onNotReady(() => this.sayNotReady()),
        around.onStop(() => this.stop()),
      );
    }
    // Not an event listener: where there is one, events are made.
    scope.draining.addEventListener("abort", () => this.#end(), { once: true });
  }

  get isReady(): boolean {
    return this.#listeners !== undefined;
  }

  get isOpen(): boolean {
    return this.#hooks !== undefined;
  }

  onNotReady(listener: () => void): () => void {
    return this.#add(this.#listeners, listener);
  }

  onStop(hook: () => unknown): () => void {
    return this.#add(this.#hooks, hook);
  }

  /** The first step. Again: nothing. */
  sayNotReady(): void {
    const listeners = this.#listeners;
    this.#listeners = undefined;
    for (const listener of listeners ?? []) void this.#call(listener);
  }

  /** The second step, and the first if it was not taken. Resolves when every hook has settled. */
  stop(): Promise<void> {
    this.sayNotReady();
    const hooks = this.#hooks ?? [];
    this.#hooks = undefined;
    this.#stopped ??= this.#callAll(hooks);
    return this.#stopped;
  }

  #end(): void {
    for (const leave of this.#leave.splice(0)) leave();
    void this.stop();
  }

  #add(into: Set<() => unknown> | undefined, fn: () => unknown): () => void {
    let isTaken = false;
    // A function of its own for each call, so that registering twice is called twice and taken back once.
    const own = (): unknown => (isTaken ? undefined : fn());
    if (into === undefined) void Promise.resolve().then(() => this.#call(own));
    else into.add(own);
    return () => {
      isTaken = true;
      into?.delete(own);
    };
  }

  async #callAll(hooks: Iterable<() => unknown>): Promise<void> {
    await Promise.all(Array.from(hooks, (hook) => this.#call(hook)));
  }

  async #call(fn: () => unknown): Promise<void> {
    try {
      await fn();
    } catch (error) {
      report(`${this.#path}: stopping the intake failed`, error);
    }
  }
}
