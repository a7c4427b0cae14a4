import type { Timing } from "./timing.ts";
import { figure, printTable } from "./table.ts";

/** A bound that a figure must keep. */
export interface Bar {
  readonly of: string;
  readonly what: string;
  /** By the clock on the wall; where nothing is timed, the figure itself. */
  readonly reached: number | undefined;
  /** The same by this thread's CPU time. */
  readonly cpu?: number | undefined;
  readonly atMost?: number | undefined;
  readonly atLeast?: number | undefined;
  /** An aim is no bar: it cannot be missed. */
  readonly isAim?: boolean;
}

/** One timing as a multiple of another, by both clocks. */
export function ratio(own: Timing | undefined, other: Timing | undefined): Pick<Bar, "reached" | "cpu"> {
  if (own === undefined || other === undefined) return { reached: undefined };
  return { reached: own.wall / other.wall, cpu: own.cpu / other.cpu };
}

function verdict({ reached, atMost, atLeast, isAim }: Bar): string {
  if (reached === undefined || (atMost ?? atLeast) === undefined) return "not measured";
  if (reached <= (atMost ?? Infinity) && reached >= (atLeast ?? -Infinity)) return "ok";
  return isAim === true ? "not yet (an aim)" : "MISSED";
}

/** Prints every bar with what was reached. It judges and never fails: a busy machine is no broken build. */
export function printBars(bars: readonly Bar[]): void {
  // A column that stands empty is left out.
  const hasLeast = bars.some(({ atLeast }) => atLeast !== undefined);
  printTable(
    "What must be reached",
    ["", "", "reached", "by cpu", ...(hasLeast ? ["at least"] : []), "at most", ""],
    bars.map((bar) => [
      bar.of,
      bar.what,
      figure(bar.reached),
      figure(bar.cpu),
      ...(hasLeast ? [figure(bar.atLeast)] : []),
      figure(bar.atMost),
      verdict(bar),
    ]),
  );
  const missed = bars.filter((bar) => verdict(bar) === "MISSED").length;
  console.log(`\n${bars.filter((bar) => bar.isAim !== true).length} bars, ${missed} missed`);
}
