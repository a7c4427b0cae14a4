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
export type * from "./types.ts";
