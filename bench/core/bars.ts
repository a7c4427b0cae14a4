import { figure, printTable } from "./table.ts";

/** A bound that a figure must keep. */
export interface Bar {
  readonly of: string;
  readonly what: string;
  readonly value: number | undefined;
  readonly atMost: number | undefined;
  /** Said instead of a verdict, where the bar is an aim. */
  readonly aim?: boolean;
}

function verdict({ value, atMost, aim }: Bar): string {
  if (value === undefined || atMost === undefined || Number.isNaN(value) || Number.isNaN(atMost))
    return "not measured";
  if (value <= atMost) return "ok";
  return aim === true ? "not yet (an aim)" : "MISSED";
}

/** Prints every bar with what was reached. It judges and never fails: a busy machine is no broken build. */
export function printBars(bars: readonly Bar[]): void {
  printTable(
    "What must be reached",
    ["", "", "reached", "at most", ""],
    bars.map((bar) => [bar.of, bar.what, figure(bar.value), figure(bar.atMost), verdict(bar)]),
  );
  const missed = bars.filter((bar) => verdict(bar) === "MISSED").length;
  console.log(`\n${bars.length} bars, ${missed} missed`);
}
