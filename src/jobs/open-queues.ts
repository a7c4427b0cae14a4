import type { ScopeNode } from "../core/scope-node.ts";
import type { JobStats } from "./record.ts";

/** A queue that is open in this process, as the agent tells of it. */
export interface OpenQueue {
  readonly scope: ScopeNode;
  /** For people; no secrets in it. */
  readonly engine: string;
  /** The names of the jobs that it runs: none where it only enqueues, or has stopped. */
  readonly jobs: readonly string[];
  /** How many attempts run here. */
  readonly running: number;
  /** How many may run at once. */
  readonly concurrency: number;
  stats(): Promise<JobStats>;
}

/** All of them. Nothing else of jobs is loaded with it. */
export const openQueues: Set<OpenQueue> = new Set<OpenQueue>();
