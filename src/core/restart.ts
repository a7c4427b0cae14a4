import { badOption, givenMs, oneOf, toCount, toFunction, toMs } from "./duration.ts";
import type { TaskNode } from "./task-node.ts";
import type { Backoff, RetryPolicy, ServiceOptions } from "./options.ts";

/** A back-off with its defaults in place, in ms. */
export interface Pause {
  readonly isExponential: boolean;
  readonly min: number;
  readonly max: number;
  readonly hasJitter: boolean;
}

/** A retry policy, checked. */
export interface Retry extends Pause {
  readonly attempts: number;
  readonly when: RetryPolicy["when"];
}

/** Services that are to start anew together, once each has ended its attempt. */
export interface Together {
  readonly members: readonly TaskNode[];
  readonly running: Set<TaskNode>;
  /** ms from the last end to the start. */
  readonly pause: number;
}

/** What is known of a service besides its task. */
export interface ServiceState extends Pause {
  readonly restart: "always" | "on-failure" | "never";
  readonly restarts: number;
  readonly within: number;
  readonly needsReady: boolean;
  /** Every, cron: not restarted, and draining ends it. */
  readonly isSchedule: boolean;
  isReady: boolean;
  /** When it crashed, newest last; at most `restarts` + 1. */
  crashes: number[];
  /** Those that are to start anew with it. */
  together: Together | undefined;
}

const DEFAULT_MIN = 100;
const DEFAULT_MAX = 10_000;

function toPause(backoff: Backoff, option: string): Pause {
  const min = givenMs(backoff.min, `${option}.min`) ?? DEFAULT_MIN;
  const max = givenMs(backoff.max, `${option}.max`) ?? Math.max(DEFAULT_MAX, min);
  if (max < min) throw badOption(`${option}.max`, backoff.max, `at least ${option}.min (${min} ms)`);
  return {
    isExponential: oneOf(`${option}.kind`, backoff.kind, ["exponential", "constant"]) === "exponential",
    min,
    max,
    hasJitter: oneOf(`${option}.jitter`, backoff.jitter, ["full", "none"]) === "full",
  };
}

export function toRetry(policy: RetryPolicy): Retry {
  return {
    ...toPause(policy, "retry"),
    attempts: toCount(policy.attempts, "retry.attempts", 1),
    when: policy.when && toFunction(policy.when, "retry.when"),
  };
}

const DEFAULT_INTENSITY = { restarts: 5, within: 60_000 } as const;

export function toServiceState(options: ServiceOptions, isSchedule: boolean): ServiceState {
  const { intensity = DEFAULT_INTENSITY } = options;
  return {
    ...toPause(options.backoff ?? {}, "backoff"),
    restart: oneOf("restart", options.restart, ["on-failure", "always", "never"]),
    restarts: toCount(intensity.restarts, "intensity.restarts", 0),
    within: toMs(intensity.within, "intensity.within"),
    needsReady: options.ready !== false,
    isSchedule,
    isReady: false,
    crashes: [],
    together: undefined,
  };
}

/**
 * How long to wait after the nth failure in a row, in whole ms. Full jitter spreads those that failed together.
 * (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.)
 */
export function pauseAfter(failure: number, pause: Pause): number {
  const full = pause.isExponential
    ? Math.min(pause.max, pause.min * 2 ** Math.min(failure - 1, 52))
    : pause.min;
  return Math.round(pause.hasJitter ? Math.random() * full : full);
}
