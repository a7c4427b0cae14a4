import { currentTask, group, spawn } from "../../../src/index.ts";
import type { Scope, Task } from "../../../src/core/types.ts";
import { KEYS, LIMITS, type Callback, type ScopeSpec, type TaskSpec, type Where } from "./program.ts";
import { Fault } from "./faults.ts";
import type { ScopeRow, TaskKind, TaskRow, Verdict } from "./trace.ts";
import { above, hasContext, isWithin, scopeOwner, type Actor, type World } from "./world.ts";

/** What can start tasks: a scope, a task, or the ambient functions. */
export type Spawner = Pick<Scope, "spawn" | "group" | "map">;

/** Where a spawn goes, and who will own what comes of it. */
export interface Target {
  readonly spawner: Spawner;
  readonly scope: ScopeRow;
  readonly parent: TaskRow["parent"];
  readonly group: TaskRow | undefined;
  readonly isShielded: boolean;
}

export function targetOf(world: World, actor: Actor, where: Where): Target {
  const { row, ctx, group: ownGroup } = actor;
  if (typeof where === "number") return onScope(world.scope(where));
  if (row === undefined || ctx === undefined) {
    if (where !== "ambient") return onScope(world.root);
    const { scope } = world.root;
    // Entered by hand: there `spawn` is the scope's.
    const spawner = {
      spawn: (...args: Parameters<Scope["spawn"]>) => scope.run(() => spawn(...args)),
      group: (...args: Parameters<Scope["group"]>) => scope.run(() => group(...args)),
      map: scope.map.bind(scope),
    } as Spawner;
    return onScope(world.root, spawner);
  }
  if (where === "mine") return onScope(row.scope);
  const isSeen = currentTask()?.id === row.id;
  const spawner: Spawner = where === "ambient" && isSeen ? { spawn, group, map: ctx.map.bind(ctx) } : ctx;
  const isShielded = actor.shields.length > 0 || row.isShielded;
  // What is spawned in a block of a group's body belongs to the block, and is the group's all the same.
  const isInBlock = [...actor.shields, ...actor.blocks].some(({ isOpen }) => isOpen);
  if (ownGroup !== undefined && !isInBlock) {
    // A callback of an earlier attempt finds the group of the one that runs now.
    const scope = world.scopes.findLast((other) => other.group?.row === row) ?? ownGroup;
    return { spawner, scope, parent: undefined, group: row, isShielded };
  }
  const collector = ownGroup === undefined ? undefined : row;
  return { spawner, scope: row.scope, parent: { row, attempt: ctx.attempt }, group: collector, isShielded };
}

function onScope(scope: ScopeRow, spawner: Spawner = scope.scope): Target {
  const isShielded = scopeOwner(scope)?.isShielded ?? false;
  return { spawner, scope, parent: undefined, group: scope.group?.row, isShielded };
}

/** What a spawn must come to, by the state of things before it: the model of invariant 5. */
function verdictOn(world: World, actor: Actor, target: Target): Verdict {
  const { row, ctx } = actor;
  const { state } = target.scope.scope;
  const isChild = target.parent !== undefined || (actor.group !== undefined && target.scope === actor.group);
  if (isChild && row !== undefined) {
    if (world.ended.has(row.id) || row.contexts.at(-1) !== ctx) return "refuse";
    if (world.hasLeft(actor) || actor.isLate) return "either";
    if (actor.blocks.some(({ signal }) => signal.aborted) || !hasContext(target.scope)) return "either";
    if (actor.shields.length > 0 || row.isShielded) return "either";
    if (isStopping(actor)) return "refuse";
    return actor.group !== undefined && state !== "open" ? "either" : "accept";
  }
  if (state === "closed") return "refuse";
  if (row !== undefined && ctx === undefined) return "either";
  if (state === "closing")
    return row !== undefined && isWithin(row.scope, target.scope) ? "either" : "refuse";
  if (actor.isLate || world.hasLeft(actor) || (row !== undefined && isStopping(actor))) return "either";
  if (!hasContext(target.scope) || (row !== undefined && !hasContext(row.scope))) return "either";
  if (state === "draining") {
    return row !== undefined && isWithin(row.scope, drainOf(target.scope)) ? "accept" : "refuse";
  }
  return "accept";
}

/** The outermost scope that drains around this one. */
function drainOf(scope: ScopeRow): ScopeRow {
  let outermost = scope;
  for (let at: ScopeRow | undefined = scope; at?.scope.state === "draining"; at = above(at)) outermost = at;
  return outermost;
}

function isStopping(actor: Actor): boolean {
  try {
    actor.ctx?.throwIfCancelled();
    return false;
  } catch {
    return true;
  }
}

/** Spawns, and writes down what came of it. */
export function start(
  world: World,
  actor: Actor,
  target: Target,
  kind: TaskKind,
  spec: TaskSpec,
  make: (spawner: Spawner, name: string) => Task<unknown>,
): TaskRow | undefined {
  const verdict = verdictOn(world, actor, target);
  let task: Task<unknown>;
  try {
    task = make(target.spawner, world.name(kind));
  } catch (error) {
    world.see({ saw: "refuse", error, verdict, spec, scope: target.scope });
    return undefined;
  }
  const known = world.byId.get(task.id);
  if (known !== undefined) {
    world.see({ saw: "join", row: known, spec, scope: target.scope });
    return known;
  }
  const { scope, parent, group: collector, isShielded } = target;
  const row = world.addTask(kind, task.id, task, { scope, parent, group: collector, spec, isShielded });
  world.see({ saw: "spawn", row, verdict, by: actor.row });
  return row;
}

/** The options of a spawn, as the core takes them. */
export function optionsOf(world: World, spec: TaskSpec): Record<string, unknown> {
  const { key, limit, signal, onError, retry, onConflict, ...times } = spec;
  const options: Record<string, unknown> = { ...times };
  if (key !== undefined)
    Object.assign(options, { key: KEYS[key] }, onConflict === undefined ? {} : { onConflict });
  if (limit !== undefined) options["limit"] = LIMITS[limit];
  if (signal !== undefined) options["signal"] = world.signals[signal]?.signal;
  if (onError !== undefined) options["onError"] = handlerOf(world, "task", onError);
  if (retry !== undefined) {
    const { attempts, min, when } = retry;
    options["retry"] = { attempts, min, jitter: "none", when: () => isWorthRetrying(world, when) };
  }
  return options;
}

function isWorthRetrying(world: World, when: "always" | "never" | "throws"): boolean {
  if (when !== "throws") return when === "always";
  world.faults.add("retry.when throws");
  throw new Fault("when");
}

/** The options of a scope, as the core takes them; `row` is known once the scope is. */
export function scopeOptionsOf(world: World, spec: ScopeSpec, row: () => ScopeRow): Record<string, unknown> {
  const { onError, ...options } = spec;
  if (onError === undefined) return options;
  return { ...options, onError: handlerOf(world, row, onError) };
}

function handlerOf(world: World, by: "task" | (() => ScopeRow), kind: Callback) {
  return (error: unknown, task: { readonly id: number }): unknown => {
    world.see({ saw: "onError", by: by === "task" ? by : by(), id: task.id, error });
    if (kind === "ok") return undefined;
    world.faults.add(`onError ${kind}`);
    const own = new Fault("onError");
    if (kind === "rejects") return Promise.reject(own);
    throw own;
  };
}
