import type { Marked } from "./marks.ts";

/** One suspended function, as the program itself says where it waits. */
export interface TruthNode {
  /** Empty where V8 has no name for it. */
  readonly name: string;
  readonly isGenerator: boolean;
  readonly suspension: "await" | "yield" | "start";
  /** By which mark its place is known; several that run the same function have the same one. */
  readonly mark: number;
  /** Undefined where V8 has none, as for `eval`. */
  readonly url: string | undefined;
  readonly inWorker: boolean;
  /** Who goes on when it ends or yields. */
  readonly awaitedBy: Set<TruthNode>;
}

/** What a batch of programs says of itself. */
export interface Truth {
  readonly nodes: readonly TruthNode[];
  readonly places: ReadonlyMap<number, Marked>;
  /** How often each feature occurs. */
  readonly features: ReadonlyMap<string, number>;
}

/** An expression that yields a promise, and the functions on which it hangs. */
export interface Promised {
  readonly text: string;
  /** Whoever awaits the promise is an awaiter of these. */
  readonly tops: readonly TruthNode[];
  /** It is a promise that the runtime settles at the end: who awaits it then tells V8's own stack. */
  readonly isLeaf?: boolean;
}
