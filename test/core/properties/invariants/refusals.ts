import type { Entry, ScopeRow } from "../trace.ts";
import type { TaskRow } from "../trace.ts";
import type { Model, Seen } from "../model.ts";

const CODES = ["HF_SCOPE_CLOSED", "HF_QUEUE_FULL", "HF_KEY_CONFLICT"];

/** 5: a spawn gives a task that comes to an end, or throws an error that says why; as the model said beforehand. */
export function checkRefusals(model: Model): void {
  for (const task of model.tasks.values()) {
    if (task.end === undefined) model.wrong("5", `${task.path} never ended`);
  }
  const holders = new Map<TaskRow, true>();
  const cancelled = new Set<number>();
  for (const entry of model.trace) {
    if (entry.saw === "event" && entry.event.type === "end") {
      const row = model.world.byId.get(entry.event.task.id);
      if (row !== undefined) holders.delete(row);
    }
    if (entry.saw === "event" && entry.event.type === "cancel") cancelled.add(entry.event.task.id);
    if (entry.saw === "spawn") {
      if (entry.verdict === "refuse")
        model.wrong("5", `${model.of(entry.row).path} was started where it must not`);
      const { row } = entry;
      if (
        row.spec.key !== undefined &&
        row.spec.onConflict === "reject" &&
        holderOf(holders, row.scope, row.spec.key)
      ) {
        model.wrong("10", `${model.of(row).path} was started although its key was taken`);
      }
      // It may have ended at once, when a signal had aborted already.
      if ((model.of(row).end?.seq ?? Infinity) > entry.seq) holders.set(row, true);
    }
    if (entry.saw === "join") checkJoin(model, entry, holders, cancelled);
    if (entry.saw === "refuse") checkRefusal(model, entry, holders);
  }
  for (const label of model.world.pending) model.wrong("4", `a promise never settled: ${label}`);
}

function holderOf(holders: Map<TaskRow, true>, scope: ScopeRow, key: number): TaskRow | undefined {
  return [...holders.keys()].find((row) => row.scope === scope && row.spec.key === key);
}

function checkJoin(
  model: Model,
  { row, spec, scope }: Seen<"join">,
  holders: Map<TaskRow, true>,
  cancelled: Set<number>,
): void {
  const { path } = model.of(row);
  if (row.scope !== scope || row.spec.key !== spec.key || spec.key === undefined) {
    model.wrong("10", `${path} was joined by a spawn of another key or scope`);
  }
  if (spec.onConflict !== undefined && spec.onConflict !== "join")
    model.wrong("10", `${path} was joined unasked`);
  if (!holders.has(row)) model.wrong("10", `${path} was joined after its end`);
  if (cancelled.has(row.id)) model.wrong("10", `${path} was joined while it was being cancelled`);
}

function checkRefusal(
  model: Model,
  entry: Extract<Entry, { saw: "refuse" }>,
  holders: Map<TaskRow, true>,
): void {
  const { error, verdict, spec, scope } = entry;
  const code = error instanceof Error ? (error as Error & { code?: string }).code : undefined;
  if (code === undefined || !CODES.includes(code)) {
    model.wrong("5", `a spawn in ${scope.path} threw ${String(error)}`);
  }
  if (code === "HF_SCOPE_CLOSED" && verdict === "accept") {
    model.wrong("5", `a spawn in ${scope.path} was refused although it is allowed: ${String(error)}`);
  }
  // `map` takes no more than it has room for: its scope is its own.
  const isMap = scope.group?.row.kind === "map";
  const { queue, onFull } = scope.spec;
  // Where none may wait there is none to drop.
  const isUnbounded = queue === undefined || (onFull === "drop-oldest" && queue > 0);
  if (code === "HF_QUEUE_FULL" && !isMap && isUnbounded) {
    model.wrong("5", `a queue without a bound was full in ${scope.path}`);
  }
  if (code === "HF_KEY_CONFLICT") {
    const isJust =
      spec.onConflict === "reject" && spec.key !== undefined && holderOf(holders, scope, spec.key);
    if (!isJust) model.wrong("10", `a free key was refused in ${scope.path}`);
  }
}
