import { AsyncLocalStorage } from "node:async_hooks";
import { currentTask } from "../../../src/index.ts";
import type { ScopeEventName } from "../../../src/core/info.ts";
import type { Scope, Task } from "../../../src/core/types.ts";
import { functionOf, lose, type Holder } from "./bodies.ts";
import { cleanupOf, Fault, foreignPromise, valueOf } from "./faults.ts";
import type { Body, Fate, Step } from "./program.ts";
import { optionsOf, scopeOptionsOf, start, targetOf, type Target } from "./spawning.ts";
import type { DeferRow, TaskKind, TaskRow } from "./trace.ts";
import { hasContext, type Actor, type Block, type World } from "./world.ts";

export const EVENTS: readonly ScopeEventName[] = [
  "spawn",
  "start",
  "retry",
  "restart",
  "cancel",
  "end",
  "late",
  "finding",
  "state",
];

/** How long the driver waits for anything before it goes on. */
const PATIENCE = 25;

/** Takes steps, one after the other, as the actor. */
export async function runSteps(world: World, actor: Actor, steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    world.count(step.op);
    await runStep(world, actor, step);
    if (actor.row !== undefined && !actor.isLate) checkContext(world, actor);
  }
}

/** `currentTask()` is right after every await. */
function checkContext(world: World, actor: Actor): void {
  const id = currentTask()?.id;
  const { row } = actor;
  if (row === undefined || id === row.id) return;
  if (!hasContext(row.scope)) return;
  world.wrong("context", `currentTask() is ${id} in ${row.id}`);
}

async function runStep(world: World, actor: Actor, step: Step): Promise<void> {
  switch (step.op) {
    case "sleep":
      return actor.ctx === undefined ? world.sleep(step.ms) : world.follow("sleep", actor.ctx.sleep(step.ms));
    case "doze":
      // Nobody waits for it: what holdfast rejects by itself it has to handle.
      void actor.ctx?.sleep(step.ms);
      void actor.ctx?.checkpoint();
      return undefined;
    case "raw":
      return world.sleep(step.ms);
    case "ticks":
      for (let left = step.ms % 5; left >= 0; left--) await null;
      return undefined;
    case "checkpoint":
      return actor.ctx === undefined ? undefined : world.follow("checkpoint", actor.ctx.checkpoint());
    case "progress":
      return actor.ctx?.progress(1, 2, "half");
    case "ready":
      return actor.ctx?.ready();
    case "poll":
      return actor.ctx?.throwIfCancelled();
    case "throw":
      if (actor.row === undefined) return undefined;
      world.faults.add(`throws ${step.what}`);
      throw valueOf(step.what);
    case "try":
      return runSteps(world, actor, step.steps).catch(() => undefined);
    case "shield":
      return shield(world, actor, step.steps);
    case "timeout":
      return timeout(world, actor, step.ms, step.steps);
    case "late":
      return late(world, actor, step.ms, step.step);
    case "defer":
      return defer(world, actor, step);
    case "await":
      return await_(world, actor, world.task(step.target), step.fate);
    case "until":
      return until(world, actor, step.what, world.scope(step.target).scope);
    case "listen":
      return listen(world, step.target, EVENTS[step.event % EVENTS.length] as ScopeEventName);
    case "abort":
      return abort(world, step.target);
    case "lose": {
      const row = [...world.hung][step.target % Math.max(1, world.hung.size)];
      return row === undefined ? undefined : lose(world, row);
    }
    case "cancel":
      return cancel(world, actor, world.task(step.target), step.fate, step.twice);
    case "request-close":
      return requestClose(world, step.target);
    case "close":
      return close(world, actor, step);
    default:
      return make(world, actor, step);
  }
}

