import { DeadlockError } from "../../../../src/core/errors.ts";
import type { CloseReport } from "../../../../src/core/info.ts";
import type { Outcome } from "../../../../src/core/words.ts";
import type { AttemptModel, CallModel, Model } from "../model.ts";
import type { Entry, ScopeRow, TaskRow } from "../trace.ts";
import { hasContext, isInside, isWithin } from "../world.ts";

/** 4: cancel happens once, reaches all, and resolves at the end; so does close, with the sums of what ended. */
export function checkCancellation(model: Model): void {
  for (const task of model.tasks.values()) {
    if (task.cancels > 1) model.wrong("4", `${task.path} was cancelled ${task.cancels} times`);
    if (task.cancel !== undefined && task.end !== undefined && task.cancel.seq > task.end.seq) {
      model.wrong("6", `${task.path} was cancelled after its end`);
    }
  }
  for (const call of model.calls) {
    if (call.call.saw === "cancel") checkCancel(model, call, call.call.row);
    else checkClose(model, call, call.call.scope);
  }
}

function checkCancel(model: Model, { call, done }: CallModel, row: TaskRow): void {
  const task = model.of(row);
  const name = `cancel() of ${task.path}`;
  if (done?.saw !== "cancelled") return model.wrong("4", `${name} never resolved`);
  const isOwn = call.by !== undefined && !call.isLate && isInside(call.by, row) && isKnown(call.by);
  if (done.error !== undefined) {
    if (!(done.error instanceof DeadlockError))
      model.wrong("4", `${name} rejected with ${String(done.error)}`);
    else if (call.by === undefined) model.wrong("4", `${name} from outside is no deadlock`);
    return undefined;
  }
  if (isOwn && isRunningAt(model, call.by, call.seq) && isLiveAt(model, row, call.seq)) {
    model.wrong("4", `${name} from inside it did not reject with DeadlockError`);
  }
  if (task.end === undefined || task.end.seq > done.seq)
    return model.wrong("4", `${name} resolved before the end`);
  const outcome = done.value as Outcome<unknown>;
  if (outcome.state !== task.end.state) {
    model.wrong("6", `${name} resolved with ${outcome.state}, but it ended ${task.end.state}`);
  }
  for (const child of model.tasks.values()) {
    const isBelow = child.row !== undefined && child.row !== row && isInside(child.row, row);
    if (isBelow && child.spawnSeq < done.seq && (child.end === undefined || child.end.seq > done.seq)) {
      model.wrong("4", `${name} resolved before ${child.path} ended`);
    }
  }
  return undefined;
}

function checkClose(model: Model, { call, done }: CallModel, scope: ScopeRow): void {
  const name = `close() of ${scope.path}`;
  if (done?.saw !== "closed") return model.wrong("4", `${name} never resolved`);
  const { by } = call;
  const isOwn =
    by !== undefined && isWithin(by.scope, scope) && isKnown(by) && isRunningAt(model, by, call.seq);
  if (done.error !== undefined) {
    if (!(done.error instanceof DeadlockError))
      model.wrong("4", `${name} rejected with ${String(done.error)}`);
    else if (by === undefined) model.wrong("4", `${name} from outside is no deadlock`);
    return undefined;
  }
  const closed = model.when(scope, "closed");
  if (isOwn && call.seq < closed)
    model.wrong("4", `${name} from inside it did not reject with DeadlockError`);
  if (closed > done.seq) return model.wrong("4", `${name} resolved before it was closed`);
  if (done.report !== undefined) checkReport(model, scope, done.report);
  return undefined;
}

/**
 * The report counts what ended since the close began, descendants included: since the scope began to drain or to
 * close, or since somebody first asked for the report, where it closed by itself, or with its parent, before.
 */
function checkReport(model: Model, scope: ScopeRow, report: CloseReport): void {
  const isAsked = (entry: Entry): boolean =>
    (entry.saw === "close" || entry.saw === "request") && entry.scope === scope;
  const asked = model.trace.find(isAsked)?.seq ?? Infinity;
  const began = Math.min(asked, model.when(scope, "draining", "closing"));
  const { succeeded, failed, cancelled, lost, abandoned } = report;
  const said = [succeeded, failed, cancelled, lost, abandoned.length].join(", ");
  const counts = [began, model.when(scope, "closing"), asked].map((since) => {
    const ended = model.inside(scope).filter(({ end }) => end !== undefined && end.seq > since);
    return ENDS.map((state) => ended.filter(({ end }) => end?.state === state).length).join(", ");
  });
  if (!counts.includes(said)) model.wrong("4", `the report of ${scope.path} says ${said}, not ${counts[0]}`);
  JSON.stringify(report);
}

const ENDS = ["succeeded", "failed", "cancelled", "lost", "abandoned"];

/** Whether holdfast can know that this task is the one that calls. */
export function isKnown(row: TaskRow): boolean {
  return hasContext(row.scope);
}

export function isLiveAt(model: Model, row: TaskRow, seq: number): boolean {
  const { end } = model.of(row);
  return end === undefined || end.seq > seq;
}

/** Whether a task's body runs: what it calls later, from callbacks, may be called when it has ended its attempt. */
function isRunningAt(model: Model, row: TaskRow, seq: number): boolean {
  const attempt = model.of(row).attempts.findLast(({ enter }) => enter.seq <= seq);
  return attempt !== undefined && !hasLeft(attempt, seq) && isLiveAt(model, row, seq);
}

/** Whether the body of an attempt was over: it had ended, or had been found to be lost. */
export function hasLeft({ leave, lose }: AttemptModel, seq: number): boolean {
  return (leave?.seq ?? Infinity) < seq || (lose?.seq ?? Infinity) < seq;
}
