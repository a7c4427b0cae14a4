import type { Functions } from "./functions.ts";
import type { Heap } from "./heap.ts";
import { suspendedAt } from "./suspended.ts";
import type { Suspended } from "./suspended.ts";
import { Tasks } from "./tasks.ts";
import type { TaskName } from "./tasks.ts";

/*
 * Who goes on when a promise settles: its reactions, and what they lead to. A handler of V8's own keeps the function
 * that awaits, or the promise that it will settle, in its context; a handler of the user's settles the promise that
 * `then` returned. (V8: src/builtins/promise-*.tq, builtins-async-gen.cc; src/objects/promise.tq.)
 */

/** `JSPromise`: its reactions while it is pending, and flags whose two lowest bits say that it is. */
const REACTIONS = 24;
const FLAGS = 32;
const STATUS_MASK = 3;
/** `JSGeneratorObject::context`. */
const GENERATOR_CONTEXT = 32;
/** `Context`: a Smi of how many slots there are, then the slots: scope info, the context around, and what is kept. */
const LENGTH = 8;
const SLOTS = 16;
/** Built-in closures keep what they need in their first slots. */
const MAX_SLOTS = 8;
const OWN_SLOT = 2;
/** `PromiseCapability::promise`. */
const CAPABILITY_PROMISE = 8;
/** `AsyncGeneratorRequest`. */
const NEXT_REQUEST = 8;
const REQUEST_PROMISE = 32;
/** No chain of promises and no list of reactions is followed further. */
const MAX_STEPS = 100_000;

/** Finds out who awaits what, in one picture of the heap. */
export class Awaiters {
  readonly #heap: Heap;
  readonly #functions: Functions;
  readonly #tasks: Tasks;
  /** The functions that are suspended; one that is met but was not found by the scan is added. */
  readonly #suspended: Map<number, Suspended>;
  /** Offsets in `PromiseReaction`. */
  readonly #next: number;

  constructor(heap: Heap, functions: Functions, suspended: Map<number, Suspended>) {
    this.#heap = heap;
    this.#functions = functions;
    this.#tasks = new Tasks(heap);
    this.#suspended = suspended;
    this.#next = heap.layout.reactionFields;
  }

