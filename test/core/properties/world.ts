import type { Scope, Task, TaskContext } from "../../../src/core/types.ts";
import type { Outcome, TaskState } from "../../../src/core/words.ts";
import type { TaskNode } from "../../../src/core/task-node.ts";
import type { ProgramClock } from "./clock.ts";
import { SIGNALS, type Op, type ScopeSpec } from "./program.ts";
import type { DeferRow, Entry, ScopeRow, Sight, TaskKind, TaskRow } from "./trace.ts";

/** Who takes a step: a task's body, or the driver, which is outside of any task. */
export interface Actor {
  readonly row: TaskRow | undefined;
  readonly ctx: TaskContext | undefined;
  readonly attempt: number;
  /** The scope that the body of a group received. */
  readonly group: ScopeRow | undefined;
  /** The signals of the shields and of the timeout blocks that it is in. */
  readonly shields: readonly Block[];
  readonly blocks: readonly Block[];
  /** A callback that may outlive its task. */
  readonly isLate: boolean;
}

/** A shield or a timeout block. */
export interface Block {
  readonly signal: AbortSignal;
  isOpen: boolean;
}

/** One run of one program: everything that it made and everything that was seen. */
export class World {
  readonly clock: ProgramClock;
  readonly trace: Entry[] = [];
  readonly tasks: TaskRow[] = [];
  readonly scopes: ScopeRow[] = [];
  readonly defers: DeferRow[] = [];
  readonly signals: readonly AbortController[];
  /** What the core knows the tasks by that have started. */
  readonly nodes: Map<TaskRow, TaskNode> = new Map();
  /** Tasks whose body hangs for ever. */
  readonly hung: Set<TaskRow> = new Set();
  readonly ops: Map<Op, number> = new Map();
  readonly faults: Set<string> = new Set();
  /** Promises that holdfast gave and that have not settled, by what they are. */
  readonly pending: Set<string> = new Set();
  /** Rows by their number in the tree, and scopes by their face. */
  readonly byId: Map<number, TaskRow> = new Map();
  readonly byScope: Map<Scope, ScopeRow> = new Map();
  /** The live tasks by number, with their paths; in which states the others ended, in that order. */
  readonly live: Map<number, string> = new Map();
  readonly ended: Map<number, TaskState> = new Map();
  /** How each task says that it ended, asked when all was over. */
  readonly outcomes: Map<TaskRow, Outcome<unknown>> = new Map();
  /** Attempts whose body was left or lost, as `id.attempt`, and how. */
  readonly left: Map<string, "returned" | "threw"> = new Map();
  #names = 0;
  #numbers = 0;

  /** How many records the root keeps. */
  readonly records: number;

  constructor(clock: ProgramClock, records: number) {
    this.clock = clock;
    this.records = records;
    this.signals = Array.from({ length: SIGNALS }, () => new AbortController());
  }

  get root(): ScopeRow {
    return this.scopes[0] as ScopeRow;
  }

  see(sight: Sight): void {
    this.trace.push({ ...sight, seq: this.trace.length, at: this.clock.now() });
    if (sight.saw === "leave") this.left.set(`${sight.row.id}.${sight.attempt}`, sight.how);
    if (sight.saw === "lose") this.left.set(`${sight.row.id}.${sight.row.contexts.at(-1)?.attempt}`, "threw");
    if (sight.saw === "event" && sight.event.type === "spawn")
      this.live.set(sight.event.task.id, sight.event.task.path);
    if (sight.saw === "event" && sight.event.type === "end") {
      this.live.delete(sight.event.task.id);
      this.ended.set(sight.event.task.id, sight.event.task.state);
    }
  }

  wrong(invariant: string, text: string): void {
    this.see({ saw: "wrong", invariant, text });
  }

  count(op: Op): void {
    this.ops.set(op, (this.ops.get(op) ?? 0) + 1);
  }

  /** Names are unique within a program, so that a path names one thing. */
  name(kind: string): string {
    return `${kind}${++this.#names}`;
  }

