import { runShield, runTimeout } from "./blocks.ts";
import { disposerOf } from "./cleanup.ts";
import type { Cleanup } from "./cleanup.ts";
import { toWall, now } from "./clock.ts";
import { attemptOf, taskPath } from "./describe.ts";
import { badOption, toFunction, toMs } from "./duration.ts";
import { given } from "./given.ts";
import { spawnGroup } from "./group.ts";
import { spawnMap } from "./map.ts";
import { sayReady } from "./readiness.ts";
import { taskRefusal } from "./refusal.ts";
import { blockInUse, spawnInTask } from "./spawn.ts";
import { attemptSignal, drainSignal, stopErrorOf } from "./stop-signal.ts";
import { handleOf } from "./task-handle.ts";
import { ENDING, extrasOf, isTerminal, RETRYING, RUNNING, stateOf } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";
import { ticks } from "./ticks.ts";
import type { Attributes, GroupOptions, MapOptions, SpawnOptions } from "./options.ts";
import type { DisposableLike, Run, Scope, Task, TaskContext } from "./types.ts";
import type { Duration } from "./words.ts";
import { rejected, sleepUntilOver, untilOthersRan } from "./wait.ts";

/** What a task's function receives: the task, from inside. */
export class TaskView implements TaskContext {
  readonly #node: TaskNode;

  constructor(node: TaskNode) {
    this.#node = node;
  }

  /** For the friends of a task within holdfast. */
  static nodeOf(task: TaskContext): TaskNode {
    if (task instanceof TaskView) return task.#node;
    throw badOption("task", task, "a task of this copy of holdfast");
  }

  get id(): number {
    return this.#node.id;
  }

  get name(): string {
    return this.#node.name;
  }

  get path(): string {
    return taskPath(this.#node);
  }

  get attempt(): number {
    return attemptOf(this.#node);
  }

  get scope(): Scope {
    return this.#node.scope.view as Scope;
  }

  get signal(): AbortSignal {
    return attemptSignal(this.#node);
  }

  get draining(): AbortSignal {
    return drainSignal(this.#node.scope);
  }

  spawn<T>(name: string, run: Run<T>, options?: SpawnOptions): Task<T> {
    return handleOf(spawnInTask(this.#node, name, run, options, 0)) as Task<T>;
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

  sleep(duration: Duration): Promise<void> {
    const ms = toMs(duration, "sleep");
    const node = blockInUse(this.#node);
    const refusal = refusalOf(node);
    if (refusal !== undefined) return rejected(refusal);
    return sleepUntilOver(node, ms, "sleep") as Promise<void>;
  }

  every(period: Duration): AsyncIterable<number> {
    return ticks(this.#node, toMs(period, "every"));
  }

  checkpoint(): Promise<void> {
    const node = blockInUse(this.#node);
    const refusal = refusalOf(node);
    if (refusal !== undefined) return rejected(refusal);
    return untilOthersRan(node);
  }

  throwIfCancelled(): void {
    const error = stopErrorOf(blockInUse(this.#node));
    if (error !== undefined) throw error;
  }

  timeout<R>(duration: Duration, body: (signal: AbortSignal) => PromiseLike<R>): Promise<R> {
    return runTimeout(this.#node, duration, body);
  }

  shield<R>(body: (signal: AbortSignal) => PromiseLike<R>): Promise<R> {
    return runShield(this.#node, body);
  }

  defer(cleanup: Cleanup): void {
    toFunction(cleanup, "cleanup");
    refuseIfOver(this.#node, "defer");
    (extrasOf(this.#node).defers ??= []).push(cleanup);
  }

  use<R extends DisposableLike>(resource: R): R {
    this.defer(disposerOf(resource));
    return resource;
  }

  progress(done: number, total?: number, note?: string): void {
    if (isTerminal(this.#node)) return;
    extrasOf(this.#node).progress = given({ done, total, note, at: toWall(now()) });
  }

  set(attributes: Attributes): void {
    const extras = extrasOf(this.#node);
    extras.attributes = { ...extras.attributes, ...attributes };
  }

  ready(): void {
    sayReady(this.#node);
  }

  /** What a log or a debugger shows of it. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `TaskContext(${this.path})`;
  }
}

/** Why nothing may wait in a task: it is to stop, or no attempt runs of which the wait could be. */
function refusalOf(node: TaskNode): Error | undefined {
  const stop = stopErrorOf(node);
  if (stop !== undefined) return stop;
  const isResting = stateOf(node) === RETRYING;
  if (!isResting && !isTerminal(node)) return undefined;
  const word = isResting ? "is between two attempts" : "has ended";
  return taskRefusal(node, `${word}: nothing can wait in it`);
}

function refuseIfOver(node: TaskNode, what: string): void {
  if (stateOf(node) === RUNNING && (node.flags & ENDING) === 0) return;
  throw taskRefusal(node, `runs no attempt: ${what}() has nothing to hang on`);
}
