import { callEvery, callLater, clearTimer, now, wall } from "../core/clock.ts";
import type { EngineClock } from "./engine.ts";

/**
 * From the clock of this process, which begins with it, to that of the machine, which all processes share: Node's
 * `hrtime` counts from the same moment in each (on Linux CLOCK_MONOTONIC, from the boot).
 */
const sinceBoot = Number(process.hrtime.bigint()) / 1e6 - now();

/** The real time, for engines; a test that puts another clock in place moves it too. */
export const engineClock: EngineClock = {
  now: () => now() + sinceBoot,
  wall,
  later: (ms, fn, isIdle = false) => {
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
