import { LIMITS } from "../program.ts";
import type { TaskRow } from "../trace.ts";
import type { Model } from "../model.ts";
import { takesSlot } from "./moment.ts";

/** 10: limits and keys hold at every moment. A task counts from its first turn to its end, back-offs included. */
export function checkLimits(model: Model): void {
  const running = new Set<TaskRow>();
  const starts: number[][] = LIMITS.map(() => []);
  for (const entry of model.trace) {
    if (entry.saw === "event" && entry.event.type === "end") {
      const row = model.world.byId.get(entry.event.task.id);
      if (row !== undefined) running.delete(row);
    }
    if (entry.saw !== "enter" || running.has(entry.row)) continue;
    const { row } = entry;
    running.add(row);
    const others = [...running].filter((other) => other !== row);
    const { concurrency } = row.scope.spec;
    if (concurrency !== undefined && takesSlot(row, row.scope)) {
      const count = 1 + others.filter((other) => takesSlot(other, row.scope)).length;
      if (count > concurrency)
        model.wrong("10", `${count} run in ${row.scope.path}, which takes ${concurrency}`);
    }
    const { key, limit } = row.spec;
    if (key !== undefined && others.some((other) => other.scope === row.scope && other.spec.key === key)) {
      model.wrong("10", `two tasks with one key run in ${row.scope.path}`);
    }
    if (limit !== undefined) {
      const count = 1 + others.filter((other) => other.spec.limit === limit).length;
      const bound = LIMITS[limit] as (typeof LIMITS)[number];
      if (count > bound.concurrency) model.wrong("10", `${count} run under the limit ${bound.key}`);
      checkRate(model, bound, starts[limit] as number[], entry.at);
    }
  }
}

/** No window of `per` holds more than `count` starts. */
function checkRate(model: Model, bound: (typeof LIMITS)[number], starts: number[], at: number): void {
  starts.push(at);
  if (!("rate" in bound)) return;
  const { count, per } = bound.rate;
  const first = starts.at(-1 - count);
  if (first !== undefined && at - first < per) {
    model.wrong("10", `${count + 1} started within ${at - first} ms under the limit ${bound.key}`);
  }
}
