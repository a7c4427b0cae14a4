import { Column } from "./column.ts";
import type { Functions } from "./functions.ts";
import type { Heap } from "./heap.ts";
import type { Suspended, SuspendedFunctions } from "./suspended.ts";
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
  readonly #suspended: SuspendedFunctions;
  /** Offsets in `PromiseReaction`. */
  readonly #next: number;
  readonly #queue = new Queue();
  /** Rows of those who await the functions that were asked for, one after the other. */
  readonly #found = Column.ofNumbers();
  /** By row: for which function it was found last. */
  readonly #foundFor = Column.ofNumbers();
  /** The context that was looked at last, and its task: many functions are awaited in the same one. */
  #frame = Number.NaN;
  #taskInFrame: TaskName | undefined;

  constructor(heap: Heap, functions: Functions, suspended: SuspendedFunctions) {
    this.#heap = heap;
    this.#functions = functions;
    this.#tasks = new Tasks(heap);
    this.#suspended = suspended;
    this.#next = heap.layout.reactionFields;
  }

  /** Who awaits them, of all functions that were asked for, by row: those of each after those of the one before. */
  get found(): Column<Int32Array<ArrayBuffer>> {
    return this.#found;
  }

  /** Adds to `found` those suspended functions that go on when this one has ended, or has yielded. */
  find(row: number): void {
    const queue = this.#queue;
    queue.clear();
    this.#beginWith(this.#suspended.at(row));
    for (let step = 0; step < queue.length && step < MAX_STEPS; step++)
      this.#followPromise(queue.at(step), row);
  }

  #add(awaiter: number, row: number): void {
    while (this.#foundFor.length <= awaiter) this.#foundFor.push(-1);
    if (this.#foundFor.at(awaiter) === row) return;
    this.#foundFor.set(awaiter, row);
    this.#found.push(awaiter);
  }

  /**
   * The task of holdfast in whose context somebody awaits this function: from Node 24 on the reaction keeps the context
   * in which `await` or `then` was called; before, a promise has the context in which it was made among its properties.
   */
  taskOf(row: number): TaskName | undefined {
    const heap = this.#heap;
    const { promise, isGenerator } = this.#suspended.at(row);
    const { types, contextOfReaction } = heap.layout;
    if (isGenerator || heap.typeOf(promise) !== types.promise) return undefined;
    if (contextOfReaction === undefined) return this.#tasks.onPromise(promise);
    let reaction = heap.follow(promise, REACTIONS);
    for (let count = 0; heap.typeOf(reaction) === types.reaction && count < MAX_STEPS; count++) {
      const frame = heap.follow(reaction, contextOfReaction);
      const task = this.#inFrame(frame);
      if (task !== undefined) return task;
      reaction = heap.follow(reaction, this.#next);
    }
    return undefined;
  }

  #inFrame(frame: number): TaskName | undefined {
    if (frame !== this.#frame) {
      this.#frame = frame;
      this.#taskInFrame = this.#heap.typeOf(frame) > 0 ? this.#tasks.inFrame(frame) : undefined;
    }
    return this.#taskInFrame;
  }

  #beginWith(one: Suspended): void {
    this.#heap.noted(one.promise);
    if (one.isGenerator) {
      this.#followRequests(one.promise);
      return;
    }
    const module = one.continuation === 0 ? this.#moduleOf(one) : undefined;
    if (module === undefined) this.#queue.add(one.promise);
    else this.#followEvaluation(module);
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
  #followRequests(first: number): void {
    const heap = this.#heap;
    let request = first;
    for (let count = 0; heap.typeOf(request) === heap.layout.types.request && count < MAX_STEPS; count++) {
      this.#queue.add(heap.follow(request, REQUEST_PROMISE));
      request = heap.follow(request, NEXT_REQUEST);
    }
  }

  #followPromise(promise: number, row: number): void {
    const heap = this.#heap;
    const { types } = heap.layout;
    if (heap.typeOf(promise) === types.module) {
      this.#followModule(promise, row);
      return;
    }
    if (heap.typeOf(promise) !== types.promise || (heap.smi(promise, FLAGS) & STATUS_MASK) !== 0) return;
    let reaction = heap.follow(promise, REACTIONS);
    for (let count = 0; heap.typeOf(reaction) === types.reaction && count < MAX_STEPS; count++) {
      this.#followReaction(reaction, row);
      reaction = heap.follow(reaction, this.#next);
    }
  }

  #followReaction(reaction: number, row: number): void {
    const heap = this.#heap;
    const rejects = heap.follow(reaction, this.#next + 8);
    const fulfils = heap.follow(reaction, this.#next + 16);
    if (this.#followHandler(fulfils, row) || this.#followHandler(rejects, row)) return;
    // What `then` returned; a capability where it was asked for by a class of the user's.
    let derived = heap.follow(reaction, this.#next + 24);
    if (heap.typeOf(derived) === heap.layout.types.capability)
      derived = heap.follow(derived, CAPABILITY_PROMISE);
    if (heap.typeOf(derived) === heap.layout.types.promise) this.#queue.add(derived);
  }

  /** Looks into the context of a built-in handler. Returns whether it led anywhere. */
  #followHandler(handler: number, row: number): boolean {
    const heap = this.#heap;
    const { types, fields } = heap.layout;
    if (!heap.isFunction(handler) || !this.#functions.isBuiltin(handler)) return false;
    const context = heap.follow(handler, fields.functionContext);
    if (!heap.isContext(context)) return false;
    const slots = Math.min(heap.smi(context, LENGTH), MAX_SLOTS);
    let leads = false;
    for (let slot = 0; slot < slots; slot++) {
      const value = heap.follow(context, SLOTS + slot * 8);
      if ((value & 1) === 0) continue;
      const awaiter = slot < OWN_SLOT ? this.#suspended.index.find(value) : this.#suspended.find(value);
      if (awaiter >= 0) {
        this.#add(awaiter, row);
        return true;
      }
      if (slot < OWN_SLOT) continue;
      const type = heap.typeOf(value);
      if (type === types.promise || type === types.module) {
        this.#queue.add(value);
        leads = true;
      } else if (type === types.capability) {
        this.#queue.add(heap.follow(value, CAPABILITY_PROMISE));
        leads = true;
      }
    }
    return leads;
  }

  /**
   * A module that awaits at its top level lets the modules that import it wait, and at last whoever asked for the
   * evaluation of the whole. One that awaits itself has not begun then: its function stands at its start.
   */
  #followModule(address: number, row: number): void {
    const heap = this.#heap;
    const code = this.#suspended.find(heap.follow(address, heap.layout.module.code));
    if (code >= 0 && this.#suspended.at(code).continuation === 0) this.#add(code, row);
    else this.#followEvaluation(address);
  }

  #followEvaluation(address: number): void {
    const heap = this.#heap;
    const { module } = heap.layout;
    this.#queue.add(heap.follow(address, module.capability));
    const parents = heap.follow(address, module.parents);
    if (heap.typeOf(parents) === heap.layout.types.arrayList) this.#followParents(parents);
  }

  #followParents(list: number): void {
    const heap = this.#heap;
    const count = Math.min(heap.smi(list, LENGTH), MAX_STEPS);
    for (let index = 0; index <= count; index++) {
      const parent = heap.follow(list, SLOTS + index * 8);
      if (heap.typeOf(parent) === heap.layout.types.module) this.#queue.add(parent);
    }
  }
}

/** So many are looked through one by one; of more it is noted which they are. */
const FEW = 32;

/** Promises that are to be followed, each once. */
class Queue {
  readonly #promises: number[] = [];
  readonly #known = new Set<number>();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  at(index: number): number {
    return this.#promises[index] as number;
  }

  clear(): void {
    if (this.#known.size > 0) this.#known.clear();
    this.#length = 0;
  }

  add(promise: number): void {
    if (this.#length <= FEW ? this.#isAmongFew(promise) : this.#known.has(promise)) return;
    this.#promises[this.#length++] = promise;
    if (this.#length <= FEW) return;
    for (let index = this.#known.size; index < this.#length; index++) this.#known.add(this.at(index));
  }

  #isAmongFew(promise: number): boolean {
    for (let index = 0; index < this.#length; index++) if (this.#promises[index] === promise) return true;
    return false;
  }
}
