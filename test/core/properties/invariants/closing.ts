import type { DeferRow, Entry, ScopeRow } from "../trace.ts";
import type { Model, TaskModel } from "../model.ts";
import { above, ownerOf } from "../world.ts";

const ORDER = ["open", "draining", "closing", "closed"];
const DEFAULT_DEFER_TIMEOUT = 5_000;

/** 2: a scope is closed only after all in it has ended and every clean-up has run, last first, after its users. */
export function checkClosing(model: Model): void {
  for (const scope of model.world.scopes) {
    const states = model.states.get(scope) ?? [];
    checkOrder(model, scope, states);
    const closed = model.when(scope, "closed");
    if (closed === Infinity) {
      model.wrong("2", `${scope.path} never closed: it is ${scope.scope.state}`);
      continue;
    }
    const users = usersOf(model, scope);
    for (const { name, seq } of users) {
      if (seq > closed) model.wrong("2", `${scope.path} closed before ${name} ended`);
    }
    const defers = model.world.defers.filter((defer) => defer.scope === scope);
    checkRuns(model, scope.path, defers, users, closed, deferTimeout(scope));
    for (const defer of defers) {
      if (model.deferRuns.get(defer)?.runs.length !== 1)
        model.wrong("2", `${scope.path}: a defer did not run once`);
    }
  }
  for (const task of model.tasks.values()) checkTask(model, task);
}

function checkOrder(model: Model, scope: ScopeRow, states: readonly { readonly state: string }[]): void {
  // That a scope is open is said of all but the root, whose listeners come later.
  let last = -1;
  for (const { state } of states) {
    const at = ORDER.indexOf(state);
    if (at <= last) model.wrong("2", `${scope.path} went from ${ORDER[last]} to ${state}`);
    last = at;
  }
}

interface User {
  readonly name: string;
  readonly seq: number;
}

/** What stands in a scope, with when it ended. */
function usersOf(model: Model, scope: ScopeRow): User[] {
  const tasks = model.inside(scope).map(({ path, end }) => ({ name: path, seq: end?.seq ?? Infinity }));
  const scopes = model.world.scopes.filter((other) => other !== scope && above(other) === scope);
  return [...tasks, ...scopes.map((other) => ({ name: other.path, seq: model.when(other, "closed") }))];
}

function deferTimeout(scope: ScopeRow): number {
  for (let at: ScopeRow | undefined = scope; at !== undefined; at = above(at)) {
    if (at.group === undefined && at.spec.deferTimeout !== undefined) return at.spec.deferTimeout;
  }
  return DEFAULT_DEFER_TIMEOUT;
}

/** Clean-ups of one owner: last first, one after the other, after all users, and over before the owner is. */
function checkRuns(
  model: Model,
  path: string,
  defers: readonly DeferRow[],
  users: readonly User[],
  over: number,
  timeout: number,
): void {
  const runs = defers
    .map((defer) => ({
      defer,
      ...(model.deferRuns.get(defer) as { runs: Entry[]; ends: Entry | undefined; registered: Entry }),
    }))
    .filter(({ runs: [first] }) => first !== undefined)
    .toSorted((a, b) => (a.runs[0] as Entry).seq - (b.runs[0] as Entry).seq);
  for (const [
    index,
    {
      defer,
      runs: [run, again],
      ends,
    },
  ] of runs.entries()) {
    if (run === undefined) continue;
    if (again !== undefined) model.wrong("2", `${path}: a defer ran twice`);
    const early = users.find(({ seq }) => seq > run.seq);
    if (early !== undefined) model.wrong("2", `${path}: a defer ran before ${early.name} ended`);
    // Those that were there when this one ran and came after it had to run before.
    const later = runs.slice(index + 1).find((other) => {
      const { seq } = other.registered;
      return seq > (model.deferRuns.get(defer)?.registered.seq ?? Infinity) && seq < run.seq;
    });
    if (later !== undefined) model.wrong("2", `${path}: its defers did not run last first`);
    const next = runs[index + 1]?.runs[0] ?? model.trace[over];
    const isOver = ends !== undefined && next !== undefined && ends.seq < next.seq;
    if (!isOver && next !== undefined && next.at - run.at < timeout) {
      model.wrong("2", `${path}: went on ${next.at - run.at} ms after a defer began that was not done`);
    }
  }
}

/** A task's clean-up runs once for each attempt, after its children. That of an abandoned task may still be in use. */
function checkTask(model: Model, task: TaskModel): void {
  const { row, end } = task;
  if (row === undefined || end === undefined) return;
  for (const { attempt, leave, lose } of task.attempts) {
    const defers = task.defers.filter((defer) => defer.task?.attempt === attempt);
    if (defers.length === 0) continue;
    const children = model
      .children(task)
      .filter((child) => child.row !== undefined && ownerOf(child.row)?.attempt === attempt)
      .map(({ path, end: over }) => ({ name: path, seq: over?.seq ?? Infinity }));
    const body = {
      name: `attempt ${attempt}`,
      seq: (lose ?? leave)?.seq ?? Infinity,
    };
    const next = task.attempts.find((other) => other.attempt === attempt + 1);
    const over = Math.min(next?.enter.seq ?? Infinity, end.seq);
    checkRuns(model, task.path, defers, [...children, body], over, deferTimeout(row.scope));
    if (end.state === "abandoned" && next === undefined) continue;
    for (const defer of defers) {
      if (model.deferRuns.get(defer)?.runs.length !== 1) {
        model.wrong("2", `${task.path}: a defer of attempt ${attempt} did not run once`);
      }
    }
  }
}
