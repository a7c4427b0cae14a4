import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { IntervalHistogram } from "node:perf_hooks";
import { callLater, now } from "../core/clock.ts";
import type { LoopDelay } from "./answers.ts";

/** How often it looks, in ms. */
const EVERY = 10;
/** For how long somebody who has just connected waits for a first figure, in ms. */
const AT_LEAST = 100;
const NS = 1e6;

/**
 * How late the event loop is. It measures while somebody is connected and at no other time: it wakes the process a
 * hundred times a second.
 */
export class LoopMeter {
  #histogram: IntervalHistogram | undefined;
  #since = 0;
  #users = 0;

  /** Somebody has connected. */
  retain(): void {
    if (this.#users++ > 0) return;
    this.#histogram = monitorEventLoopDelay({ resolution: EVERY });
    this.#histogram.enable();
    this.#since = now();
  }

  /** Somebody has gone. */
  release(): void {
    if (--this.#users > 0) return;
    this.#histogram?.disable();
    this.#histogram = undefined;
  }

  get isMeasuring(): boolean {
    return this.#histogram !== undefined;
  }

  /** Resolves when there is something to tell. */
  async untilMeasured(): Promise<void> {
    const left = this.#since + AT_LEAST - now();
    if (this.#histogram === undefined || left <= 0) return;
    await new Promise<void>((resolve) => {
      callLater(left, resolve, undefined);
    });
  }

  /** Null where nothing was measured. */
  read(): LoopDelay | null {
    const histogram = this.#histogram;
    if (histogram === undefined || histogram.count === 0) return null;
    // What it counts are whole intervals: all beyond their length is delay.
    const toMs = (ns: number): number => Math.max(0, Math.round((ns / NS - EVERY) * 100) / 100);
    return {
      mean: toMs(histogram.mean),
      p50: toMs(histogram.percentile(50)),
      p99: toMs(histogram.percentile(99)),
      max: toMs(histogram.max),
      measuredMs: Math.round(now() - this.#since),
    };
  }

  /** Which share of the process's life its loop was busy. */
  get utilization(): number {
    return Math.round(performance.eventLoopUtilization().utilization * 1e4) / 1e4;
  }
}
