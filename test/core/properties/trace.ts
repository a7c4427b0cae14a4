import type { CloseReport, ScopeEvent } from "../../../src/core/info.ts";
import type { Scope, Task, TaskContext } from "../../../src/core/types.ts";
import type { Cleanup, Fate, ScopeSpec, TaskSpec } from "./program.ts";

/** A scope as the programs made it. */
export interface ScopeRow {
  readonly scope: Scope;
  readonly path: string;
  readonly parent: ScopeRow | undefined;
  readonly spec: ScopeSpec;
  /** The group task that it belongs to, and its attempt. */
  readonly group: { readonly row: TaskRow; readonly attempt: number } | undefined;
}

/** What a task was made by. `item` and `tick` are tasks that `map` and `every` make: no handle is seen. */
export type TaskKind = "task" | "group" | "map" | "service" | "every" | "adopt" | "item" | "tick";

/** A task as the programs made it: what is known from outside when it is spawned. */
export interface TaskRow {
  readonly kind: TaskKind;
  readonly id: number;
  readonly task: Task<unknown> | undefined;
  /** The scope that it stands in, directly or as somebody's child. */
  readonly scope: ScopeRow;
  /** The task and attempt whose child it is. */
  readonly parent: { readonly row: TaskRow; readonly attempt: number } | undefined;
  /** The group whose failure its failure is. */
  readonly group: TaskRow | undefined;
  readonly spec: TaskSpec;
  /** Spawned inside a shield, or below something that was: spared from cancellation. */
  readonly isShielded: boolean;
  /** The contexts of its attempts, newest last. */
  readonly contexts: TaskContext[];
}

/** One task, or one scope, of which clean-up was asked for. */
export interface DeferRow {
  readonly n: number;
  readonly cleanup: Cleanup;
  readonly task: { readonly row: TaskRow; readonly attempt: number } | undefined;
  readonly scope: ScopeRow | undefined;
}

/** What may be expected of a spawn, known before it is tried. */
export type Verdict = "accept" | "refuse" | "either";

/** One call that gives a promise. */
interface Call {
  readonly n: number;
  readonly by: TaskRow | undefined;
  /** From a callback, which may run when what it was made in is over. */
  readonly isLate: boolean;
}

/** One thing that was seen, in order. */
export type Sight =
  | {
      readonly saw: "spawn";
      readonly row: TaskRow;
      readonly verdict: Verdict;
      readonly by: TaskRow | undefined;
    }
  | { readonly saw: "join"; readonly row: TaskRow; readonly spec: TaskSpec; readonly scope: ScopeRow }
  | {
      readonly saw: "refuse";
      readonly error: unknown;
      readonly verdict: Verdict;
      readonly spec: TaskSpec;
      readonly scope: ScopeRow;
    }
  | { readonly saw: "scope"; readonly row: ScopeRow }
  | { readonly saw: "enter"; readonly row: TaskRow; readonly attempt: number }
  | {
      readonly saw: "leave";
      readonly row: TaskRow;
      readonly attempt: number;
      readonly how: "returned" | "threw";
      readonly value: unknown;
    }
  | { readonly saw: "event"; readonly event: ScopeEvent }
  | { readonly saw: "onError"; readonly by: ScopeRow | "task"; readonly id: number; readonly error: unknown }
  | { readonly saw: "printed"; readonly path: string; readonly error: unknown }
  | ({ readonly saw: "wait"; readonly row: TaskRow; readonly fate: Exclude<Fate, "detach"> } & Call)
  | { readonly saw: "ask"; readonly n: number }
  | {
      readonly saw: "waited";
      readonly n: number;
      readonly how: "returned" | "threw";
      readonly value: unknown;
    }
  | { readonly saw: "defer"; readonly row: DeferRow }
  | { readonly saw: "defer-runs" | "defer-ends"; readonly row: DeferRow }
  | ({ readonly saw: "cancel"; readonly row: TaskRow } & Call)
  | { readonly saw: "cancelled"; readonly n: number; readonly error: unknown; readonly value: unknown }
  | ({ readonly saw: "close"; readonly scope: ScopeRow } & Call)
  | {
      readonly saw: "closed";
      readonly n: number;
      readonly error: unknown;
      readonly report: CloseReport | undefined;
    }
  | { readonly saw: "request"; readonly scope: ScopeRow }
  | { readonly saw: "lose"; readonly row: TaskRow }
  | { readonly saw: "wrong"; readonly invariant: string; readonly text: string };

/** With its place in the order, and its time. */
export type Entry = Sight & { readonly seq: number; readonly at: number };
