import { getEventListeners } from "node:events";
import type { ScopeTree, TaskInfo } from "../../../../src/core/info.ts";
import type { TerminalState } from "../../../../src/core/words.ts";
import { LIMITS } from "../program.ts";
import { flatten } from "../run-program.ts";
import type { ScopeRow, TaskRow } from "../trace.ts";
import { above, isInside, type World } from "../world.ts";

const COUNTED: readonly TerminalState[] = ["succeeded", "failed", "cancelled", "lost", "abandoned"];
const SCOPE_ORDER = ["open", "draining", "closing", "closed"];

/** What holds at every moment at which only time can go on. */
export function checkMoment(world: World, tree: ScopeTree, tasks: readonly TaskInfo[]): void {
  checkOwners(world, tree);
  checkRecords(world, tasks);
  checkStates(world);
  checkReach(world);
  checkSlots(world);
  checkPools(world);
  for (const { signal } of world.signals) {
    const listeners = getEventListeners(signal, "abort").length;
    if (listeners > 1) world.wrong("9", `${listeners} listeners on one external signal`);
  }
}

/** 1: each live task is in the tree, once, under its owner. */
function checkOwners(world: World, tree: ScopeTree): void {
  const found = new Set<number>();
  for (const { task, owner } of flatten(tree)) {
    if (found.has(task.id)) world.wrong("1", `${task.path} has two owners`);
    found.add(task.id);
    if (!world.live.has(task.id)) world.wrong("1", `${task.path} is in the tree, but is not live`);
    const row = world.byId.get(task.id);
    if (row === undefined) continue;
    const expected = row.parent === undefined ? row.scope.path : world.live.get(row.parent.row.id);
    if (owner !== expected) world.wrong("1", `${task.path} is owned by ${owner} instead of ${expected}`);
  }
  for (const [id, path] of world.live) {
    if (!found.has(id)) world.wrong("1", `${path} is live, but cannot be reached from the root`);
  }
}

/** 7: the live tasks, then the newest records; the sums. */
function checkRecords(world: World, tasks: readonly TaskInfo[]): void {
  const live = tasks.slice(0, world.live.size);
  const ended = tasks.slice(world.live.size);
  if (live.some(({ id }) => !world.live.has(id)))
    world.wrong("7", "tasks() does not begin with the live tasks");
  const expected = [...world.ended].slice(-world.records).reverse();
  const isSame =
    expected.length === ended.length &&
    expected.every(([id, state], index) => ended[index]?.id === id && ended[index].state === state);
  if (!isSame) {
    const list = ended.map(({ id, state }) => `${id} ${state}`).join(", ");
    world.wrong("7", `the records are ${list}, not ${expected.map((one) => one.join(" ")).join(", ")}`);
  }
  const stats = world.root.scope.stats();
  if (stats.live !== world.live.size)
    world.wrong("7", `stats().live is ${stats.live}, not ${world.live.size}`);
  const spawned = world.live.size + world.ended.size;
  if (stats.spawned !== spawned) world.wrong("7", `stats().spawned is ${stats.spawned}, not ${spawned}`);
  for (const state of COUNTED) {
    let count = 0;
    for (const one of world.ended.values()) if (one === state) count++;
    if (stats[state] !== count) world.wrong("7", `stats().${state} is ${stats[state]}, not ${count}`);
  }
  const waiting = live.filter(({ state }) => state === "waiting").length;
  if (stats.waiting !== waiting) world.wrong("7", `stats().waiting is ${stats.waiting}, not ${waiting}`);
}

/** 6: ended tasks stay as they ended; live ones are in a live state; scopes are never behind the scope around them. */
function checkStates(world: World): void {
  for (const row of world.tasks) {
    const state = row.task?.state;
    const expected = world.ended.get(row.id);
    if (expected !== undefined && state !== expected)
      world.wrong("6", `${row.id} was ${expected} and is ${state}`);
    if (expected === undefined && COUNTED.includes(state as TerminalState)) {
      world.wrong("6", `${row.id} is ${state} without an end`);
    }
  }
  for (const row of world.scopes) {
    const around = above(row);
    if (around === undefined) continue;
    // A shield spares a group from being closed with the scope around it; none spares it from draining with it.
    if (row.group !== undefined && around.scope.state !== "draining") continue;
    if (SCOPE_ORDER.indexOf(row.scope.state) < SCOPE_ORDER.indexOf(around.scope.state)) {
      world.wrong("2", `${row.path} is ${row.scope.state} in a scope that is ${around.scope.state}`);
    }
  }
}

