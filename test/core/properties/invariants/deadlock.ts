import { DeadlockError } from "../../../../src/core/errors.ts";
import type { Model, TaskModel, WaitModel } from "../model.ts";
import type { TaskRow } from "../trace.ts";
import { isInside } from "../world.ts";
import { hasLeft, isKnown, isLiveAt } from "./cancellation.ts";
import { isStop } from "./delivery.ts";

/** Waiting for what waits for oneself is refused; waiting for anything else is not. */
export function checkDeadlocks(model: Model): void {
  const waits = [...model.tasks.values()].flatMap((task) => task.waits);
  for (const task of model.tasks.values()) {
    for (const wait of task.waits) checkWait(model, task, wait, waits);
  }
}

function checkWait(
  model: Model,
  task: TaskModel,
  { wait, asked, waited }: WaitModel,
  waits: readonly WaitModel[],
): void {
  const { by, row } = wait;
  if (by === undefined || waited === undefined || !isKnown(by) || !isKnown(row)) return;
  const outcome = model.world.outcomes.get(row);
  // What came after the end may be what the task failed with.
  const isOwn = outcome?.state === "failed" && outcome.error === waited.value;
  const isRefused = waited.how === "threw" && waited.value instanceof DeadlockError && !isOwn;
  // Whoever does not wait for its own waiting is perhaps no longer inside by the time that `then` is called.
  const isOutside = wait.isLate || model.of(by).attempts.some((attempt) => hasLeft(attempt, asked));
  const isLive = isLiveAt(model, by, asked) && isLiveAt(model, row, asked) && !isOutside;
  // Whoever is to stop is told so, and does not begin to wait.
  const isTold = waited.how === "threw" && isStop(waited.value, model.of(by).path);
  if (isLive && isInside(by, row) && !isRefused && !isTold && waited.seq > (task.end?.seq ?? 0)) {
    model.wrong("4", `${task.path} was awaited from inside it, and that was not refused`);
  }
  // `untilIdle()` waits for anything; what it closes is not followed here.
  if (!isRefused || (model.world.ops.get("until") ?? 0) > 0) return;
  if (waited.value instanceof DeadlockError && waited.value.cycle.length === 0)
    model.wrong("4", "a cycle of nothing");
  if (!reaches(model, row, by, asked, waits))
    model.wrong("4", `${model.of(by).path} may await ${task.path}, and that was refused`);
}

/** Whether `from` waits for `to`, by way of others. What waits for a bound may wait for anything that it bounds. */
function reaches(model: Model, from: TaskRow, to: TaskRow, at: number, waits: readonly WaitModel[]): boolean {
  const open: (TaskRow | undefined)[] = [from];
  const seen = new Set<TaskRow>();
  while (open.length > 0) {
    const row = open.pop();
    if (row === undefined || seen.has(row)) continue;
    if (row === to) return true;
    seen.add(row);
    const task = model.of(row);
    open.push(...model.children(task).map((child) => child.row));
    for (const { wait, waited } of waits) {
      if (wait.by === row && wait.seq <= at && (waited === undefined || waited.seq >= at))
        open.push(wait.row);
    }
    for (const { call, done } of model.calls) {
      if (call.by !== row || call.seq > at || (done !== undefined && done.seq < at)) continue;
      if (call.saw === "cancel") open.push(call.row);
      else open.push(...model.inside(call.scope).map((inner) => inner.row));
    }
    const isWaiting = task.attempts.length === 0 || (task.attempts[0]?.enter.seq ?? 0) > at;
    if (!isWaiting) continue;
    for (const { row: other } of model.tasks.values()) {
      if (other === undefined) continue;
      const isNear = other.scope === row.scope && other.parent === undefined;
      if (isNear || (row.spec.limit !== undefined && other.spec.limit === row.spec.limit)) open.push(other);
    }
  }
  return false;
}
