import type { Heap } from "./heap.ts";

/*
 * Tasks of holdfast in the memory of a process. The inspector imports nothing of holdfast and works on processes
 * without it; all that it knows is this layout, which core's marker string names. A test holds it against the core.
 */

const MARKER = "holdfast:tasks:1";
/** The fields of an object of a class stand in the object, in the order of the class, from here. */
const FIRST_FIELD = 24;
const field = (index: number): number => FIRST_FIELD + index * 8;

const TASK = { id: field(0), name: field(1), scope: field(2), parent: field(3), flags: field(5) } as const;
const SCOPE = { name: field(0), parent: field(1), owner: field(2), ledger: field(3) } as const;
/** V8 puts the brand of a class with private methods before its fields. */
const LEDGER = { marker: field(1) } as const;
/** `HIDDEN` of core/task-node.ts: a block of a task, which goes by the name of the task around it. */
const HIDDEN = 1 << 11;
const MAX_DEPTH = 10_000;
const MAX_NAME = 1000;

/** A task, by what it is called. */
export interface TaskName {
  readonly id: number;
  readonly path: string;
}

/** `JSMap::table`, for an async context frame, which is one (Node 24: lib/internal/async_context_frame.js). */
const MAP_TABLE = 24;
/** `JSObject::properties`, where Node before 24 keeps the stores of a promise. */
const PROPERTIES = 8;
const LENGTH = 8;
const ELEMENTS = 16;
/** More stores than this nobody has. */
const MAX_ELEMENTS = 256;

/** Finds tasks by what keeps them, and names them. */
export class Tasks {
  readonly #heap: Heap;
  /** By ledger: whether it is one. */
  readonly #ledgers = new Map<number, boolean>();
  readonly #names = new Map<number, TaskName>();

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  /** The task in an async context frame. */
  inFrame(frame: number): TaskName | undefined {
    return this.#among(this.#heap.follow(frame, MAP_TABLE));
  }

  /** The task among the properties of a promise. */
  onPromise(promise: number): TaskName | undefined {
    return this.#among(this.#heap.follow(promise, PROPERTIES));
  }

  /** The first task among the elements of an array. */
  #among(array: number): TaskName | undefined {
    const heap = this.#heap;
    if (heap.typeOf(array) < 0) return undefined;
    const length = Math.min(heap.smi(array, LENGTH) & 0x3ff, MAX_ELEMENTS);
    for (let index = 0; index < length; index++) {
      const value = heap.follow(array, ELEMENTS + index * 8);
      if ((value & 1) === 0) continue;
      const name = this.nameOf(value);
      if (name !== undefined) return name;
    }
    return undefined;
  }

  /** The name of a task; undefined for an object that is none. */
  nameOf(object: number): TaskName | undefined {
    const known = this.#names.get(object);
    if (known !== undefined || !this.#isTask(object)) return known;
    const name = this.#read(object);
    if (name !== undefined) this.#names.set(object, name);
    return name;
  }

  #isTask(object: number): boolean {
    const heap = this.#heap;
    const scope = heap.word(object, TASK.scope);
    if (heap.typeOf(object) < 0 || heap.typeOf(scope) < 0) return false;
    const ledger = heap.word(scope, SCOPE.ledger);
    let isLedger = this.#ledgers.get(ledger);
    if (isLedger === undefined) {
      isLedger = heap.typeOf(ledger) >= 0 && heap.string(heap.word(ledger, LEDGER.marker), 32) === MARKER;
      this.#ledgers.set(ledger, isLedger);
    }
    return isLedger;
  }

  /** Where it stands: names of tasks up to the scope, of scopes up to the group that they are of, and so on. */
  #read(object: number): TaskName | undefined {
    const heap = this.#heap;
    const parts: string[] = [];
    let task = object;
    let id: number | undefined;
    for (let depth = 0; depth < MAX_DEPTH; depth++) {
      const parent = heap.word(task, TASK.parent);
      const hasParent = this.#isTask(parent);
      if ((heap.smi(task, TASK.flags) & HIDDEN) === 0 || !hasParent) {
        id ??= heap.smi(task, TASK.id);
        parts.push(this.#name(task, TASK.name));
      }
      if (hasParent) {
        task = parent;
        continue;
      }
      let scope = heap.word(task, TASK.scope);
      let owner = heap.word(scope, SCOPE.owner);
      for (; !this.#isTask(owner); owner = heap.word(scope, SCOPE.owner)) {
        parts.push(this.#name(scope, SCOPE.name));
        const around = heap.word(scope, SCOPE.parent);
        if (!this.#isScope(around) || parts.length > MAX_DEPTH)
          return { id: id ?? 0, path: parts.reverse().join("/") };
        scope = around;
      }
      // The scope of a group goes by the name of its task.
      task = owner;
    }
    return undefined;
  }

  #isScope(object: number): boolean {
    return this.#ledgers.get(this.#heap.word(object, SCOPE.ledger)) === true;
  }

  #name(object: number, offset: number): string {
    return this.#heap.string(this.#heap.word(object, offset), MAX_NAME) ?? "?";
  }
}
