import type { TaskName } from "./tasks.ts";
import type { Place, ScriptInfo } from "./scripts.ts";

/** At what a suspended function waits: at an `await`, at a `yield`, or before its first statement. */
export type Suspension = "await" | "yield" | "start";

/**
 * A function that is suspended. Readers fill graphs of these from wherever they read: the memory of a process, the
 * debugging protocol, a core dump.
 */
export interface SuspendedFunction {
  /** Empty where it has none. */
  readonly name: string;
  /**
   * Where V8 says that it begins, in UTF-16 code units from the beginning of the script: at its parameters; an arrow
   * function at its `async`. Without it a name is not looked for in source maps. @default not known
   */
  readonly start?: number | undefined;
  readonly isGenerator: boolean;
  /** It is the top level of a module, which has no name. */
  readonly isTopLevel: boolean;
  readonly suspension: Suspension;
  readonly script: ScriptInfo;
  /** The `await` or `yield`, as V8's own stack traces name it; undefined where it is not known for sure. */
  readonly place: Place | undefined;
  /** The task of holdfast that it belongs to; undefined where it is nobody's. */
  readonly task: TaskName | undefined;
  /** Which isolate it is in; 0 is the main thread's. */
  readonly isolate: number;
  /** Which of the globals of that isolate it sees; counted from 0 over the process. */
  readonly realm: number;
  /** Who goes on when this one has ended, or has yielded. */
  readonly awaitedBy: readonly SuspendedFunction[];
  /** It did not stay the same for as long as it was looked at: where it stands may be wrong. */
  readonly isChanging: boolean;
}

/** All suspended functions of a process, and who awaits whom. */
export interface AwaitGraph {
  readonly functions: readonly SuspendedFunction[];
}
