import { MARKER } from "./marker.ts";
import { report } from "./reporter.ts";
import { ABANDONED, CANCELLED, FAILED, LOST, SUCCEEDED } from "./task-node.ts";
import type { ScopeNode } from "./scope-node.ts";
import type { Pool } from "./limits.ts";
import type { TaskNode } from "./task-node.ts";
import type { AttemptInfo, FindingWords, NameStats, Progress } from "./info.ts";
import type { Attributes } from "./options.ts";

/** At most so many names are counted by themselves. */
const MAX_NAMES = 1000;
const OTHER = "other";
/** Bucket i holds latencies below 2^i ms, the last one all that are longer. */
const BUCKETS = 40;

/** Counts and latencies of one name. */
class NameCounts {
  live = 0;
  /** By terminal state. */
  readonly ended = new Float64Array(ABANDONED + 1);
  readonly buckets = new Float64Array(BUCKETS);

  toStats(): NameStats {
    const { ended } = this;
    return {
      live: this.live,
      succeeded: ended[SUCCEEDED] as number,
      failed: ended[FAILED] as number,
      cancelled: ended[CANCELLED] as number,
      lost: ended[LOST] as number,
      abandoned: ended[ABANDONED] as number,
      p50: this.percentile(0.5),
      p99: this.percentile(0.99),
    };
  }

  /** How many attempts ended. */
  get samples(): number {
    let total = 0;
    for (const count of this.buckets) total += count;
    return total;
  }

  /** How long this share of its runs takes at most, in ms. */
  percentile(share: number): number {
    const total = this.samples;
    if (total === 0) return 0;
    let seen = 0;
    let bucket = 0;
    while (bucket < BUCKETS - 1 && (seen += this.buckets[bucket] as number) < total * share) bucket++;
    return 2 ** bucket;
  }
}

/** A watch over a tree of scopes, as the core knows it. */
export interface Watcher {
  /** Takes a finding that the core has come to, to say it when more is known. */
  report(node: TaskNode, words: FindingWords): void;
  /** A task was spawned that is to be known on disk at once. */
  spawned(node: TaskNode): void;
  /** A task has ended that a journal says to live. */
  ended(node: TaskNode): void;
  /** The root is closed. */
  stop(): void;
}

/** What a record keeps beyond numbers, where there is anything. */
export interface RecordDetail {
  readonly key: string | undefined;
  readonly attributes: Attributes | undefined;
  readonly progress: Progress | undefined;
  readonly history: readonly AttemptInfo[] | undefined;
}

/** In a record, in place of an error: `undefined` can be thrown too. */
export const NO_ERROR: unique symbol = Symbol("no error");

/** One ended task, as it is kept. */
export interface TaskRecord {
  readonly id: number;
  readonly name: string;
  readonly scope: ScopeNode;
  /** The path of its parent task; undefined for one that stood in its scope. */
  readonly parentPath: string | undefined;
  readonly createdAt: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly state: number;
  readonly attempt: number;
  readonly detail: RecordDetail | undefined;
  /** What went wrong, or `NO_ERROR`. */
  readonly error: unknown;
}

/**
 * What one tree of scopes keeps of its ended tasks: the newest in a ring, counts and latencies by name for ever.
 * The ring is columns, made once, so that keeping a record allocates nothing.
 */
export class Ledger {
  /** First, where the inspector looks for it. */
  readonly marker: string = MARKER;
  readonly #size: number;
  readonly #numbers: Float64Array;
  readonly #names: string[];
  readonly #scopes: (ScopeNode | undefined)[];
  readonly #parents: (string | undefined)[];
  readonly #details: (RecordDetail | undefined)[];
  readonly #errors: unknown[];
  /** Of the names that are counted by themselves. */
  readonly counts: Map<string, NameCounts> = new Map();
  #at = 0;
  #kept = 0;
  #lastName: string | undefined = undefined;
  #lastCounts: NameCounts = new NameCounts();
  #hasWarned = false;
  /** How many listeners there are anywhere in the tree, by kind of event: where there are none, no event is made. */
  readonly listeners: number[] = new Array<number>(EVENT_KINDS).fill(0);
  watcher: Watcher | undefined = undefined;
  /** Bounds by key, for the whole tree. */
  readonly pools: Map<string, Pool> = new Map<string, Pool>();
  #lastId = 0;

