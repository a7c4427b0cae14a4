import { outside } from "./context.ts";

/** Where time comes from. The only place in holdfast that touches the platform's timers; tests replace it. */
export interface ClockDriver {
  /** Monotonic, in ms. */
  now(): number;
  /** ms since the epoch. */
  wall(): number;
  /** Calls `fire` once, `ms` (at most 2³¹ − 1) from now. */
  set(fire: () => void, ms: number): unknown;
  clear(handle: unknown): void;
  /** Calls `beat` every `ms` (at most 2³¹ − 1), which keeps no process alive. Returns what stops it. */
  every(beat: () => void, ms: number): () => void;
  /** Whether `coarseNow` may answer with a reading from earlier in the same turn. */
  readonly coarse: boolean;
}

// Looked up at each call, so that a test runner's fake timers are seen.
const platform: ClockDriver = {
  now: () => performance.now(),
  wall: () => Date.now(),
  set: (onTime, ms) => setTimeout(onTime, ms),
  clear: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
  every: (beat, ms) => {
    const timer = setInterval(beat, ms).unref();
    return () => clearInterval(timer);
  },
  coarse: true,
};

/** The longest delay that the platform's timers take; a longer one is chained. */
const MAX_DELAY = 2 ** 31 - 1;

/**
 * Something to be done at a moment, set once. One heap holds them all, and one timer of the platform serves the heap.
 * One that is taken back stays in the heap until it is met there, or until most in it are such: a cancel may take back
 * a hundred thousand, and to take each out of its place would cost more than all the rest.
 */
export abstract class Timer {
  when = 0;
  /** Set, and neither fired nor taken back. */
  isSet = false;
  /** Breaks ties, so that what was set first fires first. */
  order = 0;
  abstract onTime(): void;
}

class Call<A> extends Timer {
  readonly #fn: (arg: A) => void;
  readonly #arg: A;
  constructor(fn: (arg: A) => void, arg: A) {
    super();
    this.#fn = fn;
    this.#arg = arg;
  }
  onTime(): void {
    this.#fn(this.#arg);
  }
}

let driver: ClockDriver = platform;
let handle: unknown;
let armedFor = Infinity;
let nextOrder = 0;
const heap: Timer[] = [];
/** How many in the heap have not been taken back. */
let pending = 0;
/** A heap of so few is not worth cleaning. */
const FEW = 64;

/** Monotonic time, in ms. */
export function now(): number {
  return driver.now();
}

/** ms since the epoch. */
export function wall(): number {
  return driver.wall();
}

/** How many readings one reading of the real clock may serve within a turn. */
const READS_PER_READING = 16;
let reading = 0;
let readsLeft = 0;
let isTurnWatched = false;

/**
 * Monotonic time, in whole ms (small integers need no box on the heap), as of earlier in this turn of the event loop, or a few readings ago.
 * A reading costs more than the rest of a spawn; a body that computes long without a turn may be timed short.
 */
export function coarseNow(): number {
  if (readsLeft > 0) {
    readsLeft--;
    return reading;
  }
  reading = Math.floor(driver.now());
  if (driver.coarse) {
    readsLeft = READS_PER_READING;
    if (!isTurnWatched) {
      isTurnWatched = true;
      outside(watchTurn);
    }
  }
  return reading;
}

function watchTurn(): void {
  process.nextTick(endTurn);
}

function endTurn(): void {
  readsLeft = 0;
  isTurnWatched = false;
}

let wallOffset: number | undefined;
/** How far the two clocks may drift apart (a suspended machine, a corrected clock) before they are compared again. */
const MAX_DRIFT = 500;

/** What the wall clock said at a monotonic moment, in whole ms since the epoch. */
export function toWall(moment: number): number {
  const offset = driver.wall() - driver.now();
  if (wallOffset === undefined || Math.abs(offset - wallOffset) > MAX_DRIFT) wallOffset = offset;
  return Math.round(moment + wallOffset);
}

/** Sets a timer `ms` from now. */
export function setTimer(timer: Timer, ms: number): void {
  // Whole ms: never early, and a small integer needs no box on the heap.
  setTimerAt(timer, Math.ceil(driver.now() + ms));
}

/** Sets a timer for a moment, in whole ms on the clock of `now()`. */
export function setTimerAt(timer: Timer, when: number): void {
  timer.when = when;
  timer.order = nextOrder++;
  timer.isSet = true;
  pending++;
  heap.push(timer);
  siftUp(timer, heap.length - 1);
  if (timer.when < armedFor) arm();
}

