import type { Model, TaskModel } from "../model.ts";
import { ownerOf } from "../world.ts";

/** 8: attempts never overlap, nothing of one is left when the next begins, and none follows a cancel or the end. */
export function checkAttempts(model: Model): void {
  for (const task of model.tasks.values()) {
    const { attempts, row } = task;
    if (row === undefined) continue;
    for (const [index, { attempt, enter }] of attempts.entries()) {
      if (attempt !== index + 1)
        model.wrong("8", `${task.path}: attempt ${attempt} came as number ${index + 1}`);
      if (task.end !== undefined && enter.seq > task.end.seq)
        model.wrong("6", `${task.path} began after its end`);
      if (task.cancel !== undefined && enter.seq > task.cancel.seq) {
        model.wrong("4", `${task.path}: attempt ${attempt} began after the task was cancelled`);
      }
      if (index > 0) checkBefore(model, task, index - 1, enter.seq);
    }
    const allowed =
      row.kind === "service" || row.kind === "every" ? Infinity : (row.spec.retry?.attempts ?? 1);
    if (attempts.length > allowed)
      model.wrong("8", `${task.path} ran ${attempts.length} times, not ${allowed}`);
  }
}

/** Nothing of the attempt at `index` is left at `seq`. */
function checkBefore(model: Model, task: TaskModel, index: number, seq: number): void {
  const { attempt, leave, lose } = task.attempts[index] as TaskModel["attempts"][number];
  const isLost = lose !== undefined && lose.seq < seq;
  if (!isLost && (leave === undefined || leave.seq > seq)) {
    model.wrong("8", `${task.path}: attempt ${attempt + 1} began on top of attempt ${attempt}`);
  }
  for (const child of model.children(task)) {
    const from = child.row === undefined ? undefined : ownerOf(child.row)?.attempt;
    if (from !== attempt || (child.end !== undefined && child.end.seq < seq)) continue;
    model.wrong(
      "8",
      `${task.path}: attempt ${attempt + 1} began while ${child.path} of attempt ${attempt} lived`,
    );
  }
}
