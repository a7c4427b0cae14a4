import { beginClose } from "./close.ts";
import { cancellable } from "./cancellable.ts";
import { disposerOf } from "./cleanup.ts";
import type { Cleanup } from "./cleanup.ts";
import { callingTask, currentNode, ScopeEntry, storage } from "./context.ts";
import { cycleThroughScope } from "./deadlock.ts";
import { describeStats, describeTasks, describeTree, scopePath, scopeState } from "./describe.ts";
import { badOption, givenMs, toFunction, toMs } from "./duration.ts";
import { DeadlockError } from "./errors.ts";
import { kinds, listen } from "./events.ts";
import { spawnGroup } from "./group.ts";
import { scopeViewOf } from "./group-scope.ts";
import { spawnMap } from "./map.ts";
import { open } from "./open.ts";
import { isReady } from "./readiness.ts";
import { scopeRefusal } from "./refusal.ts";
import { toServiceState } from "./restart.ts";
import { isUnbounded, takesFrom, wakeRoom } from "./room.ts";
import { spawnCron, spawnEvery } from "./schedule.ts";
import { CLOSED } from "./scope-node.ts";
import type { Listener, ScopeNode, ScopeWaiter } from "./scope-node.ts";
import { adoptInScope, spawnInScope, spawnService } from "./spawn.ts";
import { drainSignal, scopeSignal, stopErrorOf } from "./stop-signal.ts";
import { handleOf } from "./task-handle.ts";
import type { CloseReport, ScopeEventName, ScopeEventOf, ScopeStats, ScopeTree, TaskInfo } from "./info.ts";
import type {
  AdoptOptions,
  CloseOptions,
  CronOptions,
  EveryOptions,
  GroupOptions,
  MapOptions,
  ScopeOptions,
  ServiceOptions,
  SpawnOptions,
} from "./options.ts";
import type { DisposableLike, Run, Scope, Task, TaskContext } from "./types.ts";
import type { Duration, ScopeState } from "./words.ts";
import { capture, captured, noop, pause, rejected, thenOf } from "./wait.ts";

/** A scope, as its users see it. */
export class ScopeView implements Scope {
  readonly #node: ScopeNode;

  constructor(node: ScopeNode) {
    this.#node = node;
  }

  /** For the friends of a scope within holdfast. */
  static nodeOf(scope: Scope): ScopeNode {
    if (scope instanceof ScopeView) return scope.#node;
    throw badOption("scope", scope, "a scope of this copy of holdfast");
  }

  get name(): string {
    return this.#node.name;
  }