const LIVE_ON: readonly string[] = ["waiting", "running", "retrying"];

/** 4: what is being cancelled has reached all that it owns, but for what a shield spares. */
function checkReach(world: World): void {
  const live = world.tasks.filter(({ id }) => world.live.has(id));
  const goesOn = live.filter(
    (row) => !row.isShielded && LIVE_ON.includes(row.task?.state as string) && !isOver(world, row),
  );
  for (const row of goesOn) {
    const stopping = live.find((other) => other !== row && isStopping(world, other) && isInside(row, other));
    if (stopping !== undefined) {
      world.wrong("4", `${row.id} is ${row.task?.state} although ${stopping.id}, which owns it, is stopping`);
    }
    if (row.scope.scope.state === "closing" || row.scope.scope.state === "closed") {
      world.wrong("4", `${row.id} is ${row.task?.state} although its scope is ${row.scope.scope.state}`);
    }
  }
}

/** Whether what it owns has to stop: it is being cancelled, or its body threw or was lost. */
function isStopping(world: World, row: TaskRow): boolean {
  return (
    row.task?.state === "cancelling" || (row.task?.state === "running" && howLeft(world, row) === "threw")
  );
}

/** Whether its body is over: what is left to do is clean-up, which has a limit of its own. */
function isOver(world: World, row: TaskRow): boolean {
  return howLeft(world, row) !== undefined;
}

/** How the body of its latest attempt was left. */
function howLeft(world: World, row: TaskRow): "returned" | "threw" | undefined {
  return world.left.get(`${row.id}.${row.contexts.at(-1)?.attempt}`);
}

/** Whether a bound counts this task: what runs directly in the scope, but for services and adopted promises. */
export function takesSlot(row: TaskRow, scope: ScopeRow): boolean {
  return row.scope === scope && row.parent === undefined && ["task", "group", "map"].includes(row.kind);
}

/** 10: no bound is passed, and none keeps anything waiting that it has room for. */
function checkSlots(world: World): void {
  for (const scope of world.scopes) {
    const { concurrency } = scope.spec;
    if (concurrency === undefined || scope.scope.state === "closed") continue;
    const own = world.tasks.filter((row) => world.live.has(row.id) && takesSlot(row, scope));
    const waiting = own.filter(({ task }) => task?.state === "waiting");
    const running = own.length - waiting.length;
    if (running > concurrency)
      world.wrong("10", `${running} run in ${scope.path}, which takes ${concurrency}`);
    const stuck = waiting.find(isPlain);
    if (stuck !== undefined && running < concurrency) {
      world.wrong("10", `${stuck.id} waits in ${scope.path} although only ${running} of ${concurrency} run`);
    }
  }
  for (const row of world.tasks) {
    if (row.task?.state !== "waiting" || !isPlain(row)) continue;
    if (row.scope.spec.concurrency === undefined || row.parent !== undefined) {
      world.wrong("10", `${row.id} waits for nothing`);
    }
  }
}

/** What waits for a bound by key alone waits only while others hold it. */
function checkPools(world: World): void {
  for (const [limit, { key, concurrency, ...bound }] of LIMITS.entries()) {
    if ("rate" in bound) continue;
    const named = world.tasks.filter((row) => world.live.has(row.id) && row.spec.limit === limit);
    const waiting = named.filter(({ task }) => task?.state === "waiting");
    const stuck = waiting.find(({ spec }) => spec.key === undefined && spec.delay === undefined);
    // Whoever waits for a slot of its scope besides may hold the bound already.
    const isSure = waiting.every(({ scope }) => scope.spec.concurrency === undefined);
    const running = named.length - waiting.length;
    if (stuck !== undefined && isSure && running < concurrency) {
      world.wrong(
        "10",
        `${stuck.id} waits for the limit ${key} although only ${running} of ${concurrency} run`,
      );
    }
  }
}

function isPlain({ kind, spec: { key, limit, delay } }: TaskRow): boolean {
  return kind !== "service" && key === undefined && limit === undefined && delay === undefined;
}
