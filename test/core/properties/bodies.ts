import { currentTask, sleep } from "../../../src/index.ts";
import { currentNode } from "../../../src/core/context.ts";
import { loseTask } from "../../../src/core/lost.ts";
import type { Scope, TaskContext } from "../../../src/core/types.ts";
import { Fault, thenableOf, valueOf, type Settled } from "./faults.ts";
import type { Body, Step } from "./program.ts";
import type { TaskKind, TaskRow } from "./trace.ts";
import type { Actor, World } from "./world.ts";

export type RunSteps = (world: World, actor: Actor, steps: readonly Step[]) => Promise<void>;

/** The row of the task that a function runs as. Known only after `spawn` has returned; the function runs later. */
export interface Holder {
  row: TaskRow | undefined;
  readonly kind: TaskKind;
  /** How often it ran, where the context does not say so. */
  runs: number;
}

/** Longer than any program lives. */
const FOR_EVER = 1e9;
/** Nobody holds it: what waits for it can never go on. */
const forEver = (): Promise<never> => new Promise(() => {});

/** Makes what `spawn`, `group` and the others call, of a body. */
export function functionOf(
  world: World,
  holder: Holder,
  body: Body,
  runSteps: RunSteps,
): (from: unknown) => unknown {
  return (from) => {
    const actor = enter(world, holder, from);
    if (body.style === "async") return runAsync(world, actor, body, runSteps);
    if (body.style === "sync") return runSync(world, actor, body, runSteps);
    world.faults.add(`thenable ${body.style}`);
    return thenableOf(
      body.style,
      (fire) => world.clock.later(3, fire),
      once((end) => leave(world, actor, end)),
    );
  };
}

function once<A>(fn: (arg: A) => void): (arg: A) => void {
  let called = false;
  return (arg) => {
    if (called) return;
    called = true;
    fn(arg);
  };
}

/** The body begins: as whom, and in which attempt. */
function enter(world: World, holder: Holder, from: unknown): Actor {
  const isGroup = holder.kind === "group";
  const ctx = isGroup ? currentTask() : (from as TaskContext);
  const row = rowOf(world, holder, ctx);
  const node = currentNode();
  if (node !== undefined && node.id === row.id) world.nodes.set(row, node);
  const attempt = ctx?.attempt ?? ++holder.runs;
  const group = isGroup ? world.addScope(from as Scope, undefined, row.spec, { row, attempt }) : undefined;
  if (ctx !== undefined) row.contexts.push(ctx);
  world.see({ saw: "enter", row, attempt });
  return { row, ctx, attempt, group, shields: [], blocks: [], isLate: false };
}

/** The row of the task that runs; for what `map` and `every` start by themselves it is made now. */
function rowOf(world: World, holder: Holder, ctx: TaskContext | undefined): TaskRow {
  const maker = holder.row as TaskRow;
  if (ctx === undefined || ctx.id === maker.id) return maker;
  const known = world.byId.get(ctx.id);
  if (known !== undefined) return known;
  if (holder.kind === "map") {
    const group = { row: maker, attempt: 1 };
    const scope = world.addScope(ctx.scope, undefined, {}, group);
    const { isShielded } = maker;
    return world.addTask("item", ctx.id, undefined, {
      scope,
      parent: undefined,
      group: maker,
      spec: {},
      isShielded,
    });
  }
  const { scope, isShielded } = maker;
  const parent = { row: maker, attempt: 1 };
  return world.addTask("tick", ctx.id, undefined, { scope, parent, group: undefined, spec: {}, isShielded });
}

function leave(world: World, actor: Actor, { how, value }: Settled): void {
  world.hung.delete(actor.row as TaskRow);
  world.see({ saw: "leave", row: actor.row as TaskRow, attempt: actor.attempt, how, value });
}

async function runAsync(world: World, actor: Actor, body: Body, runSteps: RunSteps): Promise<unknown> {
  const value = { value: world.number() };
  try {
    try {
      await runSteps(world, actor, body.steps);
      await runEnding(world, actor, body);
    } catch (error) {
      switch (body.caught) {
        case "rethrow":
          throw error;
        case "swallow":
          break;
        case "replace":
          throw new Fault("replaced");
        case "wrap":
          throw new Error("wrapped", { cause: error });
      }
    } finally {
      await runSteps(world, actor, body.finally);
    }
  } catch (error) {
    leave(world, actor, { how: "threw", value: error });
    throw error;
  }
  leave(world, actor, { how: "returned", value });
  return value;
}

async function runEnding(world: World, actor: Actor, { failures, ending }: Body): Promise<void> {
  if (actor.attempt <= failures) throw fault(world, "error");
  switch (ending.end) {
    case "return":
      return;
    case "throw":
      throw fault(world, ending.what);
    case "hang":
      world.faults.add("hang");
      await hang(world, actor, ending.lostAfter);
      return;
    case "stay":
      // The context is that of the task by either way, also where the ambient functions do not see it.
      await (currentTask() === undefined || actor.attempt % 2 === 0
        ? actor.ctx?.sleep(FOR_EVER)
        : sleep(FOR_EVER));
  }
}

/** All steps begin in one turn and nobody waits for them: what they still wait for outlives the body. */
function runSync(world: World, actor: Actor, body: Body, runSteps: RunSteps): unknown {
  for (const step of body.steps) void runSteps(world, actor, [step]).catch(() => undefined);
  const { ending } = body;
  if (actor.attempt <= body.failures || ending.end === "throw") {
    const error = fault(world, ending.end === "throw" ? ending.what : "error");
    leave(world, actor, { how: "threw", value: error });
    throw error;
  }
  if (ending.end === "hang") {
    world.faults.add("hang");
    return hang(world, actor, ending.lostAfter);
  }
  if (ending.end === "stay" && actor.ctx !== undefined) {
    const sleeping = actor.ctx.sleep(FOR_EVER);
    sleeping.then(
      (value) => leave(world, actor, { how: "returned", value }),
      (error: unknown) => leave(world, actor, { how: "threw", value: error }),
    );
    return sleeping;
  }
  leave(world, actor, { how: "returned", value: undefined });
  return undefined;
}

function hang(world: World, actor: Actor, lostAfter: number | undefined): Promise<never> {
  const row = actor.row as TaskRow;
  world.hung.add(row);
  if (lostAfter !== undefined) {
    world.clock.later(lostAfter, () => {
      if (row.contexts.length === 0 || row.contexts.at(-1) === actor.ctx) lose(world, row);
    });
  }
  return forEver();
}

/** What the watch does when it has proved that a task can never go on. */
export function lose(world: World, row: TaskRow): void {
  const node = world.nodes.get(row);
  if (!world.hung.has(row) || node === undefined) return;
  world.hung.delete(row);
  world.faults.add("lost");
  world.see({ saw: "lose", row });
  loseTask(node);
}

function fault(world: World, what: Parameters<typeof valueOf>[0]): unknown {
  world.faults.add(`throws ${what}`);
  return valueOf(what);
}