  get path(): string {
    return scopePath(this.#node);
  }

  get parent(): Scope | undefined {
    const { parent } = this.#node;
    return parent && scopeViewOf(parent);
  }

  get signal(): AbortSignal {
    return scopeSignal(this.#node);
  }

  get draining(): AbortSignal {
    return drainSignal(this.#node);
  }

  get state(): ScopeState {
    return scopeState(this.#node);
  }

  spawn<T>(name: string, run: Run<T>, options?: SpawnOptions): Task<T> {
    return handleOf(spawnInScope(this.#node, name, run, options, 0)) as Task<T>;
  }

  adopt<T>(name: string, promise: PromiseLike<T>, options?: AdoptOptions): Task<T> {
    return handleOf(adoptInScope(this.#node, name, promise, options ?? {})) as Task<T>;
  }

  group<T>(name: string, body: (group: Scope) => T | PromiseLike<T>, options?: GroupOptions): Task<T> {
    return spawnGroup(this.#node, name, body, options) as Task<T>;
  }

  map<T, R>(
    name: string,
    items: Iterable<T> | AsyncIterable<T>,
    run: (item: T, task: TaskContext) => R | PromiseLike<R>,
    options?: MapOptions,
  ): Task<R[]> {
    return spawnMap(this.#node, name, items, run, options);
  }

  service(name: string, run: Run<unknown>, options: ServiceOptions = {}): Task<void> {
    const state = toServiceState(options, false);
    return handleOf(spawnService(this.#node, name, run, options, state)) as Task<void>;
  }

  every(name: string, period: Duration, run: Run<unknown>, options: EveryOptions = {}): Task<void> {
    return spawnEvery(this.#node, name, period, run, options);
  }

  cron(name: string, expression: string, run: Run<unknown>, options: CronOptions = {}): Task<void> {
    return spawnCron(this.#node, name, expression, run, options);
  }

  scope(name: string, options: ScopeOptions = {}): Scope {
    return scopeViewOf(open(name, options, this.#node));
  }

  defer(cleanup: Cleanup): void {
    toFunction(cleanup, "cleanup");
    const node = this.#node;
    if (node.state === CLOSED || node.isCleaning)
      throw scopeRefusal(node, ": defer() has nothing to hang on");
    (node.defers ??= []).push(cleanup);
  }

  use<R extends DisposableLike>(resource: R): R {
    this.defer(disposerOf(resource));
    return resource;
  }

  run<R>(fn: () => R): R {
    return storage.run(new ScopeEntry(this.#node, currentNode()), toFunction(fn, "fn"));
  }

  get(key: string): Task<unknown> | undefined {
    const node = this.#node.keys?.get(key);
    return node && handleOf(node);
  }

  untilReady(): Promise<void> {
    const node = this.#node;
    if (node.state === CLOSED) return rejected(scopeRefusal(node));
    if (isReady(node)) return Promise.resolve();
    return waitIn((node.readyWaiters ??= new Set<ScopeWaiter>()));
  }

  untilIdle(): Promise<void> {
    const node = this.#node;
    if (node.state === CLOSED || node.busy === 0) return Promise.resolve();
    const deadlock = this.#deadlock("untilIdle()", true);
    return deadlock ?? waitIn((node.idleWaiters ??= new Set<ScopeWaiter>()));
  }

  untilRoom(): Promise<void> {
    const node = this.#node;
    const caller = callingTask();
    if (!takesFrom(node, caller)) {
      return rejected((caller && stopErrorOf(caller)) ?? scopeRefusal(node));
    }
    if (isUnbounded(node)) return Promise.resolve();
    const woken = waitIn((node.roomWaiters ??= new Set<ScopeWaiter>()));
    wakeRoom(node);
    return woken;
  }

  requestClose(reason?: unknown): void {
    void beginClose(this.#node, { source: "scope", drain: 0, grace: Infinity, reason });
  }

  cancel(reason?: unknown): Promise<CloseReport> {
    return this.close({ drain: 0, reason });
  }

  close(options: CloseOptions = {}): Promise<CloseReport> {
    const node = this.#node;
    const drain = toMs(options.drain ?? 0, "drain");
    const grace = givenMs(options.grace, "grace") ?? Infinity;
    const deadlock = this.#deadlock("close()", false);
    const report = beginClose(node, { source: "scope", drain, grace, reason: options.reason });
    if (deadlock !== undefined) return deadlock;
    return noteCloser(node, report);
  }

  /** What a wait that cannot end rejects with; undefined where it can. */
  #deadlock(what: string, onlyBusy: boolean): Promise<never> | undefined {
    const current = callingTask();
    const cycle = current && cycleThroughScope(current, this.#node, onlyBusy);
    return cycle && rejected(new DeadlockError(`${this.path}.${what}`, cycle));
  }

  tasks(): Iterable<TaskInfo> {
    return describeTasks(this.#node);
  }

  stats(): ScopeStats {
    return describeStats(this.#node);
  }

  tree(): ScopeTree {
    return describeTree(this.#node);
  }

  on<E extends ScopeEventName>(event: E, listener: (event: ScopeEventOf<NoInfer<E>>) => void): () => void {
    if (!(event in kinds)) throw badOption("event", event, Object.keys(kinds).join(", "));
    return listen(this.#node, event, toFunction(listener, "listener") as Listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cancel();
  }

  /** What a log or a debugger shows of it. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Scope(${this.path}: ${this.state})`;
  }
}

/** Waits among others, as a cancellation point of the task that waits. */
function waitIn(waiters: Set<ScopeWaiter>): Promise<void> {
  const woken = new Promise<unknown>(capture);
  const waiter: ScopeWaiter = { task: callingTask(), ...captured };
  waiters.add(waiter);
  const own = cancellable(woken) as Promise<void>;
  // Whoever is cancelled while waiting leaves: a long-lived scope must not collect them.
  own.catch(() => waiters.delete(waiter));
  return own;
}

/** Remembers which task waits for a close, for the deadlock search. */
function noteCloser(node: ScopeNode, report: Promise<CloseReport>): Promise<CloseReport> {
  const task = callingTask();
  if (task === undefined || node.state === CLOSED) return report;
  const waiters = (node.closeWaiters ??= new Set<ScopeWaiter>());
  waiters.add({ task, resolve: noop, reject: noop });
  const wait = pause("end", task);
  void thenOf(report, () => wait.unlink(), undefined);
  return report;
}
