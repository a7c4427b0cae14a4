export { checkpoint, currentTask, group, shield, sleep, spawn, timeout } from "./ambient.ts";
export {
  DeadlockError,
  describeError,
  KeyConflictError,
  NoScopeError,
  QueueFullError,
  ScopeClosedError,
  TaskAbandonedError,
  TaskCancelledError,
  TaskLostError,
  TaskTimeoutError,
} from "./errors.ts";
export type { CancelDetail, CancelSource, ErrorInfo } from "./errors.ts";
export { openScope } from "./scope.ts";
export type {
  AgainEvent,
  AttemptInfo,
  CloseReport,
  FindingEvent,
  FindingKind,
  LateEvent,
  NameStats,
  Progress,
  ScopeEvent,
  ScopeEventName,
  ScopeEventOf,
  ScopeStats,
  ScopeTree,
  StateEvent,
  TaskEvent,
  TaskInfo,
  TaskTree,
  TroubleEvent,
  WaitingLine,
} from "./info.ts";
export type {
  AdoptOptions,
  Attributes,
  Backoff,
  CloseOptions,
  CronOptions,
  EveryOptions,
  GroupOptions,
  LimitOptions,
  MapOptions,
  OnError,
  RetryPolicy,
  RootOptions,
  ScopeOptions,
  ServiceOptions,
  SpawnOptions,
} from "./options.ts";
export type { DisposableLike, Run, Scope, Task, TaskContext } from "./types.ts";
export type { Duration, LiveState, Outcome, ScopeState, TaskState, TerminalState } from "./words.ts";
