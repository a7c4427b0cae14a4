import {
  DeadlockError,
  TaskCancelledError,
  TaskLostError,
  TaskTimeoutError,
} from "../../../../src/core/errors.ts";
import type { Outcome } from "../../../../src/core/words.ts";
import { handlersOf, type Model, type Seen, type TaskModel, type WaitModel } from "../model.ts";
import { safe } from "../run-program.ts";
import type { ScopeRow } from "../trace.ts";
import { isKnown } from "./cancellation.ts";
import { isResultOf } from "./outcomes.ts";

/** 3: every failure is delivered, to the right one; every wait ends as it must. */
export function checkDelivery(model: Model): void {
  for (const task of model.tasks.values()) {
    const outcome = task.row === undefined ? undefined : model.world.outcomes.get(task.row);
    if (outcome === undefined || task.row === undefined) continue;
    for (const wait of task.waits) checkWait(model, task, wait, outcome);
    if (outcome.state === "succeeded" || outcome.state === "cancelled") continue;
    const { row } = task;
    if (row.kind === "service") checkService(model, task);
    else if (row.group !== undefined) {
      checkGroup(model, task, row.group.id);
    } else if (row.scope.spec.onFailure === "cancel-all" && row.parent === undefined)
      checkCancelAll(model, task, row.scope);
    else checkFailure(model, task, outcome);
  }
}

/** Whether this error is what the task failed with. */
function isErrorOf(outcome: Outcome<unknown>, error: unknown): boolean {
  if (outcome.state === "failed") return error === outcome.error;
  return outcome.state === "abandoned" ? error === outcome.reason : error instanceof TaskLostError;
}

/** A wait ends with what the task came to, with its own task's cancellation, or with a deadlock. */
function checkWait(
  model: Model,
  task: TaskModel,
  { wait, waited }: WaitModel,
  outcome: Outcome<unknown>,
): void {
  const name = `${wait.fate} of ${task.path}`;
  if (waited === undefined) return model.wrong("4", `${name} never settled`);
  const { how, value } = waited;
  const isEarly = task.end === undefined || task.end.seq > waited.seq;
  if (value instanceof DeadlockError && how === "threw" && (isEarly || !isResultOf(outcome, how, value))) {
    if (wait.by === undefined || !isKnown(wait.by)) model.wrong("4", `${name} from outside is no deadlock`);
    return undefined;
  }
  if (isEarly) {
    // Before its end: only because whoever waits was told to stop.
    const isOwn = wait.by !== undefined && wait.fate !== "outcome" && isStop(value, model.of(wait.by).path);
    if (!isOwn) model.wrong("4", `${name} settled before the end, with ${safe(value)}`);
    return undefined;
  }
  if (wait.fate === "outcome") {
    const got = value as Outcome<unknown>;
    if (how !== "returned" || got.state !== outcome.state) model.wrong("6", `${name} gave ${safe(value)}`);
    return undefined;
  }
  if (isResultOf(outcome, how, value)) return undefined;
  const isOwn = wait.by !== undefined && isStop(value, model.of(wait.by).path);
  if (!isOwn) model.wrong("3", `${name}, which ended ${outcome.state}, ${how} ${safe(value)}`);
  return undefined;
}

/** Whether this is what stops the task of that path. */
export function isStop(error: unknown, path: string): boolean {
  return (error instanceof TaskCancelledError || error instanceof TaskTimeoutError) && error.path === path;
}

/** A failure goes to whoever awaits it; else to the task's `onError`, then to those of the scopes, from inside out. */
function checkFailure(model: Model, task: TaskModel, outcome: Outcome<unknown>): void {
  const { deliveries, row, end } = task;
  if (row === undefined || end === undefined) return;
  const heard = task.waits.filter(
    ({ wait, waited }) => waited !== undefined && isHeard(model, task, wait, waited),
  );
  // What was told before the end was told of the clean-up of an earlier attempt, perhaps with the same error.
  const own = deliveries.filter(({ error, seq }) => seq > end.seq && isErrorOf(outcome, error));
  // A clean-up that fails is told by itself, perhaps with the same error.
  const isMixed = task.defers.some(({ cleanup }) => cleanup.kind !== "ok");
  if (heard.some(({ wait }) => wait.seq < end.seq)) {
    if (own.length > 0 && !isMixed)
      model.wrong("3", `${task.path} was awaited, and its failure went to ${nameOf(own[0])} too`);
    return;
  }
  const isDeadlocked = task.waits.some(({ waited }) => waited?.value instanceof DeadlockError);
  if (own.length === 0) {
    if (heard.length === 0 && !isDeadlocked)
      model.wrong("3", `the failure of ${task.path} was told to nobody`);
    return;
  }
  const chain = handlersOf(row);
  const first = chain[0] ?? "printed";
  if (placeOf(own[0]) !== first) {
    model.wrong(
      "3",
      `the failure of ${task.path} went to ${nameOf(own[0])} first, not to ${safeName(first)}`,
    );
  }
  if (!isMixed) checkEscalation(model, task, own, chain);
}

