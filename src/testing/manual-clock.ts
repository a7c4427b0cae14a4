import { nextTimer, pendingTimers, replaceClock, untilTurn } from "../core/clock.ts";
import { toMs } from "../core/duration.ts";
import type { Duration } from "../core/words.ts";

/** A clock that stands until it is told to move. */
export interface ManualClock {
  /** ms since it was put in place. */
  readonly now: number;
  /** What its wall clock says, in ms since the epoch. */
  readonly wall: number;
  /** How many timers holdfast has set. */
  readonly pending: number;
  /**
   * Moves time on, and stops at every timer on the way: it fires, and all that follows from it without further time
   * happens, before the next one does. Resolves when the whole of the duration has passed.
   */
  advance(duration: Duration): Promise<void>;
  /** Moves time on at one go, like a machine that slept: what came due meanwhile fires now. */
  jump(duration: Duration): Promise<void>;
  /** Sets the wall clock alone, as an administrator or NTP would. */
  setWall(moment: Date | number): void;
  /** Lets everything happen that needs no time. */
  settle(): Promise<void>;
  /** Puts the real clock back. Throws while timers are set. */
  uninstall(): void;
}

/** Options of `useManualClock`. */
export interface ManualClockOptions {
  /** What the wall clock says at first. @default 2026-01-01T00:00:00Z */
  readonly wall?: Date | number;
  /**
   * Moves on to the next timer by itself when nothing happens any more. It cannot see the network: a test that waits
   * for real input or output while a timer is set does not want it. @default false
   */
  readonly autojump?: boolean;
}

/** So many turns of the event loop must pass with nothing new before the clock jumps by itself. */
const IDLE_TURNS = 3;
/** So many turns let finish what needs no time: a chain of microtasks and ticks takes one, an `onError` one more. */
const SETTLE_TURNS = 2;

/**
 * Puts a clock in place of the real one, for all of holdfast in this process. Timers of the platform are untouched.
 * (The idea, and `autojump`, are those of Trio's MockClock.)
 *
 * @throws Error while timers are set on the real clock.
 * @example
 * const clock = useManualClock();
 * const task = app.spawn("nap", (task) => task.sleep("1h"));
 * await clock.advance("1h");
 * await task;
 * clock.uninstall();
 */
export function useManualClock(options: ManualClockOptions = {}): ManualClock {
  let time = 0;
  let wallOffset = Number(options.wall ?? Date.UTC(2026, 0, 1));
  let armed: { readonly at: number; readonly onTime: () => void } | undefined;
  const beats = new Set<{ at: number; readonly onTime: () => void }>();
  let isInstalled = true;

  const restore = replaceClock({
    now: () => time,
    wall: () => wallOffset + time,
    set: (onTime, ms) => (armed = { at: time + ms, onTime }),
    clear: (handle) => {
      if (armed === handle) armed = undefined;
    },
    every: (onTime, ms) => {
      const beat = { at: time + ms, onTime: () => ((beat.at = time + ms), onTime()) };
      beats.add(beat);
      return () => beats.delete(beat);
    },
    coarse: false,
  });

  /** What is next, a timer or a beat. */
  const next = (): { readonly at: number; readonly onTime: () => void } | undefined => {
    let first = armed;
    for (const beat of beats) if (first === undefined || beat.at < first.at) first = beat;
    return first;
  };

  const fire = (due: { readonly onTime: () => void } | undefined): void => {
    if (due === armed) armed = undefined;
    due?.onTime();
  };

  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < SETTLE_TURNS; turn++) await untilTurn();
  };

  const autojump = async (): Promise<void> => {
    let seen = armed;
    let idle = 0;
    while (isInstalled) {
      await untilTurn();
      idle = armed === seen ? idle + 1 : 0;
      seen = armed;
      if (idle < IDLE_TURNS || armed === undefined) continue;
      const { at } = armed;
      for (let due = next(); due !== undefined && due.at <= at; due = next()) {
        time = Math.max(time, due.at);
        fire(due);
      }
      idle = 0;
    }
  };
  if (options.autojump === true) void autojump();

  return {
    get now() {
      return time;
    },
    get wall() {
      return wallOffset + time;
    },
    get pending() {
      return pendingTimers();
    },
    async advance(duration) {
      const until = time + toMs(duration, "advance");
      await settle();
      for (let due = next(); due !== undefined && due.at <= until; due = next()) {
        time = Math.max(time, due.at);
        fire(due);
        await settle();
      }
      time = Math.max(time, until);
    },
    async jump(duration) {
      await settle();
      time += toMs(duration, "jump");
      for (const beat of beats) if (beat.at <= time) fire(beat);
      while (armed !== undefined && (nextTimer() ?? Infinity) <= time) {
        fire(armed);
        await settle();
      }
    },
    setWall(moment) {
      wallOffset = Number(moment) - time;
    },
    settle,
    uninstall() {
      restore();
      isInstalled = false;
    },
  };
}
