import { callEvery, callLater, clearTimer, now, wall } from "../core/clock.ts";
import type { EngineClock } from "./engine.ts";

/**
 * How far the clock of this process, which begins with it, lies behind that of the machine (CLOCK_MONOTONIC on Linux),
 * which is the same in all processes. Both run alike; neither jumps.
 */
const [seconds, nanoseconds] = process.hrtime();
const offset = seconds * 1e3 + nanoseconds / 1e6 - performance.now();

/** The time that engines are given. A test that replaces the clock of holdfast moves this one, too. */
export const engineClock: EngineClock = {
  now: () => now() + offset,
  wall,
  later(ms, fn, isIdle = false) {
    if (isIdle) {
      const stop = callEvery(ms, () => {
        stop();
        fn();
      });
      return stop;
    }
    const timer = callLater(ms, fn, undefined);
    return () => clearTimer(timer);
  },
};
