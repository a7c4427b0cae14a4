import { callLater, clearTimer, now } from "../core/clock.ts";
import type { Timer } from "../core/clock.ts";
import { outside } from "../core/context.ts";
import { describeError } from "../core/errors.ts";
import type { ErrorInfo } from "../core/errors.ts";
import { gateOf } from "../core/intake.ts";
import type { CloseReport } from "../core/info.ts";
import type { Scope } from "../core/types.ts";
import type { Account } from "./account.ts";
import type { Guard } from "./guard.ts";
import { guardWords } from "./last-resort.ts";
import type { EndCause } from "./report.ts";

/** How long each phase may take, in ms. */
export interface Limits {
  readonly notReadyFor: number;
  readonly drain: number;
  readonly grace: number;
}

/** How the end begins. */
export interface EndStart {
  readonly cause: EndCause;
  readonly signal?: string;
  /** What tasks are cancelled with. */
  readonly reason?: unknown;
  /** Whether what runs may still finish. */
  readonly isOrderly: boolean;
}

/** How long the drain waits for intake to stop, in ms: what still comes in then meets a scope that drains. */
const INTAKE_LIMIT = 1000;
/** From the end of grace to the report, in ms: shields end a second after it, and clean-up may follow. */
const TAIL = 1100;
/** How much later than the main thread the guard acts, in ms. */
const GUARD_DELAY = 150;

/** From the end of grace until the guard acts, in ms. */
export const GUARD_TAIL: number = TAIL + GUARD_DELAY;

/** From a signal until the guard acts, in ms. */
export function guardLimit({ notReadyFor, drain, grace }: Limits): number {
  return notReadyFor + drain + grace + GUARD_TAIL;
}

/** How the end of a process went: without a report where it was cut off. */
export interface EndResult {
  readonly report: CloseReport | undefined;
  readonly errors: readonly ErrorInfo[];
}

/**
 * The sequence by which a process ends, once: readiness says no, intake stops, drain, cancel, grace. A later cause
 * joins the running sequence; one that allows no drain (an error nobody caught) cuts the drain short.
 */
export class Ending {
  readonly #scope: Scope;
  readonly #limits: Limits;
  readonly #account: Account;
  readonly #onEnd: (result: EndResult) => void;
  #guard: Guard | undefined;
  #start: EndStart | undefined;
  #isHurried = false;
  #isClosing = false;
  /** Ends the wait of the phase before closing. */
  #wake: (() => void) | undefined;
  #cut: (() => void) | undefined;
  #cutTimer: Timer | undefined;
  #cutAt = Infinity;

  constructor(scope: Scope, limits: Limits, account: Account, onEnd: (result: EndResult) => void) {
    this.#scope = scope;
    this.#limits = limits;
    this.#account = account;
    this.#onEnd = onEnd;
  }

  /** Until the guard acts, in ms. */
  get left(): number {
    return this.#cutAt + GUARD_DELAY - now();
  }

  get hasBegun(): boolean {
    return this.#start !== undefined;
  }

  /** The guard stands; an end that began before it did is told to it now. */
  useGuard(guard: Guard): void {
    this.#guard = guard;
    if (this.#cutAt < Infinity) this.#orderGuard();
  }

  begin(start: EndStart): void {
    const before = this.#start;
    if (before !== undefined && before.cause !== "finished") {
      if (!start.isOrderly) this.#hurry();
      return;
    }
    this.#start = start;
    this.#isHurried = !start.isOrderly;
    const late = start.cause === "signal" ? (this.#guard?.lateness ?? 0) : 0;
    this.#account.begin(start.cause, start.signal, start.reason, late);
    // A program with nothing left to do may take its time to clean up; one that was told to end may not.
    if (start.cause !== "finished") this.#cutWithin(this.#drainLeft() + this.#limits.grace + TAIL);
    // Whoever caused it may be a task: awaiting the close must not count as the task's own wait.
    if (before === undefined) outside(() => void this.#run());
  }

  /** Until tasks are cancelled, in ms. */
  #drainLeft(): number {
    const { notReadyFor, drain } = this.#limits;
    return this.#isHurried ? 0 : Math.max(0, this.#account.startedAt + notReadyFor + drain - now());
  }

  async #run(): Promise<void> {
    const { startedAt } = this.#account;
    const gate = gateOf(this.#scope);
    gate.sayNotReady();
    // Closed by hand, its intake has stopped already.
    if (this.#scope.state === "open") await this.#phase(undefined, startedAt + this.#limits.notReadyFor);
    await this.#phase(gate.stop(), now() + Math.min(INTAKE_LIMIT, this.#drainLeft()));
    this.#isClosing = true;
    const report = await this.#untilCut(this.#close(this.#drainLeft()));
    clearTimer(this.#cutTimer);
    // Failures of the last turn are delivered at its end, and `onError` is to hear of them.
    if (report !== undefined) await nextTurn();
    const isUnfinished = report === undefined && this.#scope.state === "closing";
    this.#onEnd({ report, errors: isUnfinished ? [TOO_LATE] : (report?.errors ?? []).map(toInfo) });
  }

  #close(drain: number): Promise<CloseReport> {
    const { signal, reason } = this.#start ?? {};
    return this.#scope.close({ drain, grace: this.#limits.grace, reason: reason ?? signal });
  }

  /** Waits until a moment, until something is done, or until there is no more time for it. */
  async #phase(done: Promise<void> | undefined, until: number): Promise<void> {
    if (this.#isHurried || until <= now()) return;
    await new Promise<void>((resolve) => {
      const timer = callLater(until - now(), resolve, undefined);
      const wake = (): void => {
        clearTimer(timer);
        resolve();
      };
      this.#wake = wake;
      void done?.then(wake);
    });
    this.#wake = undefined;
  }

  /** No more drain. */
  #hurry(): void {
    if (this.#isHurried) return;
    this.#isHurried = true;
    this.#cutWithin(this.#limits.grace + TAIL);
    this.#wake?.();
    // The shorter of two closes wins; both have one report.
    if (this.#isClosing) outside(() => void this.#close(0));
  }

  #cutWithin(ms: number): void {
    const at = now() + ms;
    if (at >= this.#cutAt) return;
    this.#cutAt = at;
    clearTimer(this.#cutTimer);
    this.#cutTimer = callLater(Math.max(0, ms), () => this.#cut?.(), undefined);
    this.#orderGuard();
  }

  #orderGuard(): void {
    const within = Math.max(0, this.#cutAt - now()) + GUARD_DELAY;
    this.#guard?.order(within, guardWords(this.#account));
  }

  #untilCut(closing: Promise<CloseReport>): Promise<CloseReport | undefined> {
    return new Promise((resolve) => {
      this.#cut = () => resolve(undefined);
      if (this.#cutAt <= now()) this.#cut();
      void closing.then(resolve);
    });
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    callLater(0, resolve, undefined);
  });
}

const TOO_LATE: ErrorInfo = { name: "TimeoutError", message: "the clean-up was not done by the deadline" };

/** A close report lists errors as plain data already. */
function toInfo(error: unknown): ErrorInfo {
  const isPlain =
    typeof error === "object" && error !== null && !(error instanceof Error) && "message" in error;
  return isPlain ? (error as ErrorInfo) : describeError(error);
}
