import type { ErrorInfo } from "./errors.ts";
import type { Attributes } from "./options.ts";
import type { ScopeState, TaskState } from "./words.ts";

/** How far a task says it has come. */
export interface Progress {
  readonly done: number;
  readonly total?: number;
  readonly note?: string;
  /** When it was said, in ms since the epoch. */
  readonly at: number;
}

/** One ended attempt. Times are ms since the epoch. */
export interface AttemptInfo {
  readonly attempt: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly error?: ErrorInfo;
}

/** A task as plain data, safe for JSON. Times are ms since the epoch. */
export interface TaskInfo {
  readonly id: number;
  readonly name: string;
  readonly path: string;
  readonly state: TaskState;
  /** From 1; 0 while it has not started. */
  readonly attempt: number;
  readonly key?: string;
  readonly createdAt: number;
  /** Of the latest attempt; absent where none has started. */
  readonly startedAt?: number;
  /** Absent while it lives. */
  readonly endedAt?: number;
  /** The failure, the reason of the cancellation, or the last attempt's error. */
  readonly error?: ErrorInfo;
  /** The newest ended attempts but for the last, at most 20; absent where there was no retry. */
  readonly attempts?: readonly AttemptInfo[];
  readonly progress?: Progress;
  readonly attributes: Attributes;
  /** How many of its children live. */
  readonly children: number;
}

/** What ended while a scope closed, descendants included. Safe for JSON. */
export interface CloseReport {
  readonly path: string;
  /** How long it took. */
  readonly ms: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly lost: number;
  /** What would not stop; at most 1,000 are listed. */
  readonly abandoned: readonly TaskInfo[];
  /** Failures of clean-up, and what made the scope close; at most 1,000 are listed. */
  readonly errors: readonly unknown[];
}

/** Counts of one name. Latencies are from start to end, in ms, as the upper bound of a power-of-two bucket. */
export interface NameStats {
  readonly live: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly lost: number;
  readonly abandoned: number;
  readonly p50: number;
  readonly p99: number;
}

/** Counts of a scope and all below it. */
export interface ScopeStats {
  readonly path: string;
  readonly state: ScopeState;
  /** Live tasks, and of these those that wait for a slot, a key, a delay or their first turn. */
  readonly live: number;
  readonly waiting: number;
  readonly spawned: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly lost: number;
  readonly abandoned: number;
  /** What settled after it had been given up. */
  readonly late: number;
  /** By name, over the whole tree of the root; past 1,000 names the rest is counted under `other`. */
  readonly names: Readonly<Record<string, NameStats>>;
}

/** A task with what runs below it. */
export interface TaskTree extends TaskInfo {
  readonly tasks: readonly TaskTree[];
  /** The scopes opened in its group; none where it is no group. */
  readonly scopes: readonly ScopeTree[];
}

/** A scope with what runs below it. */
export interface ScopeTree {
  readonly name: string;
  readonly path: string;
  readonly state: ScopeState;
  readonly attributes: Attributes;
  readonly tasks: readonly TaskTree[];
  readonly scopes: readonly ScopeTree[];
}

interface Happening<Type extends string> {
  readonly type: Type;
  /** ms since the epoch. */
  readonly at: number;
  /** A sentence for people. */
  readonly text: string;
}

/** What happened to a task. */
export interface TaskEvent<Type extends string> extends Happening<Type> {
  readonly task: TaskInfo;
}

/** What went wrong with a task: an attempt failed and another follows, or it is asked to stop. */
export interface TroubleEvent<Type extends string> extends TaskEvent<Type> {
  /** Of a service that is always restarted, and returned: an error that says so. */
  readonly error: ErrorInfo;
}

/** Another attempt follows. */
export interface AgainEvent<Type extends string> extends TroubleEvent<Type> {
  /** ms until then. */
  readonly delay: number;
}

/** Something settled after it had been given up. */
export interface LateEvent extends TaskEvent<"late"> {
  /** What it failed with; absent where it succeeded. */
  readonly error?: ErrorInfo;
}

/**
 * What can be wrong: a task that nothing can ever settle (`lost`), that did not stop within its grace (`unresponsive`),
 * that runs far longer than its like (`overdue`), or that outlives the request it came from (`adrift`); tasks of one name
 * that become ever more (`growing`); an event loop that stands (`blocked`).
 */
export type FindingKind = "lost" | "unresponsive" | "overdue" | "adrift" | "growing" | "blocked";

/** A line at which a function of a task waits; counted from 1. */
export interface WaitingLine {
  /** A path, where the script is a file; else what its script is called. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Empty for a function without a name. */
  readonly function: string;
}

/** What a finding about a task says besides which task it is. */
export type FindingWords = Pick<FindingEvent, "finding" | "advice" | "awaiting" | "stack"> & {
  /** What goes between the path and the advice: `did not stop within its grace`. */
  readonly what: string;
  /** For how long it has been so, in ms. @default the age of the task */
  readonly ms?: number;
};

/** Something that the watch holds to be wrong; of each thing it is said once. */
export interface FindingEvent extends Happening<"finding"> {
  readonly finding: FindingKind;
  /** The path of the task; of `growing`, and of a loop that no task blocks, that of the scope. */
  readonly path: string;
  /** The task, or the oldest of those that grow; absent where no task blocks the loop. */
  readonly task?: TaskInfo;
  /** For how long it has been so, in ms: the age of the task, how long the loop has stood. */
  readonly ms: number;
  /** What to do, in a sentence. */
  readonly advice: string;
  /** At which lines its functions wait; absent where that was not looked at, or is not known. */
  readonly awaiting?: readonly WaitingLine[];
  /** Of `blocked`: the JavaScript stack that held the loop. */
  readonly stack?: string;
}

/** A scope has a new state. */
export interface StateEvent extends Happening<"state"> {
  /** Its path. */
  readonly scope: string;
  readonly state: ScopeState;
  /** Why it closes. */
  readonly reason?: ErrorInfo;
}

/** One thing that happened, as plain data: a sentence for people, fields for machines. */
export type ScopeEvent =
  | TaskEvent<"spawn">
  | TaskEvent<"start">
  | AgainEvent<"retry">
  | AgainEvent<"restart">
  | TroubleEvent<"cancel">
  | TaskEvent<"end">
  | LateEvent
  | FindingEvent
  | StateEvent;

/** The names of the events. */
export type ScopeEventName = ScopeEvent["type"];

/** The events of one name. */
export type ScopeEventOf<E extends ScopeEventName> = Extract<ScopeEvent, { readonly type: E }>;
