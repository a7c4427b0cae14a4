import { callLater, clearTimer } from "../core/clock.ts";
import type { Timer } from "../core/clock.ts";

/** Calls `fn` once, `ms` from now. Returns what takes that back. */
export function later(ms: number, fn: () => void): () => void {
  const timer: Timer = callLater(ms, fn, undefined);
  return () => {
    clearTimer(timer);
  };
}
