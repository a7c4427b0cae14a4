import type { Command } from "commander";
import type { StatsAnswer } from "../agent/answers.ts";
import { clean, count } from "../inspect/words.ts";
import { addVerb, tell } from "./verb.ts";
import type { Page } from "./verb.ts";
import { age, table } from "./words.ts";

/** `holdfast stats PROCESS`. */
export function addStats(program: Command): void {
  const what = "count what a process has spawned, and how it ended, by name; and how long it usually runs";
  addVerb(program, "stats", what, { ok: "printed" }).action((who: string, { json }: { json?: true }) =>
    tell(who, "/stats", {}, json === true, statsLines),
  );
}

const NUMBERS = ["LIVE", "OK", "FAILED", "CANCELLED", "LOST", "GIVEN UP", "P50", "P99"];
const COLUMNS = [...NUMBERS.map((title) => ({ title, right: true })), { title: "NAME" }];
/** Columns in which a number is bad news. */
const BAD = new Set([2, 4, 5]);

function statsLines({ roots }: StatsAnswer, { paint, width }: Page): string[] {
  return roots.flatMap(({ path, state, live, waiting, spawned, late, names }, at) => {
    const rows = Object.entries(names)
      .toSorted(([, a], [, b]) => b.live - a.live || b.failed - a.failed)
      .map(([name, of]) => [
        ...[of.live, of.succeeded, of.failed, of.cancelled, of.lost, of.abandoned].map(count),
        ...[of.p50, of.p99].map((ms) => (ms === 0 ? "-" : `≤ ${age(ms)}`)),
        clean(name),
      ]);
    const gaveUp = late === 0 ? "" : `, ${count(late)} settled after they had been given up`;
    return [
      ...(at === 0 ? [] : [""]),
      `${paint.heading(clean(path))} is ${state}: ${count(spawned)} spawned, ${count(live)} live (${count(waiting)} waiting)${gaveUp}`,
      ...table(COLUMNS, rows, {
        width,
        paint: (text, column, row) => {
          if (row === -1) return paint.heading(text);
          if (text === "0") return paint.faint(text);
          return BAD.has(column) ? paint.warning(text) : text;
        },
      }),
    ];
  });
}
