import {
  TaskAbandonedError,
  TaskCancelledError,
  TaskLostError,
  TaskTimeoutError,
} from "../../../../src/core/errors.ts";
import type { Outcome } from "../../../../src/core/words.ts";
import type { Model, TaskModel } from "../model.ts";
import { safe } from "../run-program.ts";

/** 6, and how a task must have ended by what its body did: the model of §4.2. */
export function checkOutcomes(model: Model): void {
  for (const task of model.tasks.values()) {
    const { row, end } = task;
    if (row?.task === undefined || end === undefined) continue;
    const { state } = row.task;
    if (state !== end.state) model.wrong("6", `${task.path} ended ${end.state} and is ${state}`);
    const outcome = model.world.outcomes.get(row);
    if (outcome === undefined) model.wrong("6", `${task.path}: outcome() does not resolve after its end`);
    else if (outcome.state !== end.state) model.wrong("6", `${task.path}: outcome() says ${outcome.state}`);
    else if (row.kind === "task") checkBody(model, task, outcome);
  }
}

function checkBody(model: Model, task: TaskModel, outcome: Outcome<unknown>): void {
  const last = task.attempts.at(-1);
  const leave = last?.leave !== undefined && last.leave.seq < (task.end?.seq ?? 0) ? last.leave : undefined;
  const isAsked = task.cancel !== undefined;
  const isRetrying = task.again.length >= task.attempts.length && task.attempts.length > 0;
  const say = (text: string): void => model.wrong("6", `${task.path} is ${outcome.state}: ${text}`);
  switch (outcome.state) {
    case "succeeded":
      if (leave?.how !== "returned") say("its body did not return");
      else if (outcome.value !== leave.value) say("its value is not what the body returned");
      break;
    case "failed":
      if (leave === undefined || isRetrying) {
        if (!(outcome.error instanceof TaskTimeoutError))
          say(`of ${safe(outcome.error)}, with no body that threw`);
      } else if (leave.how === "threw") {
        const isSame = outcome.error === leave.value || outcome.error instanceof TaskTimeoutError;
        if (!isSame) say(`with ${safe(outcome.error)} instead of ${safe(leave.value)}`);
      } else if (!hasCleanupFailure(model, task)) say("its body returned");
      break;
    case "cancelled":
      if (!isAsked && !isGroupEnd(task)) say("nobody asked");
      if (isAsked && !isGroupEnd(task) && !(outcome.reason instanceof TaskCancelledError))
        say("without a cancellation");
      if (leave?.how === "returned" && !isRetrying) say("its body returned");
      break;
    case "lost":
      if (last?.lose === undefined) say("this attempt was not lost");
      break;
    case "abandoned":
      if (!(outcome.reason instanceof TaskAbandonedError)) say("without the error");
      break;
  }
  if (last?.lose !== undefined && outcome.state === "succeeded") say("although it was lost");
}

function hasCleanupFailure(model: Model, task: TaskModel): boolean {
  return task.defers.some(
    (defer) => (model.deferRuns.get(defer)?.runs.length ?? 0) > 0 && defer.cleanup.kind !== "ok",
  );
}

/** What a group's own end refuses to a task in it is no failure of that task. */
function isGroupEnd(task: TaskModel): boolean {
  return task.row?.scope.group !== undefined;
}

/** What an awaiter gets of a task that ended so. */
export function isResultOf(outcome: Outcome<unknown>, how: "returned" | "threw", value: unknown): boolean {
  switch (outcome.state) {
    case "succeeded":
      return how === "returned" && value === outcome.value;
    case "failed":
      return how === "threw" && value === outcome.error;
    case "cancelled":
      return how === "threw" && value === outcome.reason;
    case "lost":
      return how === "threw" && value instanceof TaskLostError;
    case "abandoned":
      return how === "threw" && value === outcome.reason;
  }
}
