import { now } from "../core/clock.ts";
import { isA, ScopeClosedError } from "../core/errors.ts";
import type { ErrorInfo } from "../core/errors.ts";
import type { TaskInfo } from "../core/info.ts";
import { ScopeView } from "../core/scope-view.ts";
import type { Scope } from "../core/types.ts";
import type { Outcome } from "../core/words.ts";
import type { TaskLines } from "../inspect/await-line.ts";
import type { Watch } from "../watch/watch.ts";
import type { Agent } from "../agent/agent.ts";
import { Account } from "./account.ts";
import { registry } from "./copies.ts";
import type { Interruption } from "./copies.ts";
import { Ending, GUARD_TAIL, guardLimit } from "./ending.ts";
import type { EndResult, Limits } from "./ending.ts";
import { Guard } from "./guard.ts";
import { KeepAlive } from "./keep-alive.ts";
import { exitQuietly, guardWords, sayLastWords } from "./last-resort.ts";
import { beSeen } from "./seen.ts";
import { ignoreHangup, onSignals } from "./stop-signals.ts";
import type { StopSignal } from "./stop-signals.ts";
import { hintOf, isTerminal, say } from "./words.ts";

/** What a program is run with, checked. */
export interface ProgramSettings {
  readonly scope: Scope;
  readonly limits: Limits;
  readonly signals: readonly StopSignal[];
  readonly ignoresHangup: boolean;
  readonly watch: Watch | undefined;
  readonly hasAgent: boolean;
  /** No more is told of processes that died before. */
  readonly stopTelling: (() => void) | undefined;
}

/** A second signal counts from here on: a terminal under npm delivers one Ctrl-C twice. */
const APART = 500;

/** How long the last words wait for the lines at which tasks stand, in ms. */
const LINES_WITHIN = 1000;
/** So long before the guard acts they are written without, in ms. */
const MARGIN = 50;

/** A process with one root scope: what ends it, and how it is let go. */
export class Program {
  readonly #scope: Scope;
  readonly #settings: ProgramSettings;
  readonly #account: Account;
  readonly #ending: Ending;
  readonly #keepAlive: KeepAlive;
  /** Undoes what was hung on the process. */
  readonly #undo: (() => void)[] = [];
  #guard: Guard | undefined;
  #agent: Promise<Agent | undefined> | undefined;
  #firstSignalAt: number | undefined;
  /** Set once the process is told to exit. */
  #exitCode: number | undefined;
  /** What the report is about to say, while the lines for it are waited for. */
  #unwritten:
    | {
        readonly exitCode: number;
        readonly abandoned: readonly TaskInfo[];
        readonly errors: readonly ErrorInfo[];
      }
    | undefined;
  #finish!: () => void;
  readonly #finished: Promise<void>;

  constructor(settings: ProgramSettings) {
    const { scope, limits } = settings;
    this.#settings = settings;
    this.#scope = scope;
    this.#account = new Account(scope.name, scope);
    this.#ending = new Ending(scope, limits, this.#account, (result) => this.#onEnd(result));
    this.#finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.#takeOver();
    this.#keepAlive = new KeepAlive(scope, () => this.#ending.begin({ cause: "finished", isOrderly: false }));
  }

  /** Resolves when nothing is left to do; where the process is told to exit, it never does. */
  async run(body: (app: Scope) => unknown): Promise<void> {
    const { limits, signals, hasAgent } = this.#settings;
    // Not waited for: nothing of the program depends on whether it can be seen.
    if (hasAgent) this.#agent = this.#beSeen();
    // Before the body: it may be the body that blocks.
    this.#guard = await Guard.start({
      signals: signals.map(({ name, number }) => [name, number] as const),
      within: guardLimit(limits),
      apart: APART,
      words: guardWords(this.#account),
      tail: GUARD_TAIL,
    });
    this.#ending.useGuard(this.#guard);
    if (!this.#ending.hasBegun) this.#start(body);
    await this.#finished;
  }

  async #beSeen(): Promise<Agent | undefined> {
    await registry().preload?.releaseAgent();
    // Of all roots of the process; but what ends it is ours.
    const drain = (reason: string): void => this.#scope.requestClose(reason);
    const look = async (): Promise<void> => this.#settings.watch?.sweep();
    return beSeen({ name: this.#scope.name, look, drain });
  }

  #start(body: (app: Scope) => unknown): void {
    const scope = this.#scope;
    // A task, so that it is seen, cancelled and reported as one; inside of the scope, so that what it spawns is not its child.
    const task = scope.spawn("main", () => scope.run(() => body(scope)));
    void task.outcome().then((outcome) => this.#onBodyEnd(outcome));
  }

  #onBodyEnd(outcome: Outcome<unknown>): void {
    if (outcome.state !== "failed") return;
    const { error } = outcome;
    const hadBegun = this.#ending.hasBegun;
    // What it could not start any more, as the end had begun, is no failure of its own.
    if (hadBegun && isA(error, ScopeClosedError)) return;
    this.#account.addFailure(error);
    if (!hadBegun) this.#ending.begin({ cause: "body", reason: error, isOrderly: false });
  }

