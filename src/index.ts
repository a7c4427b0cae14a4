import { followPromises } from "./core/context.ts";
import { announceCopy } from "./process/copies.ts";

export {
  checkpoint,
  currentTask,
  DeadlockError,
  describeError,
  group,
  KeyConflictError,
  NoScopeError,
  openScope,
  QueueFullError,
  ScopeClosedError,
  shield,
  sleep,
  spawn,
  TaskAbandonedError,
  TaskCancelledError,
  TaskLostError,
  TaskTimeoutError,
  timeout,
} from "./core/index.ts";
export type {
  AdoptOptions,
  AgainEvent,
  AttemptInfo,
  Attributes,
  Backoff,
  CancelDetail,
  CancelSource,
  CloseOptions,
  CloseReport,
  CronOptions,
  DisposableLike,
  Duration,
  ErrorInfo,
  EveryOptions,
  GroupOptions,
  LimitOptions,
  LiveState,
  MapOptions,
  FindingEvent,
  FindingKind,
  LateEvent,
  NameStats,
  OnError,
  Outcome,
  Progress,
  RetryPolicy,
  RootOptions,
  Run,
  Scope,
  ScopeEvent,
  ScopeEventName,
  ScopeEventOf,
  ScopeOptions,
  ScopeState,
  ScopeStats,
  ScopeTree,
  ServiceOptions,
  SpawnOptions,
  Task,
  TaskContext,
  StateEvent,
  TaskEvent,
  TaskInfo,
  TaskState,
  TaskTree,
  TroubleEvent,
  WaitingLine,
  TerminalState,
} from "./core/index.ts";
export type { AwaitLine, TaskLines } from "./inspect/await-line.ts";
export { main } from "./process/main.ts";
export { watch } from "./watch/watch.ts";
export type { Watch } from "./watch/watch.ts";
export type { GrowingOptions, OverdueOptions, WatchOptions } from "./watch/options.ts";
export type { MainOptions } from "./process/main.ts";
export type { EndCause, ProcessReport, StubbornTask, UncaughtReport } from "./process/report.ts";
export type { SignalName } from "./process/stop-signals.ts";

announceCopy(import.meta.url);
// For a program that was started with `holdfast/register`, and has tasks of its own.
followPromises();
