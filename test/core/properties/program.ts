/**
 * A program: plain data that the interpreter runs on the real core. Times are virtual milliseconds; targets are
 * indexes into what exists by then, modulo its count, so that a program stays meaningful while it is shrunk.
 */
export interface Program {
  readonly root: ScopeSpec & { readonly records: number };
  /** What the driver does, outside of any task. */
  readonly script: readonly Step[];
  /** How the root is closed in the end. */
  readonly end: CloseSpec;
}

/** What user code throws or rejects with. */
export const THROWN = [
  "error",
  "undefined",
  "null",
  "string",
  "frozen",
  "getters",
  "abort",
  "shared",
  "cause",
] as const;
export type Thrown = (typeof THROWN)[number];

/** Thenables that are not promises, returned by a body. */
export const THENABLES = ["never", "twice", "late-throw", "then-throws", "getter-throws"] as const;
export type ThenableKind = (typeof THENABLES)[number];

export type Ending =
  | { readonly end: "return" }
  | { readonly end: "throw"; readonly what: Thrown }
  /** Awaits a promise that never settles, deaf to cancellation; the watch may find out. */
  | { readonly end: "hang"; readonly lostAfter?: number }
  /** Sleeps until somebody cancels it. */
  | { readonly end: "stay" };

export interface Body {
  /** `sync` runs the steps without awaiting any; the thenables come without steps. */
  readonly style: "async" | "sync" | ThenableKind;
  /** So many attempts fail before the ending is reached. */
  readonly failures: number;
  readonly steps: readonly Step[];
  /** What the body does with what its steps throw. */
  readonly caught: "rethrow" | "swallow" | "replace" | "wrap";
  readonly finally: readonly Step[];
  readonly ending: Ending;
}

export const CLEANUPS = ["ok", "throw", "reject", "slow", "hang"] as const;
export interface Cleanup {
  readonly kind: (typeof CLEANUPS)[number];
  readonly what: Thrown;
  readonly ms: number;
}

/** How a user's callback behaves. */
export type Callback = "ok" | "throws" | "rejects";

export interface TaskSpec {
  readonly timeout?: number;
  readonly deadline?: number;
  readonly grace?: number;
  readonly retry?: {
    readonly attempts: number;
    readonly min: number;
    readonly when: "always" | "never" | "throws";
  };
  readonly key?: number;
  readonly onConflict?: "join" | "replace" | "reject";
  readonly limit?: number;
  readonly delay?: number;
  readonly signal?: number;
  readonly onError?: Callback;
}

export interface ScopeSpec {
  readonly concurrency?: number;
  readonly queue?: number;
  readonly onFull?: "reject" | "drop-oldest";
  readonly onError?: Callback;
  readonly onFailure?: "isolate" | "cancel-all";
  readonly strategy?: "one-for-one" | "one-for-all" | "rest-for-one";
  readonly grace?: number;
  readonly timeout?: number;
  readonly deferTimeout?: number;
  readonly context?: boolean;
}

export interface GroupSpec extends Omit<TaskSpec, "limit"> {
  readonly concurrency?: number;
  readonly queue?: number;
}

export interface ServiceSpec {
  readonly restart: "always" | "on-failure" | "never";
  readonly restarts: number;
  readonly min: number;
  readonly ready: boolean;
  readonly grace?: number;
  readonly delay?: number;
}

export interface CloseSpec {
  readonly how: "close" | "cancel";
  readonly drain: number;
  readonly grace?: number;
}

/** Where something is spawned: on oneself, through the ambient functions, on the own scope, or on a scope by index. */
export type Where = "self" | "ambient" | "mine" | number;

/** What the spawner does with the task it got. */
export const FATES = ["detach", "await", "attach", "outcome", "catch", "finally"] as const;
export type Fate = (typeof FATES)[number];

export type Step =
  | { readonly op: "sleep" | "doze" | "raw" | "ticks"; readonly ms: number }
  | { readonly op: "checkpoint" | "progress" | "ready" | "poll" }
  | {
      readonly op: "spawn";
      readonly where: Where;
      readonly body: Body;
      readonly spec: TaskSpec;
      readonly fate: Fate;
    }
  | {
      readonly op: "group";
      readonly where: Where;
      readonly body: Body;
      readonly spec: GroupSpec;
      readonly fate: Fate;
    }
  | {
      readonly op: "map";
      readonly where: Where;
      readonly items: readonly Body[];
      readonly source: "array" | "async" | "throws";
      readonly concurrency: number;
      readonly fate: Fate;
    }
  | { readonly op: "service"; readonly target: number; readonly body: Body; readonly spec: ServiceSpec }
  | {
      readonly op: "every";
      readonly target: number;
      readonly period: number;
      readonly overlap: "skip" | "queue" | "allow";
      readonly body: Body;
    }
  | {
      readonly op: "adopt";
      readonly target: number;
      readonly settle: Settle;
      readonly ms: number;
      readonly fate: Fate;
    }
  | {
      readonly op: "scope";
      readonly target: number;
      readonly spec: ScopeSpec;
      readonly steps: readonly Step[];
    }
  | {
      readonly op: "cancel";
      readonly target: number;
      readonly fate: "await" | "detach";
      readonly twice: boolean;
    }
  | {
      readonly op: "close";
      readonly target: number;
      readonly spec: CloseSpec;
      readonly fate: "await" | "detach";
    }
  | { readonly op: "request-close" | "lose" | "abort"; readonly target: number }
  | { readonly op: "shield" | "try"; readonly steps: readonly Step[] }
  | { readonly op: "timeout"; readonly ms: number; readonly steps: readonly Step[] }
  | {
      readonly op: "defer";
      readonly where: "task" | number;
      readonly cleanup: Cleanup;
      readonly use: boolean;
    }
  | { readonly op: "await"; readonly target: number; readonly fate: Exclude<Fate, "detach"> }
  | { readonly op: "until"; readonly what: "idle" | "room" | "ready"; readonly target: number }
  | { readonly op: "listen"; readonly target: number; readonly event: number }
  | { readonly op: "late"; readonly ms: number; readonly step: Step }
  | { readonly op: "throw"; readonly what: Thrown };

export type Op = Step["op"];

/** How a promise given to `adopt` settles. */
export const SETTLES = ["value", "error", "never", "twice"] as const;
export type Settle = (typeof SETTLES)[number];

/** The limits that programs share; the bounds belong to the key. */
export const LIMITS = [
  { key: "one", concurrency: 1 },
  { key: "two", concurrency: 2 },
  { key: "rate", concurrency: 2, rate: { count: 2, per: 40 } },
] as const;

/** Keys, and the number of external signals. */
export const KEYS = ["a", "b"] as const;
export const SIGNALS = 2;
