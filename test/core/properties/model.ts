import type { TaskInfo } from "../../../src/core/info.ts";
import type { TerminalState } from "../../../src/core/words.ts";
import type { DeferRow, Entry, ScopeRow, Sight, TaskRow } from "./trace.ts";
import { above, isWithin, ownerTask, type World } from "./world.ts";

export type Seen<S extends Sight["saw"]> = Extract<Entry, { saw: S }>;

/** One attempt, as its body saw it. */
export interface AttemptModel {
  readonly attempt: number;
  readonly enter: Seen<"enter">;
  leave: Seen<"leave"> | undefined;
  /** When it was found to be lost. */
  lose: Entry | undefined;
}

/** A wait, and how it ended. */
export interface WaitModel {
  readonly wait: Seen<"wait">;
  /** When the task was asked, which with `await` is a microtask later. */
  asked: number;
  waited: Seen<"waited"> | undefined;
}

/** One task, as far as it can be told from outside. */
export interface TaskModel {
  readonly id: number;
  readonly path: string;
  readonly row: TaskRow | undefined;
  readonly spawnSeq: number;
  readonly attempts: AttemptModel[];
  readonly waits: WaitModel[];
  readonly deliveries: Seen<"onError" | "printed">[];
  readonly defers: DeferRow[];
  /** The first time that it was said to be cancelled, and how often. */
  cancel: Entry | undefined;
  cancels: number;
  /** Retries and restarts. */
  again: Entry[];
  end:
    | { readonly seq: number; readonly at: number; readonly info: TaskInfo; readonly state: TerminalState }
    | undefined;
  late: number;
}

/** A call to `cancel` or `close`, and what came of it. */
export interface CallModel {
  readonly call: Seen<"cancel" | "close">;
  done: Seen<"cancelled" | "closed"> | undefined;
}

/**
 * What must have happened, by the plain rules of ownership, from what was seen: who owned whom, who was in which state
 * when, and who was told of what. The invariants are asked of it.
 */
export class Model {
  readonly world: World;
  readonly trace: readonly Entry[];
  readonly tasks: Map<number, TaskModel> = new Map();
  readonly #byPath: Map<string, TaskModel> = new Map();
  readonly calls: CallModel[] = [];
  /** When each scope came to which state. */
  readonly states: Map<ScopeRow, { readonly state: string; readonly seq: number }[]> = new Map();
  /** The same by path, where each attempt of a group has a scope of its own. */
  readonly #epochs: Map<string, { state: string; seq: number }[]> = new Map();
  readonly deferRuns: Map<DeferRow, { runs: Entry[]; ends: Entry | undefined; registered: Entry }> =
    new Map();
  readonly wrongs: string[] = [];

  constructor(world: World) {
    this.world = world;
    this.trace = world.trace;
    const waits = new Map<number, WaitModel>();
    const calls = new Map<number, CallModel>();
    for (const entry of world.trace) this.#fold(entry, waits, calls);
  }

  wrong(invariant: string, text: string): void {
    this.wrongs.push(`invariant ${invariant}: ${text}`);
  }

  of(row: TaskRow): TaskModel {
    return this.tasks.get(row.id) as TaskModel;
  }

  /** When a scope first came to one of these states; Infinity: never. */
  when(scope: ScopeRow, ...states: string[]): number {
    const first = this.states.get(scope)?.find(({ state }) => states.includes(state));
    return first?.seq ?? Infinity;
  }

  /** The tasks that stand in a scope or below. */
  inside(scope: ScopeRow): TaskModel[] {
    const { from, to } = this.#span(scope);
    return [...this.tasks.values()].filter(({ path, row, spawnSeq }) => {
      if (row !== undefined) return isWithin(row.scope, scope);
      // What `map` and `every` started and never ran: it stands where they do, or in their own scope.
      const maker = this.#makerOf(path);
      if (maker !== undefined && maker !== scope.group?.row) return isWithin(maker.scope, scope);
      // Of what never ran only the path is known, which all attempts of a group share.
      return path.startsWith(`${scope.path}/`) && from < spawnSeq && spawnSeq < to;
    });
  }