  #takeOver(): void {
    const { signals, ignoresHangup } = this.#settings;
    const onException = (error: unknown, origin: NodeJS.UncaughtExceptionOrigin): void =>
      this.#onUncaught(error, origin);
    const onRejection = (reason: unknown): void => this.#onUncaught(reason, "unhandledRejection");
    process.on("uncaughtException", onException);
    process.on("unhandledRejection", onRejection);
    this.#undo.push(
      onSignals(signals, (signal) => this.#onSignal(signal)),
      () => process.off("uncaughtException", onException),
      () => process.off("unhandledRejection", onRejection),
      () => this.#settings.watch?.stop(),
      () => this.#settings.stopTelling?.(),
    );
    if (ignoresHangup) this.#undo.push(ignoreHangup());
    registry().interrupt = (why) => this.#interrupt(why);
    const own = this.#scope;
    own.draining.addEventListener("abort", () => this.#onClosing(), { once: true });
    // As of its owner: with readiness, intake and drain, where the scope's own would cancel at once.
    const requestClose = (reason?: unknown): void =>
      this.#ending.begin({ cause: "requested", reason, isOrderly: true });
    Object.defineProperty(own, "requestClose", { value: requestClose });
  }

  /** The root closes, by the end itself or by something that comes before it. */
  #onClosing(): void {
    if (this.#ending.hasBegun) return;
    const { escalation, firstFailed, reason } = ScopeView.nodeOf(this.#scope);
    if (escalation === undefined && firstFailed === undefined) {
      this.#ending.begin({ cause: "requested", reason, isOrderly: true });
      return;
    }
    const error = escalation === undefined ? reason : escalation.error;
    this.#account.addFailure(error);
    const cause = escalation === undefined ? "failure" : "escalation";
    this.#ending.begin({ cause, reason: error, isOrderly: false });
  }

  #onUncaught(error: unknown, origin: NodeJS.UncaughtExceptionOrigin): void {
    this.#account.addUncaught(error, origin);
    this.#ending.begin({ cause: "uncaught", reason: error, isOrderly: false });
  }

  #onSignal({ name, number }: StopSignal): void {
    const at = now();
    if (this.#firstSignalAt === undefined) {
      this.#firstSignalAt = at;
      if (isTerminal()) say(hintOf(this.#scope, name, this.#settings.limits));
      this.#ending.begin({ cause: "signal", signal: name, isOrderly: true });
    } else if (at - this.#firstSignalAt >= APART) {
      const exitCode = 128 + number;
      const live = this.#unwritten?.abandoned ?? this.#account.live();
      this.#unwritten = undefined;
      this.#account.write(this.#account.report(exitCode, live, { forcedBy: name }));
      this.#exit(exitCode);
    }
  }

  #onEnd({ report, errors }: EndResult): void {
    const account = this.#account;
    const abandoned = report?.abandoned ?? account.live();
    const hasEscalated = ScopeView.nodeOf(this.#scope).escalation !== undefined;
    const isClean = report !== undefined && abandoned.length === 0 && !account.isFailed && !hasEscalated;
    if (isClean && account.cause === "finished") {
      void this.#letGo();
      return;
    }
    const exitCode = isClean ? Number(process.exitCode ?? 0) : 1;
    this.#unwritten = { exitCode, abandoned, errors };
    // Where nothing is to be asked no turn is given away: there may be none left.
    if (abandoned.length === 0 || this.#guard === undefined) return this.#writeAndExit([]);
    const within = Math.min(LINES_WITHIN, this.#ending.left - MARGIN);
    void this.#guard.untilLines(within).then((lines) => this.#writeAndExit(lines));
  }

  #writeAndExit(lines: readonly TaskLines[]): void {
    const end = this.#unwritten;
    if (end === undefined) return;
    this.#unwritten = undefined;
    this.#account.write(this.#account.report(end.exitCode, end.abandoned, { errors: end.errors, lines }));
    this.#exit(end.exitCode);
  }

  #exit(exitCode: number): void {
    this.#exitCode = exitCode;
    try {
      process.exit(exitCode);
    } catch (error) {
      // A listener of "exit" threw. Called again, it calls none.
      this.#account.addUncaught(error, "uncaughtException");
      process.exit(exitCode === 0 ? 1 : exitCode);
    }
  }

  #interrupt(why: Interruption): never {
    this.#guard?.answer();
    // The report is written; what blocks is a listener of "exit".
    if (this.#exitCode !== undefined) return exitQuietly(this.#exitCode);
    // All has ended, but something blocks while the lines are waited for.
    if (this.#unwritten !== undefined) {
      const { exitCode, abandoned, errors } = this.#unwritten;
      this.#account.write(this.#account.report(exitCode, abandoned, { errors, lines: why.lines ?? [] }));
      return exitQuietly(exitCode);
    }
    if (!this.#ending.hasBegun)
      this.#account.begin("signal", why.signal, undefined, this.#guard?.lateness ?? 0);
    return sayLastWords(this.#account, why);
  }

  /** The process is its own again, and ends by itself. */
  async #letGo(): Promise<void> {
    this.#keepAlive.stop();
    for (const undo of this.#undo) undo();
    const own = registry();
    delete own.main;
    delete own.interrupt;
    await this.#guard?.stop();
    const agent = await this.#agent;
    await agent?.close();
    this.#finish();
  }
}
