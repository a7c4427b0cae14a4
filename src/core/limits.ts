import { callLater, clearTimer, now } from "./clock.ts";
import type { Timer } from "./clock.ts";
import { toCount, toMs, toName } from "./duration.ts";
import { Fifo } from "./fifo.ts";
import type { FifoEntry } from "./fifo.ts";
import type { ScopeNode } from "./scope-node.ts";
import type { TaskNode } from "./task-node.ts";
import type { LimitOptions } from "./options.ts";

export type QueueEntry = FifoEntry<TaskNode>;

/** What bounds the tasks that name one limit key, anywhere below one root. */
export class Pool {
  readonly key: string;
  readonly owner: Map<string, Pool>;
  readonly queue: Fifo<TaskNode> = new Fifo<TaskNode>();
  used = 0;
  /** How many of these have a place, and wait for a slot: they start when they get one. */
  expected = 0;
  /** Live tasks that name it: until the last has ended, it is the pool of its key. */
  users = 0;
  /** The newest starts, where a rate bounds them: a sliding window, so that no window of `per` holds more. */
  starts: number[] = [];
  /** How long a start counts, in ms. */
  window = 0;
  timer: Timer | undefined = undefined;

  constructor(key: string, owner: Map<string, Pool>) {
    this.key = key;
    this.owner = owner;
  }
}

/** Checks the options of a limit, and finds its pool. Throws `RangeError`. */
export function poolFor(scope: ScopeNode, limit: LimitOptions): Pool {
  const key = toName(limit.key, "limit.key");
  toCount(limit.concurrency, "limit.concurrency", 1);
  if (limit.rate !== undefined) {
    toCount(limit.rate.count, "limit.rate.count", 1);
    toMs(limit.rate.per, "limit.rate.per");
  }
  const { pools } = scope.ledger;
  let pool = pools.get(key);
  if (pool === undefined) pools.set(key, (pool = new Pool(key, pools)));
  return pool;
}

/** Whether no more may have a place now. */
export function isFull(pool: Pool, limit: LimitOptions): boolean {
  return pool.used >= limit.concurrency || roomAt(pool, limit) > now();
}

/** One that has a place starts now, or never will. */
export function noteStart(pool: Pool, limit: LimitOptions, isStarting: boolean): void {
  pool.expected--;
  if (!isStarting || limit.rate === undefined) return;
  pool.starts.push(now());
  pool.window = Math.max(pool.window, toMs(limit.rate.per, "limit.rate.per"));
}

/** When the rate lets the next one start; Infinity while that hangs on when those start that have a place. */
export function roomAt(pool: Pool, limit: LimitOptions): number {
  const { rate } = limit;
  if (rate === undefined) return 0;
  const { starts, expected } = pool;
  if (starts.length > rate.count) starts.splice(0, starts.length - rate.count);
  const over = starts.length + expected - rate.count;
  if (over < 0) return 0;
  const oldest = starts[over];
  return oldest === undefined ? Infinity : oldest + toMs(rate.per, "limit.rate.per");
}

/** Calls `retry` when the rate lets the next one start. */
export function wakeAt(pool: Pool, moment: number, retry: (pool: Pool) => void): void {
  clearTimer(pool.timer);
  pool.timer = callLater(Math.max(0, moment - now()), retry, pool);
}

/** Forgets a pool that nobody uses once its window has passed: keys may be many over a long life. */
export function forgetIfIdle(pool: Pool): void {
  if (pool.users > 0) return;
  const newest = pool.starts.at(-1);
  const over = newest === undefined ? 0 : newest + pool.window;
  if (over > now()) {
    if (pool.timer?.isSet !== true) wakeAt(pool, over, forgetIfIdle);
    return;
  }
  clearTimer(pool.timer);
  if (pool.owner.get(pool.key) === pool) pool.owner.delete(pool.key);
}

/** The root has closed: nothing will start any more, and no window has to be kept. */
export function forgetPools(pools: Map<string, Pool>): void {
  for (const pool of pools.values()) clearTimer(pool.timer);
  pools.clear();
}