  /** The suspended functions that go on when this one has ended, or has yielded. */
  of(one: Suspended): Set<number> {
    const found = new Set<number>();
    const open = this.#promisesOf(one);
    const seen = new Set<number>(open);
    for (
      let steps = 0, next = open.pop();
      next !== undefined && steps < MAX_STEPS;
      steps++, next = open.pop()
    ) {
      this.#followPromise(next, found, (other) => {
        if (seen.has(other)) return;
        seen.add(other);
        open.push(other);
      });
    }
    return found;
  }

  /**
   * The task of holdfast in whose context somebody awaits this function: from Node 24 on the reaction keeps the context
   * in which `await` or `then` was called; before, a promise has the context in which it was made among its properties.
   */
  taskOf({ promise, isGenerator }: Suspended): TaskName | undefined {
    const heap = this.#heap;
    const { types, contextOfReaction } = heap.layout;
    if (isGenerator || heap.typeOf(promise) !== types.promise) return undefined;
    if (contextOfReaction === undefined) return this.#tasks.onPromise(promise);
    let reaction = heap.word(promise, REACTIONS);
    for (let count = 0; heap.typeOf(reaction) === types.reaction && count < MAX_STEPS; count++) {
      const frame = heap.word(reaction, contextOfReaction);
      const task = heap.typeOf(frame) > 0 ? this.#tasks.inFrame(frame) : undefined;
      if (task !== undefined) return task;
      reaction = heap.word(reaction, this.#next);
    }
    return undefined;
  }

  #promisesOf(one: Suspended): number[] {
    if (one.isGenerator) return this.#requested(one.promise);
    const module = one.continuation === 0 ? this.#moduleOf(one) : undefined;
    if (module === undefined) return [one.promise];
    const promises: number[] = [];
    this.#followEvaluation(module, (promise) => promises.push(promise));
    return promises;
  }

  /** The module of which a function is the top level: before it begins, it has no promise. */
  #moduleOf({ address }: Suspended): number | undefined {
    const heap = this.#heap;
    const context = heap.word(address, GENERATOR_CONTEXT);
    if (!heap.isContext(context)) return undefined;
    const module = heap.word(context, SLOTS + OWN_SLOT * 8);
    return heap.typeOf(module) === heap.layout.types.module &&
      heap.word(module, heap.layout.module.code) === address
      ? module
      : undefined;
  }

  /** The promises that those got who asked an async generator for its next value. */
  #requested(first: number): number[] {
    const heap = this.#heap;
    const promises: number[] = [];
    let request = first;
    while (heap.typeOf(request) === heap.layout.types.request && promises.length < MAX_STEPS) {
      promises.push(heap.word(request, REQUEST_PROMISE));
      request = heap.word(request, NEXT_REQUEST);
    }
    return promises;
  }

  #followPromise(promise: number, found: Set<number>, follow: (promise: number) => void): void {
    const heap = this.#heap;
    const { types } = heap.layout;
    if (heap.typeOf(promise) === types.module) {
      this.#followModule(promise, found, follow);
      return;
    }
    if (heap.typeOf(promise) !== types.promise || (heap.smi(promise, FLAGS) & STATUS_MASK) !== 0) return;
    let reaction = heap.word(promise, REACTIONS);
    for (let count = 0; heap.typeOf(reaction) === types.reaction && count < MAX_STEPS; count++) {
      this.#followReaction(reaction, found, follow);
      reaction = heap.word(reaction, this.#next);
    }
  }

  #followReaction(reaction: number, found: Set<number>, follow: (promise: number) => void): void {
    const heap = this.#heap;
    const rejects = heap.word(reaction, this.#next + 8);
    const fulfils = heap.word(reaction, this.#next + 16);
    if (this.#followHandler(fulfils, found, follow) || this.#followHandler(rejects, found, follow)) return;
    // What `then` returned; a capability where it was asked for by a class of the user's.
    let derived = heap.word(reaction, this.#next + 24);
    if (heap.typeOf(derived) === heap.layout.types.capability)
      derived = heap.word(derived, CAPABILITY_PROMISE);
    if (heap.typeOf(derived) === heap.layout.types.promise) follow(derived);
  }

  /** Looks into the context of a built-in handler. Returns whether it led anywhere. */
  #followHandler(handler: number, found: Set<number>, follow: (promise: number) => void): boolean {
    const heap = this.#heap;
    const { types, fields } = heap.layout;
    if (!heap.isFunction(handler) || !this.#functions.isBuiltin(handler)) return false;
    const context = heap.word(handler, fields.functionContext);
    if (!heap.isContext(context)) return false;
    const slots = Math.min(heap.smi(context, LENGTH), MAX_SLOTS);
    let leads = false;
    for (let slot = 0; slot < slots; slot++) {
      const value = heap.word(context, SLOTS + slot * 8);
      if (value % 2 !== 1) continue;
      if (this.#isSuspended(value, slot >= OWN_SLOT)) {
        found.add(value);
        return true;
      }
      if (slot < OWN_SLOT) continue;
      const type = heap.typeOf(value);
      if (type === types.promise || type === types.module) {
        follow(value);
        leads = true;
      } else if (type === types.capability) {
        follow(heap.word(value, CAPABILITY_PROMISE));
        leads = true;
      }
    }
    return leads;
  }

  #isSuspended(address: number, mayBeNew: boolean): boolean {
    if (this.#suspended.has(address)) return true;
    if (!mayBeNew) return false;
    const one = suspendedAt(this.#heap, address);
    if (one !== undefined) this.#suspended.set(address, one);
    return one !== undefined;
  }

  /**
   * A module that awaits at its top level lets the modules that import it wait, and at last whoever asked for the
   * evaluation of the whole. One that awaits itself has not begun then: its function stands at its start.
   */
  #followModule(address: number, found: Set<number>, follow: (promise: number) => void): void {
    const heap = this.#heap;
    const { module } = heap.layout;
    const code = heap.word(address, module.code);
    if (this.#isSuspended(code, true) && this.#suspended.get(code)?.continuation === 0) found.add(code);
    else this.#followEvaluation(address, follow);
  }

  #followEvaluation(address: number, follow: (promise: number) => void): void {
    const heap = this.#heap;
    const { module } = heap.layout;
    follow(heap.word(address, module.capability));
    const parents = heap.word(address, module.parents);
    if (heap.typeOf(parents) === heap.layout.types.arrayList) this.#followParents(parents, follow);
  }

  #followParents(list: number, follow: (promise: number) => void): void {
    const heap = this.#heap;
    const count = Math.min(heap.smi(list, LENGTH), MAX_STEPS);
    for (let index = 0; index <= count; index++) {
      const parent = heap.word(list, SLOTS + index * 8);
      if (heap.typeOf(parent) === heap.layout.types.module) follow(parent);
    }
  }
}
