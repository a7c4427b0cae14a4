import type { Engine, EngineCapabilities, EngineClock, JobStore } from "../engine.ts";

/** What the author of an engine supplies, so that the suite can run on it. */
export interface EngineHarness {
  /** What the engine says of itself; what it cannot do is not asked of it. */
  readonly capabilities: EngineCapabilities;
  /** Which of the optional parts its benches have. */
  readonly offers: readonly EngineOffer[];
  /** Makes a new, empty store. Cases may run at the same time, each on a store of its own. */
  create(): Promise<EngineBench>;
}

/** An optional part of a bench. Cases that need one that is not offered are skipped, and say so. */
export type EngineOffer = "crash" | "jumpWall" | "transaction";

/** One store, and the time that it lives in. */
export interface EngineBench {
  readonly clock: EngineClock;
  /**
   * For how long the suite's leases are to last, in ms: short, if the engine can keep that also on a busy machine. Where
   * `elapse` really waits, a case takes up to four of them.
   */
  readonly lease: number;
  /** An engine on this store; each call another one, as another process would have. */
  engine(): Engine;
  /**
   * Lets time pass, for leases and for what is due: moves a manual clock, or really waits. Resolves once what follows
   * from that by itself has happened.
   */
  elapse(ms: number): Promise<void>;
  /**
   * Ends an opening as `kill -9` would: what it had begun is stored or not, and nothing is handed back or closed in
   * order. It is not used afterwards.
   */
  crash?(store: JobStore): Promise<void>;
  /** Moves the wall clock alone, as an administrator would; leases must not notice, and what is due must. */
  jumpWall?(ms: number): void;
  /** Runs `fn` in a transaction of the store's: commits when it resolves, rolls back and rejects when it rejects. */
  transaction?<T>(fn: (client: unknown) => Promise<T>): Promise<T>;
  /** Removes the store. */
  destroy(): Promise<void>;
}

/** What a case is about. */
export type EngineCaseGroup = "semantics" | "ordering" | "fencing" | "faults" | "recovery";

/** One demand of the contract. Give it to any test runner. */
export interface EngineCase {
  /** The demand, as a sentence. Unique. */
  readonly name: string;
  readonly group: EngineCaseGroup;
  /** Why it cannot be asked of this engine, or with this harness. Absent where it can. */
  readonly skip?: string;
  /** Rejects, mostly with an `AssertionError`, where the engine does not do as the contract asks. */
  run(harness: EngineHarness): Promise<void>;
}
