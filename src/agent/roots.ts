import {
  describeStats,
  isWithin,
  liveTasks,
  recordInfo,
  scopePath,
  scopeState,
  taskInfo,
  taskPath,
  totalOf,
} from "../core/describe.ts";
import { roots } from "../core/roots.ts";
import { addTally, newTally } from "../core/scope-node.ts";
import type { ScopeNode } from "../core/scope-node.ts";
import { stateName, stateOf, terminalName, WAITING } from "../core/task-node.ts";
import type { TaskNode } from "../core/task-node.ts";
import type { ScopeStats, TaskInfo } from "../core/info.ts";
import type { ScopeState } from "../core/words.ts";
import type { TaskCounts } from "./answers.ts";
import type { TaskRecord } from "../core/ledger.ts";

/** What is asked of a list of tasks. */
export interface TaskFilter {
  readonly state: string | undefined;
  readonly name: string | undefined;
  /** Only those that live, or only those that have ended. */
  readonly only: "live" | "ended" | undefined;
  readonly limit: number;
}

/** The root scopes that an agent tells of, and what is in them. */
export class Roots {
  readonly #own: ScopeNode | undefined;

  /** Of one scope, or of all roots that are open at the time. */
  constructor(own: ScopeNode | undefined) {
    this.#own = own;
  }

  get nodes(): ScopeNode[] {
    return this.#own === undefined ? [...roots] : [this.#own];
  }

  /** Whether this scope is in them. */
  has(scope: ScopeNode): boolean {
    return this.nodes.some((node) => isWithin(scope, node));
  }

  states(): { path: string; state: ScopeState }[] {
    return this.nodes.map((node) => ({ path: scopePath(node), state: scopeState(node) }));
  }

  stats(): ScopeStats[] {
    return this.nodes.map(describeStats);
  }

  counts(): TaskCounts {
    const live = this.#live();
    const waiting = live.filter((task) => stateOf(task) === WAITING).length;
    const total = newTally();
    for (const node of this.nodes) addTally(total, totalOf(node));
    return { live: live.length, waiting, ...total };
  }

  /** The live tasks, then the records, and whether there are more. Only those that are shown are described. */
  list({ state, name, only, limit }: TaskFilter): { tasks: TaskInfo[]; more: boolean } {
    const tasks: TaskInfo[] = [];
    const isWanted = (task: TaskNode | TaskRecord, itsState: string): boolean =>
      (state === undefined || state === itsState) && (name === undefined || name === task.name);
    for (const task of only === "ended" ? [] : this.#live()) {
      if (!isWanted(task, stateName(task))) continue;
      if (tasks.length === limit) return { tasks, more: true };
      tasks.push(taskInfo(task));
    }
    for (const record of only === "live" ? [] : this.#records()) {
      if (!isWanted(record, terminalName(record.state))) continue;
      if (tasks.length === limit) return { tasks, more: true };
      tasks.push(recordInfo(record));
    }
    return { tasks, more: false };
  }

  /** The live tasks with this id (each root counts its own), or at this path. */
  find(which: number | string): TaskNode[] {
    if (typeof which === "number") return this.#live().filter((task) => task.id === which);
    const name = which.slice(which.lastIndexOf("/") + 1);
    // A name may hold a slash: whether it is the end of the path is asked first, as that costs nothing.
    return this.#live().filter(
      (task) => (task.name === name || task.name.endsWith(`/${name}`)) && taskPath(task) === which,
    );
  }

  /** The live tasks that may have been meant by something that is the path of none. */
  findLike(text: string): TaskNode[] {
    const name = text.slice(text.lastIndexOf("/") + 1).toLowerCase();
    return this.#live().filter((task) => task.name.toLowerCase() === name);
  }

  /** The records of the tasks with this id, or at this path. */
  findRecords(which: number | string): TaskInfo[] {
    const found: TaskInfo[] = [];
    for (const record of this.#records()) {
      if (typeof which === "number" && record.id !== which) continue;
      const info = recordInfo(record);
      if (typeof which === "number" || info.path === which) found.push(info);
    }
    return found;
  }

  #live(): TaskNode[] {
    return this.nodes.flatMap(liveTasks);
  }

  *#records(): Generator<TaskRecord> {
    const own = this.#own;
    for (const { ledger } of this.nodes) {
      // A ledger is that of the whole root.
      for (const record of ledger.records())
        if (own === undefined || isWithin(record.scope, own)) yield record;
    }
  }
}