  /** The task below which a path stands. */
  #makerOf(path: string): TaskRow | undefined {
    const around = path.slice(0, path.lastIndexOf("/"));
    return this.#byPath.get(around)?.row;
  }

  /** From when to when things were spawned in a scope: that of a group is another one for each attempt. */
  #span({ group }: ScopeRow): { readonly from: number; readonly to: number } {
    if (group === undefined) return { from: -1, to: Infinity };
    const { attempts } = this.of(group.row);
    const seqOf = (attempt: number): number | undefined =>
      attempts.find((one) => one.attempt === attempt)?.enter.seq;
    return { from: seqOf(group.attempt) ?? -1, to: seqOf(group.attempt + 1) ?? Infinity };
  }

  children(task: TaskModel): TaskModel[] {
    return [...this.tasks.values()].filter(({ row }) => {
      if (row === undefined) return false;
      return ownerTask(row)?.id === task.id;
    });
  }

  #fold(entry: Entry, waits: Map<number, WaitModel>, calls: Map<number, CallModel>): void {
    switch (entry.saw) {
      case "event":
        this.#event(entry);
        break;
      case "scope":
        this.states.set(entry.row, this.#epoch(entry.row.path));
        break;
      case "enter":
        this.of(entry.row).attempts.push({
          attempt: entry.attempt,
          enter: entry,
          leave: undefined,
          lose: undefined,
        });
        break;
      case "leave": {
        const attempt = this.of(entry.row).attempts.find((one) => one.attempt === entry.attempt);
        if (attempt !== undefined) attempt.leave = entry;
        break;
      }
      case "wait": {
        const wait = { wait: entry, asked: entry.seq, waited: undefined };
        waits.set(entry.n, wait);
        this.of(entry.row).waits.push(wait);
        break;
      }
      case "ask":
        (waits.get(entry.n) as WaitModel).asked = entry.seq;
        break;
      case "waited":
        (waits.get(entry.n) as WaitModel).waited = entry;
        break;
      case "cancel":
      case "close": {
        const call = { call: entry, done: undefined };
        calls.set(entry.n, call);
        this.calls.push(call);
        break;
      }
      case "cancelled":
      case "closed":
        (calls.get(entry.n) as CallModel).done = entry;
        break;
      case "onError":
        this.tasks.get(entry.id)?.deliveries.push(entry);
        break;
      case "printed": {
        const task = [...this.tasks.values()].find(({ path }) => path === entry.path);
        task?.deliveries.push(entry);
        break;
      }
      case "defer":
        this.#deferOf(entry.row, entry);
        if (entry.row.task !== undefined) this.of(entry.row.task.row).defers.push(entry.row);
        break;
      case "defer-runs":
        this.#deferOf(entry.row, entry).runs.push(entry);
        break;
      case "defer-ends":
        this.#deferOf(entry.row, entry).ends ??= entry;
        break;
      case "lose":
        (this.of(entry.row).attempts.at(-1) as AttemptModel).lose = entry;
        break;
      case "wrong":
        this.wrong(entry.invariant, entry.text);
        break;
      default:
        break;
    }
  }

  #epoch(path: string): { state: string; seq: number }[] {
    let states = this.#epochs.get(path);
    if (states === undefined) this.#epochs.set(path, (states = []));
    return states;
  }

  #deferOf(row: DeferRow, entry: Entry) {
    let known = this.deferRuns.get(row);
    if (known === undefined)
      this.deferRuns.set(row, (known = { runs: [], ends: undefined, registered: entry }));
    return known;
  }

  #event(entry: Seen<"event">): void {
    const { event, seq, at } = entry;
    if (event.type === "state") {
      this.#epoch(event.scope).push({ state: event.state, seq });
      if (event.state === "closed") this.#epochs.delete(event.scope);
      return;
    }
    const { task: of } = event;
    if (of === undefined) return;
    const { id, path } = of;
    if (event.type === "spawn") {
      if (this.tasks.has(id)) this.wrong("1", `${path} was spawned twice`);
      const task: TaskModel = {
        id,
        path,
        row: this.world.byId.get(id),
        spawnSeq: seq,
        attempts: [],
        waits: [],
        deliveries: [],
        defers: [],
        cancel: undefined,
        cancels: 0,
        again: [],
        end: undefined,
        late: 0,
      };
      this.tasks.set(id, task);
      this.#byPath.set(path, task);
      return;
    }
    const task = this.tasks.get(id);
    if (task === undefined)
      return this.wrong("7", `${path}: "${event.type}" of a task that was never spawned`);
    if (event.type === "cancel") {
      task.cancel ??= entry;
      task.cancels++;
    } else if (event.type === "retry" || event.type === "restart") task.again.push(entry);
    else if (event.type === "late") task.late++;
    else if (event.type === "end") {
      if (task.end !== undefined)
        this.wrong("6", `${path} ended twice: ${task.end.state}, then ${event.task.state}`);
      else task.end = { seq, at, info: event.task, state: event.task.state as TerminalState };
    }
  }
}

/** The `onError`s that a failure passes, from the inside out, where the task has none or it fails. */
export function handlersOf(row: TaskRow): (ScopeRow | "task")[] {
  const chain: (ScopeRow | "task")[] = [];
  if (row.spec.onError !== undefined) chain.push("task");
  for (let scope: ScopeRow | undefined = row.scope; scope !== undefined; scope = above(scope)) {
    if (scope.group === undefined && scope.spec.onError !== undefined) chain.push(scope);
  }
  return chain;
}