/** Steps that make a task or a scope. */
async function make(world: World, actor: Actor, step: Step): Promise<void> {
  switch (step.op) {
    case "spawn":
      return begin(world, actor, targetOf(world, actor, step.where), "task", step.spec, step.fate, step.body);
    case "group":
      return begin(
        world,
        actor,
        targetOf(world, actor, step.where),
        "group",
        step.spec,
        step.fate,
        step.body,
      );
    case "map":
      return map(world, actor, step);
    case "service":
    case "every": {
      const target = targetOf(world, actor, step.target);
      return begin(world, actor, target, step.op, {}, "detach", step.body, step);
    }
    case "adopt": {
      const promise = foreignPromise(step.settle, (fire) => world.clock.later(step.ms, fire));
      const target = targetOf(world, actor, step.target);
      const row = start(world, actor, target, "adopt", {}, (_, name) =>
        target.scope.scope.adopt(name, promise),
      );
      world.faults.add(`adopts ${step.settle}`);
      if (row === undefined) void Promise.resolve(promise).catch(() => undefined);
      return settleFate(world, actor, row, step.fate);
    }
    case "scope": {
      const parent = world.scope(step.target);
      let scope: Scope;
      try {
        scope = parent.scope.scope(
          world.name("scope"),
          scopeOptionsOf(world, step.spec, () => row),
        );
      } catch (error) {
        world.see({ saw: "refuse", error, verdict: "either", spec: {}, scope: parent });
        return undefined;
      }
      const row = world.addScope(scope, parent, step.spec);
      return runSteps(world, actor, step.steps);
    }
    default:
      return undefined;
  }
}

async function begin(
  world: World,
  actor: Actor,
  target: Target,
  kind: TaskKind,
  spec: Parameters<typeof optionsOf>[1],
  fate: Fate,
  body: Body,
  step?: Step,
): Promise<void> {
  if (actor.isLate || world.hasLeft(actor)) world.faults.add("spawns late");
  const holder: Holder = { kind, row: undefined, runs: 0 };
  const run = functionOf(world, holder, body, runSteps);
  const scope = target.scope.scope;
  const row = start(world, actor, target, kind, spec, (spawner, name): Task<unknown> => {
    if (step?.op === "service") {
      const { restart, restarts, min, ready, ...options } = step.spec;
      const intensity = { restarts, within: 1_000 };
      return scope.service(name, run, {
        ...options,
        restart,
        ready,
        intensity,
        backoff: { min, jitter: "none" },
      });
    }
    if (step?.op === "every") return scope.every(name, step.period, run, { overlap: step.overlap });
    if (kind === "group") return spawner.group(name, run, optionsOf(world, spec));
    return spawner.spawn(name, run, optionsOf(world, spec));
  });
  // A joined task runs its own function.
  if (row !== undefined && holder.row === undefined) holder.row = row;
  return settleFate(world, actor, row, fate);
}

async function map(world: World, actor: Actor, step: Extract<Step, { op: "map" }>): Promise<void> {
  const target = targetOf(world, actor, step.where);
  const holder: Holder = { kind: "map", row: undefined, runs: 0 };
  const { items, source, concurrency } = step;
  const run = (body: Body, ctx: unknown): unknown => functionOf(world, holder, body, runSteps)(ctx);
  if (source === "throws") world.faults.add("iterable throws");
  holder.row = start(world, actor, target, "map", {}, (spawner, name) =>
    spawner.map(name, source === "array" ? items : source === "async" ? drip(items) : cut(items), run, {
      concurrency,
    }),
  );
  return settleFate(world, actor, holder.row, step.fate);
}

async function* drip(items: readonly Body[]): AsyncGenerator<Body> {
  for (const item of items) {
    await null;
    yield item;
  }
}

function* cut(items: readonly Body[]): Generator<Body> {
  yield items[0] as Body;
  throw new Fault("iterable");
}

/** What whoever spawned a task does with it. */
async function settleFate(world: World, actor: Actor, row: TaskRow | undefined, fate: Fate): Promise<void> {
  if (row !== undefined && fate !== "detach") await await_(world, actor, row, fate);
}

