import { getEventListeners } from "node:events";
import { currentTask, openScope } from "../../../src/index.ts";
import type { CloseReport, ScopeTree, TaskInfo, TaskTree } from "../../../src/core/info.ts";
import { turn, type ProgramClock } from "./clock.ts";
import { EVENTS, runSteps } from "./interpreter.ts";
import type { Program } from "./program.ts";
import { scopeOptionsOf } from "./spawning.ts";
import type { ScopeRow } from "./trace.ts";
import { World, type Actor } from "./world.ts";

const DRIVER: Actor = {
  row: undefined,
  ctx: undefined,
  attempt: 0,
  group: undefined,
  shields: [],
  blocks: [],
  isLate: false,
};

/** So many jumps of the clock, before a program counts as one that will never end. */
const MAX_JUMPS = 4_000;
/** So long does a script run at most before its root is closed. */
const MAX_SCRIPT = 2_000;

/** A close takes no longer than drain, grace, and clean-ups of 5 s each. */
const MAX_CLOSE = 300_000;

/** What is looked at whenever nothing can happen but by the passing of time. */
export type Sampler = (world: World, tree: ScopeTree, tasks: readonly TaskInfo[]) => void;

/** Runs a program to its end, and leaves what was seen. */
export async function runProgram(program: Program, clock: ProgramClock, sample: Sampler): Promise<World> {
  const { records, ...spec } = program.root;
  const world = new World(clock, records);
  const stop = watchProcess(world);
  try {
    const options = { ...scopeOptionsOf(world, spec, () => row), records };
    const scope = openScope("root", options);
    for (const type of EVENTS) scope.on(type, (event) => world.see({ saw: "event", event }));
    const row: ScopeRow = world.addScope(scope, undefined, spec);
    let isDone = false;
    void runSteps(world, DRIVER, program.script).then(
      () => (isDone = true),
      (error: unknown) => {
        isDone = true;
        world.wrong("harness", `the driver failed: ${String((error as Error)?.stack ?? error)}`);
      },
    );
    const end = clock.now() + MAX_SCRIPT;
    await pump(world, sample, () => isDone || clock.now() > end);
    await finish(world, program, sample);
  } finally {
    stop();
    clock.reset();
  }
  return world;
}

/** Lets time pass, jump by jump, until `isOver`. False: nothing is due and it never will be. */
async function pump(world: World, sample: Sampler, isOver: () => boolean): Promise<boolean> {
  for (let jumps = 0; jumps < MAX_JUMPS; jumps++) {
    await turn();
    look(world, sample);
    if (isOver()) return true;
    if (world.clock.jump()) continue;
    // What takes turns of the event loop rather than time may still go on.
    await turn();
    await turn();
    if (isOver()) return true;
    if (!world.clock.jump()) return false;
  }
  return false;
}

function look(world: World, sample: Sampler): void {
  const { scope } = world.root;
  if (currentTask() !== undefined) world.wrong("context", "a task's context came out of it");
  sample(world, scope.tree(), [...scope.tasks()]);
}

/** Closes the root as the program says, and waits until all that can settle has settled. */
async function finish(world: World, program: Program, sample: Sampler): Promise<void> {
  const { root, clock } = world;
  const { how, drain, grace } = program.end;
  const n = world.number();
  world.see({ saw: "close", n, scope: root, by: undefined, isLate: false });
  const options = { drain, reason: "the end", ...(grace === undefined ? {} : { grace }) };
  const closing = how === "cancel" ? root.scope.cancel("the end") : root.scope.close(options);
  let report: CloseReport | undefined;
  closing.then(
    (value) => {
      report = value;
      world.see({ saw: "closed", n, report: value, error: undefined });
    },
    (error: unknown) => world.see({ saw: "closed", n, report: undefined, error }),
  );
  const began = clock.now();
  const isClosed = await pump(world, sample, () => report !== undefined);
  const ms = clock.now() - began;
  if (ms > MAX_CLOSE) world.wrong("2", `close() of the root took ${ms} ms`);
  if (!isClosed) world.wrong("2", `close() of the root never resolves: it is ${root.scope.state}`);
  checkResidue(world);
  // What users left behind still fires: late settlements, late callbacks.
  await pump(world, sample, () => false);
  for (const row of world.tasks) {
    const asked = row.task?.outcome();
    void asked?.then((outcome) => world.outcomes.set(row, outcome));
  }
  await turn();
  checkResidue(world);
}

/** 12: with every scope closed nothing is left that keeps the process alive. */
function checkResidue(world: World): void {
  const { clock, signals } = world;
  if (clock.pending() > 0) world.wrong("12", `${clock.pending()} timers are left`);
  if (clock.isArmedWrongly()) world.wrong("12", "the clock is armed for nothing, or not armed for something");
  for (const { signal } of signals) {
    const listeners = getEventListeners(signal, "abort").length;
    if (listeners > 0) world.wrong("12", `${listeners} listeners are left on an external signal`);
  }
}

/** Hears what the process hears of: failures printed, and rejections that nobody handled. */
function watchProcess(world: World): () => void {
  const { error: print } = console;
  console.error = (text: unknown, error: unknown) => {
    const path = /^\[holdfast\] (\S+) \S+ and nobody awaited it/.exec(String(text))?.[1];
    if (path !== undefined) world.see({ saw: "printed", path, error });
    else if (!String(text).startsWith("[holdfast] a listener of"))
      world.wrong("harness", `reported: ${String(text)} ${safe(error)}`);
  };
  const onUnhandled = (reason: unknown): void => {
    world.wrong("3", `unhandledRejection: ${safe(reason)}`);
  };
  process.on("unhandledRejection", onUnhandled);
  return () => {
    console.error = print;
    process.off("unhandledRejection", onUnhandled);
  };
}

/** Any value as text, whatever its properties do. */
export function safe(value: unknown): string {
  try {
    return value instanceof Error ? `${value.name}: ${value.message}` : String(value);
  } catch {
    return "unreadable";
  }
}

/** Every task of a tree, with the path of what it stands in. */
export function flatten(tree: ScopeTree): { task: TaskTree; owner: string }[] {
  const found: { task: TaskTree; owner: string }[] = [];
  const scopes = [tree];
  for (let scope = scopes.pop(); scope !== undefined; scope = scopes.pop()) {
    scopes.push(...scope.scopes);
    const open = scope.tasks.map((task) => ({ task, owner: scope.path }));
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      found.push(next);
      scopes.push(...next.task.scopes);
      open.push(...next.task.tasks.map((task) => ({ task, owner: (next as { task: TaskTree }).task.path })));
    }
  }
  return found;
}
