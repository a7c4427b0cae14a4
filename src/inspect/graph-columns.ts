import type { AwaitGraph, SuspendedFunction, Suspension } from "./graph.ts";
import type { Place, ScriptInfo } from "./scripts.ts";
import type { TaskName } from "./tasks.ts";

/** What all functions of a graph share that read alike: all of a `SuspendedFunction` but its task's id and its awaiters. */
export interface Kind extends Pick<
  SuspendedFunction,
  | "name"
  | "start"
  | "isGenerator"
  | "isTopLevel"
  | "suspension"
  | "script"
  | "place"
  | "isolate"
  | "realm"
  | "isChanging"
> {
  /** Of its task. */
  readonly path: string | undefined;
}

/**
 * An await graph as readers make it, and as it goes from thread to thread: a row of numbers for each function. A process
 * may have a million of them.
 */
export interface GraphColumns {
  readonly kinds: readonly Kind[];
  /** The index of each one's kind. */
  readonly kind: Int32Array<ArrayBuffer>;
  /** The id of each one's task; without a meaning where its kind has no path. */
  readonly task: Int32Array<ArrayBuffer>;
  /** Where in `awaiters` the rows of those begin that await it; one more, where the last ones end. */
  readonly starts: Int32Array<ArrayBuffer>;
  readonly awaiters: Int32Array<ArrayBuffer>;
}

/** The graph that columns stand for. */
export function openGraph(columns: GraphColumns): AwaitGraph {
  const functions: SuspendedFunction[] = [];
  for (let row = 0; row < columns.kind.length; row++) functions.push(new Row(columns, row, functions));
  return { functions };
}

/** One function of a graph, as its row says. */
class Row implements SuspendedFunction {
  readonly #columns: GraphColumns;
  readonly #row: number;
  readonly #all: readonly SuspendedFunction[];

  constructor(columns: GraphColumns, row: number, all: readonly SuspendedFunction[]) {
    this.#columns = columns;
    this.#row = row;
    this.#all = all;
  }

  get #kind(): Kind {
    return this.#columns.kinds[this.#columns.kind[this.#row] as number] as Kind;
  }

  get name(): string {
    return this.#kind.name;
  }

  get start(): number | undefined {
    return this.#kind.start;
  }

  get isTopLevel(): boolean {
    return this.#kind.isTopLevel;
  }

  get isGenerator(): boolean {
    return this.#kind.isGenerator;
  }

  get suspension(): Suspension {
    return this.#kind.suspension;
  }

  get script(): ScriptInfo {
    return this.#kind.script;
  }

  get place(): Place | undefined {
    return this.#kind.place;
  }

  get task(): TaskName | undefined {
    const { path } = this.#kind;
    return path === undefined ? undefined : { id: this.#columns.task[this.#row] as number, path };
  }

  get isolate(): number {
    return this.#kind.isolate;
  }

  get realm(): number {
    return this.#kind.realm;
  }

  get awaitedBy(): readonly SuspendedFunction[] {
    const { starts, awaiters } = this.#columns;
    const found: SuspendedFunction[] = [];
    for (let at = starts[this.#row] as number; at < (starts[this.#row + 1] as number); at++)
      found.push(this.#all[awaiters[at] as number] as SuspendedFunction);
    return found;
  }

  get isChanging(): boolean {
    return this.#kind.isChanging;
  }

  /** What `console.log` shows. */
  [Symbol.for("nodejs.util.inspect.custom")](): object {
    const { path: _, ...words } = this.#kind;
    return { ...words, task: this.task, awaitedBy: this.awaitedBy.map(({ name }) => name) };
  }
}