/** Awaits a task in one of the ways there are. */
async function await_(
  world: World,
  actor: Actor,
  row: TaskRow | undefined,
  fate: Exclude<Fate, "detach">,
): Promise<void> {
  const task = row?.task;
  if (row === undefined || task === undefined) return;
  const n = world.number();
  const returned = (value: unknown): void => world.see({ saw: "waited", n, how: "returned", value });
  const threw = (error: unknown): void => world.see({ saw: "waited", n, how: "threw", value: error });
  world.see({ saw: "wait", n, by: actor.row, isLate: actor.isLate, row, fate });
  switch (fate) {
    case "attach":
      void world.follow("then", Promise.resolve(task.then(returned, threw)));
      return;
    case "catch": {
      let caught = false;
      const promise = task.catch((error: unknown) => {
        caught = true;
        threw(error);
      });
      void promise.then((value) => (caught ? undefined : returned(value)), threw);
      return void (await patiently(world, actor, world.follow("catch", promise)));
    }
    case "finally":
      void world
        .follow(
          "finally",
          task.finally(() => undefined),
        )
        .then(returned, threw);
      return;
    case "outcome": {
      const promise = task.outcome();
      promise.then(returned, threw);
      return void (await patiently(world, actor, world.follow("outcome", promise)));
    }
    case "await":
      break;
  }
  // The native way: `await` calls `then` one microtask later, in the context of the awaiter.
  const waiting = world.follow(
    "await",
    (async () => {
      try {
        returned(await asking(world, n, task));
      } catch (error) {
        threw(error);
        throw error;
      }
    })(),
  );
  await patiently(world, actor, waiting);
}

/** Notes when `then` is called: by then whoever began to await may have ended. */
function asking(world: World, n: number, task: Task<unknown>): PromiseLike<unknown> {
  return {
    then: (onFulfilled, onRejected) => {
      world.see({ saw: "ask", n });
      return task.then(onFulfilled, onRejected);
    },
  };
}

/** The driver waits for nothing very long, and lets nothing stop it. */
async function patiently<T>(world: World, actor: Actor, promise: Promise<T>): Promise<T | undefined> {
  if (actor.row !== undefined) return promise;
  return Promise.race([promise.catch(() => undefined), world.sleep(PATIENCE).then(() => undefined)]);
}

async function shield(world: World, actor: Actor, steps: readonly Step[]): Promise<void> {
  const { ctx, shields } = actor;
  if (ctx === undefined) return runSteps(world, actor, steps);
  return inBlock(
    (open) => ctx.shield(open),
    (block) => runSteps(world, { ...actor, shields: [...shields, block] }, steps),
  );
}

async function timeout(world: World, actor: Actor, ms: number, steps: readonly Step[]): Promise<void> {
  const { ctx, blocks } = actor;
  if (ctx === undefined) return runSteps(world, actor, steps);
  return inBlock(
    (open) => ctx.timeout(ms, open),
    (block) => runSteps(world, { ...actor, blocks: [...blocks, block] }, steps),
  );
}

async function inBlock(
  enter: (open: (signal: AbortSignal) => Promise<void>) => Promise<void>,
  run: (block: Block) => Promise<void>,
): Promise<void> {
  let block: Block | undefined;
  try {
    await enter((signal) => run((block = { signal, isOpen: true })));
  } finally {
    if (block !== undefined) block.isOpen = false;
  }
}

/** A callback that runs later in the same async context, when its task may be over. */
function late(world: World, actor: Actor, ms: number, step: Step): void {
  const run = AsyncLocalStorage.bind(() => {
    void runSteps(world, { ...actor, isLate: actor.row !== undefined }, [step]).catch(() => undefined);
  });
  world.clock.later(ms, run);
}