  constructor(size: number) {
    this.#size = size;
    this.#numbers = new Float64Array(size * COLUMNS);
    this.#names = new Array<string>(size).fill("");
    this.#scopes = new Array<ScopeNode | undefined>(size).fill(undefined);
    this.#parents = new Array<string | undefined>(size).fill(undefined);
    this.#details = new Array<RecordDetail | undefined>(size).fill(undefined);
    this.#errors = new Array<unknown>(size).fill(NO_ERROR);
  }

  /** Ids count from 1 within a tree. */
  nextId(): number {
    return ++this.#lastId;
  }

  /** A task of this name was spawned. */
  countSpawn(name: string): void {
    (name === this.#lastName ? this.#lastCounts : this.#find(name)).live++;
  }

  /** A task has ended. */
  keep(
    node: TaskNode,
    state: number,
    attempt: number,
    parentPath: string | undefined,
    detail: RecordDetail | undefined,
    error: unknown,
  ): void {
    const { name, endedAt } = node;
    const counts = name === this.#lastName ? this.#lastCounts : this.#find(name);
    counts.live--;
    (counts.ended[state] as number)++;
    if (attempt > 0) {
      const ms = endedAt - node.startedAt;
      const bucket = ms < 1 ? 0 : ms >= 2 ** (BUCKETS - 2) ? BUCKETS - 1 : Math.floor(Math.log2(ms)) + 1;
      (counts.buckets[bucket] as number)++;
    }
    if (this.#size === 0) return;
    const at = this.#at;
    this.#at = at + 1 === this.#size ? 0 : at + 1;
    if (this.#kept < this.#size) this.#kept++;
    const numbers = this.#numbers;
    const from = at * COLUMNS;
    numbers[from] = node.id;
    numbers[from + 1] = node.createdAt;
    numbers[from + 2] = node.startedAt;
    numbers[from + 3] = endedAt;
    numbers[from + 4] = state;
    numbers[from + 5] = attempt;
    // Most tasks of a ring are alike: writing only what differs spares the collector's write barrier.
    if (this.#names[at] !== name) this.#names[at] = name;
    if (this.#scopes[at] !== node.scope) this.#scopes[at] = node.scope;
    if (this.#parents[at] !== parentPath) this.#parents[at] = parentPath;
    if (this.#details[at] !== detail) this.#details[at] = detail;
    if (this.#errors[at] !== error) this.#errors[at] = error;
  }

  /** The records that are kept, newest first. */
  *records(): Generator<TaskRecord> {
    for (let back = 1; back <= this.#kept; back++) {
      const at = (this.#at - back + this.#size) % this.#size;
      const from = at * COLUMNS;
      const [id, createdAt, startedAt, endedAt, state, attempt] = this.#numbers.subarray(
        from,
        from + COLUMNS,
      );
      yield {
        id: id as number,
        name: this.#names[at] as string,
        scope: this.#scopes[at] as ScopeNode,
        parentPath: this.#parents[at],
        createdAt: createdAt as number,
        startedAt: startedAt as number,
        endedAt: endedAt as number,
        state: state as number,
        attempt: attempt as number,
        detail: this.#details[at],
        error: this.#errors[at],
      };
    }
  }

  names(): Record<string, NameStats> {
    const names: Record<string, NameStats> = Object.create(null) as Record<string, NameStats>;
    for (const [name, counts] of this.counts) names[name] = counts.toStats();
    return names;
  }

  #find(name: string): NameCounts {
    let counts = this.counts.get(name);
    if (counts === undefined) {
      if (this.counts.size >= MAX_NAMES && name !== OTHER) {
        this.#warn(name);
        return this.#find(OTHER);
      }
      counts = new NameCounts();
      this.counts.set(name, counts);
    }
    this.#lastName = name;
    this.#lastCounts = counts;
    return counts;
  }

  #warn(name: string): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    report(
      `more than ${MAX_NAMES} task names (${JSON.stringify(name)} is the next): ` +
        'the rest is counted under "other". Names must not hold ids: attributes and keys do.',
    );
  }
}

const COLUMNS = 6;
const EVENT_KINDS = 9;