/** Calls `fn(arg)` `ms` from now. Returns the timer, for `clearTimer`. */
export function callLater<A>(ms: number, fn: (arg: A) => void, arg: A): Timer {
  const timer = new Call(fn, arg);
  setTimer(timer, ms);
  return timer;
}

/** Takes a timer back. Nothing happens if it fired or was never set. */
export function clearTimer(timer: Timer | undefined): void {
  if (timer === undefined || !timer.isSet) return;
  timer.isSet = false;
  pending--;
  if (pending === 0) {
    heap.length = 0;
    disarm();
  } else if (heap.length > 2 * pending + FEW) clean();
}

/** Calls `beat` every `ms`, outside of any task, for as long as something else keeps the process alive. Returns what stops it. */
export function callEvery(ms: number, beat: () => void): () => void {
  return outside(() => driver.every(beat, Math.min(ms, MAX_DELAY)));
}

/** How many timers are set. */
export function pendingTimers(): number {
  return pending;
}

/** When the next timer is due, on the clock of `now()`; undefined where none is set. */
export function nextTimer(): number | undefined {
  return first()?.when;
}

/**
 * Puts another source of time in place, for tests, and returns the function that puts the platform's back.
 * Throws while timers are set: they belong to the other clock.
 */
export function replaceClock(replacement: ClockDriver): () => void {
  use(replacement);
  return () => {
    if (driver === replacement) use(platform);
  };
}

/** Resolves in a later turn of the platform's event loop, whatever clock is in place: microtasks and ticks are done. */
export function untilTurn(): Promise<void> {
  return new Promise((resolve) => {
    nextTurn(resolve);
  });
}

/** Calls `fn` in a later turn of the platform's event loop, after timers and I/O have had theirs. */
export function nextTurn(fn: () => void): void {
  outside(() => platformImmediate(fn));
}

const platformImmediate = setImmediate;

function use(next: ClockDriver): void {
  if (pending > 0) throw new Error(`the clock cannot be replaced while ${pending} timers are set`);
  disarm();
  driver = next;
  endTurn();
  wallOffset = undefined;
}

function arm(): void {
  disarm();
  const next = first();
  if (next === undefined) return;
  armedFor = next.when;
  const ms = Math.min(MAX_DELAY, Math.max(0, Math.ceil(next.when - driver.now())));
  // Outside of any task: the platform's timer would keep the task that happens to run now alive.
  handle = outside(() => driver.set(fire, ms));
}

function disarm(): void {
  if (handle !== undefined) driver.clear(handle);
  handle = undefined;
  armedFor = Infinity;
}

function fire(): void {
  handle = undefined;
  armedFor = Infinity;
  readsLeft = 0;
  const until = driver.now();
  const before = nextOrder;
  // What a timer sets for now waits for the next round: a chain of zero delays must not hold the loop.
  for (let next = first(); next !== undefined && next.when <= until && next.order < before; next = first()) {
    next.isSet = false;
    pending--;
    removeFirst();
    next.onTime();
  }
  arm();
}

/** The next one that has not been taken back. */
function first(): Timer | undefined {
  while (heap[0]?.isSet === false) removeFirst();
  return heap[0];
}

function removeFirst(): void {
  const last = heap.pop();
  if (last !== undefined && heap.length > 0) siftDown(last, 0);
}

/** Drops all that were taken back. */
function clean(): void {
  let kept = 0;
  for (const timer of heap) if (timer.isSet) heap[kept++] = timer;
  heap.length = kept;
  for (let at = (kept >> 1) - 1; at >= 0; at--) siftDown(heap[at] as Timer, at);
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.when < b.when || (a.when === b.when && a.order < b.order);
}

function siftUp(timer: Timer, from: number): void {
  let at = from;
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above] as Timer;
    if (!isBefore(timer, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = timer;
}

function siftDown(timer: Timer, from: number): void {
  const count = heap.length;
  let at = from;
  for (;;) {
    let below = 2 * at + 1;
    if (below >= count) break;
    if (below + 1 < count && isBefore(heap[below + 1] as Timer, heap[below] as Timer)) below++;
    const child = heap[below] as Timer;
    if (!isBefore(child, timer)) break;
    heap[at] = child;
    at = below;
  }
  heap[at] = timer;
}