function defer(world: World, actor: Actor, step: Extract<Step, { op: "defer" }>): void {
  const { cleanup, where, use } = step;
  const owner =
    where === "task" && actor.row !== undefined && actor.ctx !== undefined
      ? { target: actor.ctx, task: { row: actor.row, attempt: actor.ctx.attempt }, scope: undefined }
      : { ...scopeTarget(world, where === "task" ? 0 : where), task: undefined };
  const row: DeferRow = { n: world.number(), cleanup, task: owner.task, scope: owner.scope };
  const work = cleanupOf(cleanup, (ms) => world.sleep(ms));
  const run = (): unknown => {
    world.see({ saw: "defer-runs", row });
    if (cleanup.kind !== "ok") world.faults.add(`clean-up: ${cleanup.kind}`);
    const ends = (): void => world.see({ saw: "defer-ends", row });
    try {
      const result = work();
      if (result instanceof Promise) result.then(ends, ends);
      else ends();
      return result;
    } catch (error) {
      ends();
      throw error;
    }
  };
  // Written down first: it may run before `defer` returns, if it is refused only by an error.
  try {
    if (use) owner.target.use({ [Symbol.asyncDispose]: async () => run() });
    else owner.target.defer(run);
    world.defers.push(row);
    world.see({ saw: "defer", row });
  } catch (error) {
    if (actor.row === undefined) return;
    throw error;
  }
}

function scopeTarget(world: World, index: number) {
  const scope = world.scope(index);
  return { target: scope.scope, scope };
}

async function until(
  world: World,
  actor: Actor,
  what: "idle" | "room" | "ready",
  scope: Scope,
): Promise<void> {
  const promise =
    what === "idle" ? scope.untilIdle() : what === "room" ? scope.untilRoom() : scope.untilReady();
  await patiently(world, actor, world.follow(`until ${what} of ${scope.path}`, promise));
}

function listen(world: World, index: number, event: ScopeEventName): void {
  world.scope(index).scope.on(event, () => {
    world.faults.add("listener throws");
    throw new Fault("listener");
  });
}

function abort(world: World, index: number): void {
  world.faults.add("abort");
  world.signals[index % world.signals.length]?.abort(new Fault("signal"));
}

function requestClose(world: World, index: number): void {
  const scope = world.victim(index);
  world.faults.add("close");
  world.see({ saw: "request", scope });
  scope.scope.requestClose("requested");
}

async function cancel(
  world: World,
  actor: Actor,
  row: TaskRow | undefined,
  fate: "await" | "detach",
  twice: boolean,
): Promise<void> {
  const task = row?.task;
  if (row === undefined || task === undefined) return;
  world.faults.add("cancel");
  const n = world.number();
  world.see({ saw: "cancel", n, row, by: actor.row, isLate: actor.isLate });
  const isLive = !world.ended.has(row.id);
  const first = task.cancel(new Fault("cancelled"));
  const reason = twice ? (task.signal.reason as unknown) : undefined;
  if (twice) {
    if (isLive && !world.ended.has(row.id) && !task.signal.aborted)
      world.wrong("4", `${row.id}: cancelled, not aborted`);
    void task.cancel("again");
    if (task.signal.reason !== reason) world.wrong("4", `${row.id}: a second cancel changed the reason`);
  }
  const seen = first.then(
    (value) => world.see({ saw: "cancelled", n, value, error: undefined }),
    (error: unknown) => world.see({ saw: "cancelled", n, value: undefined, error }),
  );
  if (fate === "await") await patiently(world, actor, world.follow("cancel", seen));
}

async function close(world: World, actor: Actor, step: Extract<Step, { op: "close" }>): Promise<void> {
  const row = world.victim(step.target);
  const { how, drain, grace } = step.spec;
  world.faults.add("close");
  const n = world.number();
  world.see({ saw: "close", n, scope: row, by: actor.row, isLate: actor.isLate });
  const options = { drain, reason: "closed", ...(grace === undefined ? {} : { grace }) };
  const closing = how === "cancel" ? row.scope.cancel("cancelled") : row.scope.close(options);
  const seen = closing.then(
    (report) => world.see({ saw: "closed", n, report, error: undefined }),
    (error: unknown) => world.see({ saw: "closed", n, report: undefined, error }),
  );
  if (step.fate === "await") await patiently(world, actor, world.follow("close", seen));
}