  number(): number {
    return ++this.#numbers;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.later(ms, resolve);
    });
  }

  task(index: number): TaskRow | undefined {
    return this.tasks[index % Math.max(1, this.tasks.length)];
  }

  scope(index: number): ScopeRow {
    return this.scopes[index % this.scopes.length] as ScopeRow;
  }

  /** A scope to close: seldom the root, after which little can happen. */
  victim(index: number): ScopeRow {
    const inner = this.scopes.length - 1;
    return index % 5 === 0 || inner === 0 ? this.root : (this.scopes[1 + (index % inner)] as ScopeRow);
  }

  addScope(scope: Scope, parent: ScopeRow | undefined, spec: ScopeSpec, group?: ScopeRow["group"]): ScopeRow {
    const known = this.byScope.get(scope);
    if (known !== undefined) return known;
    const row: ScopeRow = { scope, path: scope.path, parent, spec, group };
    this.scopes.push(row);
    this.byScope.set(scope, row);
    this.see({ saw: "scope", row });
    return row;
  }

  addTask(
    kind: TaskKind,
    id: number,
    task: Task<unknown> | undefined,
    place: Pick<TaskRow, "scope" | "parent" | "group" | "spec" | "isShielded">,
  ): TaskRow {
    const row: TaskRow = { kind, id, task, contexts: [], ...place };
    this.byId.set(id, row);
    if (task !== undefined) this.tasks.push(row);
    return row;
  }

  /** Follows a promise of holdfast's until it settles. */
  follow<T>(what: string, promise: Promise<T>): Promise<T> {
    const label = `${what} #${this.number()}`;
    this.pending.add(label);
    const done = (): void => {
      this.pending.delete(label);
    };
    promise.then(done, done);
    return promise;
  }

  /** Whether the attempt in which the actor acts is over, as far as its body goes. */
  hasLeft(actor: Actor): boolean {
    return (
      actor.row !== undefined &&
      (this.ended.has(actor.row.id) || this.left.has(`${actor.row.id}.${actor.attempt}`))
    );
  }
}

/** Whether a scope is another or stands below it. */
export function isWithin(inner: ScopeRow | undefined, outer: ScopeRow): boolean {
  for (let scope = inner; scope !== undefined; scope = above(scope)) if (scope === outer) return true;
  return false;
}

/** The scope around a scope: its parent, or the one in which its group's task stands. */
export function above(scope: ScopeRow): ScopeRow | undefined {
  return scope.group === undefined ? scope.parent : scope.group.row.scope;
}

/** Whether the ambient functions see the tasks of a scope: as the innermost scope around says that says anything. */
export function hasContext(scope: ScopeRow): boolean {
  for (let at: ScopeRow | undefined = scope; at !== undefined; at = above(at)) {
    if (at.group === undefined && at.spec.context !== undefined) return at.spec.context;
  }
  return true;
}

/** The task and attempt that this one belongs to. */
export function ownerOf(row: TaskRow): TaskRow["parent"] {
  if (row.parent !== undefined) return row.parent;
  for (let at: ScopeRow | undefined = row.scope; at !== undefined; at = at.parent) {
    if (at.group !== undefined) return at.group;
  }
  return undefined;
}

/** The task that waits for this one to end, because it owns it: its parent, or the group whose scope it stands in. */
export function ownerTask(row: TaskRow): TaskRow | undefined {
  return ownerOf(row)?.row;
}

/** The group around a scope, however far out. */
export function scopeOwner(scope: ScopeRow): TaskRow | undefined {
  for (let at: ScopeRow | undefined = scope; at !== undefined; at = at.parent) {
    if (at.group !== undefined) return at.group.row;
  }
  return undefined;
}

/** Whether a task is another or is owned by it, however far down. */
export function isInside(inner: TaskRow | undefined, outer: TaskRow): boolean {
  for (let row = inner; row !== undefined; row = ownerTask(row)) if (row === outer) return true;
  return false;
}
