import { badOption, toCount, toMs } from "../core/duration.ts";
import type { Duration } from "../core/words.ts";

/** What `watch` is asked for. The defaults are quiet on a healthy service; `false` turns a finding off. */
export interface WatchOptions {
  /** How often to look. @default "1s" */
  readonly sweep?: Duration;
  /** Tasks that run far longer than their like. Those that say what they `expect` are held to that. */
  readonly overdue?: OverdueOptions | false;
  /** Tasks of one name that become ever more. */
  readonly growing?: GrowingOptions | false;
  /** How long a task may outlive the request in which it was spawned. @default "5m" */
  readonly adriftAfter?: Duration | false;
  /** For how long the event loop may stand still. @default "1s", "200ms" where NODE_ENV is "development" */
  readonly blockAfter?: Duration | false;
  /** Whether a crash journal is kept, under the name of the root: `holdfast last` tells it. @default only by `main()` */
  readonly journal?: boolean;
  /** Tasks that nothing can ever settle, as the garbage collector finds out. @default true */
  readonly lost?: boolean;
  /**
   * No more than one dump of this process in so long a time is taken to find the lines at which a task waits; `false`:
   * none. @default "1m"
   */
  readonly linesEvery?: Duration | false;
}

/** When a task is `overdue`. */
export interface OverdueOptions {
  /** How many times longer than 99 of 100 tasks of its name. @default 10 */
  readonly factor?: number;
  /** Of a name with fewer ended runs nothing is said. @default 30 */
  readonly samples?: number;
  /** A task that is younger is never overdue, unless by what it says itself. @default "10s" */
  readonly atLeast?: Duration;
}

/** When tasks of one name are `growing`. */
export interface GrowingOptions {
  /** So many times in a row must there be more. @default 5 */
  readonly windows?: number;
  /** How long one window is. @default "1m" */
  readonly window?: Duration;
  /** Fewer than this are never a finding. @default 100 */
  readonly atLeast?: number;
}

/** The options, checked. */
export interface WatchSettings {
  readonly sweep: number;
  readonly overdue:
    { readonly factor: number; readonly samples: number; readonly atLeast: number } | undefined;
  readonly growing:
    { readonly windows: number; readonly window: number; readonly atLeast: number } | undefined;
  readonly adriftAfter: number | undefined;
  readonly blockAfter: number | undefined;
  readonly journal: boolean;
  readonly lost: boolean;
  readonly linesEvery: number | undefined;
}

/** Throws RangeError for an option that cannot be. */
export function toWatchSettings(options: WatchOptions): WatchSettings {
  const {
    sweep = "1s",
    overdue = {},
    growing = {},
    adriftAfter = "5m",
    blockAfter = process.env["NODE_ENV"] === "development" ? "200ms" : "1s",
    journal = false,
    lost = true,
    linesEvery = "1m",
  } = options;
  return {
    sweep: atLeastOne(toMs(sweep, "sweep"), "sweep", sweep),
    overdue:
      overdue === false
        ? undefined
        : {
            factor: toFactor(overdue.factor ?? 10),
            samples: toCount(overdue.samples ?? 30, "overdue.samples", 1),
            atLeast: toMs(overdue.atLeast ?? "10s", "overdue.atLeast"),
          },
    growing:
      growing === false
        ? undefined
        : {
            windows: toCount(growing.windows ?? 5, "growing.windows", 1),
            window: toMs(growing.window ?? "1m", "growing.window"),
            atLeast: toCount(growing.atLeast ?? 100, "growing.atLeast", 1),
          },
    adriftAfter: adriftAfter === false ? undefined : toMs(adriftAfter, "adriftAfter"),
    blockAfter:
      blockAfter === false ? undefined : atLeastOne(toMs(blockAfter, "blockAfter"), "blockAfter", blockAfter),
    journal,
    lost,
    linesEvery: linesEvery === false ? undefined : toMs(linesEvery, "linesEvery"),
  };
}

function atLeastOne(ms: number, name: string, given: unknown): number {
  if (ms < 1) throw badOption(name, given, "1 ms or more");
  return ms;
}

function toFactor(factor: number): number {
  if (!(factor >= 1)) throw badOption("overdue.factor", factor, "a number, 1 or more");
  return factor;
}