/** A handler that fails has handled nothing: the next one is told too. */
function checkEscalation(
  model: Model,
  task: TaskModel,
  own: readonly (Seen<"onError"> | Seen<"printed">)[],
  chain: readonly (ScopeRow | "task")[],
): void {
  const places = own.map(placeOf);
  for (const [index, place] of [...chain, "printed" as const].entries()) {
    if (places[index] !== place) {
      const isExpected = index === 0 || handlerKind(task, chain[index - 1]) !== "ok";
      if (isExpected) model.wrong("3", `the failure of ${task.path} did not reach ${safeName(place)}`);
      return;
    }
    if (place !== "printed" && handlerKind(task, place) === "ok") {
      if (places.length > index + 1) model.wrong("3", `the failure of ${task.path} was delivered twice`);
      return;
    }
  }
}

function handlerKind(task: TaskModel, place: ScopeRow | "task" | undefined): string | undefined {
  return place === "task" ? task.row?.spec.onError : place?.spec.onError;
}

function isHeard(model: Model, task: TaskModel, wait: Seen<"wait">, waited: Seen<"waited">): boolean {
  // Before the end it can only have been told to stop.
  if (waited.seq < (task.end?.seq ?? Infinity)) return false;
  if (wait.fate === "outcome") return waited.how === "returned";
  const outcome = task.row === undefined ? undefined : model.world.outcomes.get(task.row);
  return outcome !== undefined && isResultOf(outcome, waited.how, waited.value);
}

/** A failure in a group is the group's: it fails with it, and nobody else is told. */
function checkGroup(model: Model, task: TaskModel, groupId: number): void {
  const group = model.tasks.get(groupId);
  const outcome = group?.row === undefined ? undefined : model.world.outcomes.get(group.row);
  const own = task.row === undefined ? undefined : model.world.outcomes.get(task.row);
  const told = task.deliveries.find(({ error }) => own !== undefined && isErrorOf(own, error));
  // A clean-up that fails is told by itself, perhaps with the same error.
  const isMixed = task.defers.some(({ cleanup }) => cleanup.kind !== "ok");
  if (told !== undefined && !isMixed) {
    model.wrong("3", `${task.path} failed in a group, and ${nameOf(told)} was told`);
  }
  if (outcome?.state === "succeeded" && group?.again.length === 0) {
    model.wrong("3", `${task.path} failed, and its group succeeded`);
  }
}

/** What a service failed of last goes to the root, once; to awaiters where it is not restarted. */
function checkService(model: Model, task: TaskModel): void {
  const isHeardOf = task.waits.some(
    ({ wait, waited }) => waited !== undefined && isHeard(model, task, wait, waited),
  );
  // One that is not restarted because its group ends is a task of the group like the others.
  const scope = task.row?.scope;
  const isOfGroup = task.row?.group !== undefined || scope?.spec.onFailure === "cancel-all";
  if (task.deliveries.length === 0 && !isHeardOf && !isOfGroup) {
    model.wrong("3", `the failure of ${task.path} was told to nobody`);
  }
}

/** The failures of a cancel-all scope are its own: one error to its parent's `onError`. */
function checkCancelAll(model: Model, task: TaskModel, scope: ScopeRow): void {
  const failed = model.inside(scope).filter(({ row }) => row?.scope === scope && row.parent === undefined);
  if (failed.every(({ deliveries }) => deliveries.length === 0)) {
    model.wrong("3", `the failure of ${scope.path}, in which ${task.path} failed, was told to nobody`);
  }
}

function placeOf(seen: Seen<"onError"> | Seen<"printed"> | undefined): ScopeRow | "task" | "printed" {
  return seen?.saw === "onError" ? seen.by : "printed";
}

function nameOf(seen: Seen<"onError"> | Seen<"printed"> | undefined): string {
  return safeName(placeOf(seen));
}

function safeName(place: ScopeRow | string): string {
  return typeof place === "string" ? place : place.path;
}
